"""What can go wrong when a device signs: told alike to whoever has no device, so that nobody learns which there are."""

from gateway.problems import Problem


class DeviceRefused(Problem):
    code = "device.unknown"
    status = 401
    title = "This request is not signed by a device that is enrolled here"
    remedy = "Run `hoopweb login` again; `hoopweb doctor` tells what this machine has."


class DeviceClockOff(Problem):
    code = "device.clock"
    status = 401
    title = "This device's clock is more than five minutes off"
    remedy = "Set the clock, or sign with the gateway's time."


class DeviceReplayed(Problem):
    code = "device.replayed"
    status = 401
    title = "This signed request was used before"
    remedy = "Sign each request anew."


class PromptForged(Problem):
    code = "prompt.forged"
    status = 403
    title = "This prompt did not come from the agent itself"
    remedy = "Prompts are recorded by the agent's own hook; commands an agent runs cannot record any."
