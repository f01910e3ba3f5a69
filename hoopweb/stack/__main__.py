"""`python -m hoopweb.stack up | demo | clean`: what `make run`, `make demo` and `make clean` call.

The story itself is the management command `demo_story`.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import threading
from types import FrameType

from hoopweb.stack import guardian
from hoopweb.stack import plan as planning
from hoopweb.stack.plan import CHECKOUT, Plan
from hoopweb.stack.problems import StackProblem
from hoopweb.stack.processes import environment
from hoopweb.stack.running import Stack, running, say
from hoopweb.stack.services import remove, services
from hoopweb.stack.state import lock

STORY = ("manage.py", "demo_story")


def up(*, story: bool, stay: bool) -> int:
    """Run the stack. The exit status is the story's, or 0 for a stack that was told to stop."""
    stopping = threading.Event()
    _stop_on_signals(stopping)
    with running(os.environ, say=say, stopping=stopping) as stack:
        if not stack.wait_until_up():
            return 0
        code = _tell_story(stack) if story else 0
        if stay and not stack.stopping.is_set():
            say(_invitation(stack.plan))
            stack.stopping.wait()
        say("Stopping.")
        return code


def _stop_on_signals(stopping: threading.Event) -> None:
    def stop(_number: int, _frame: FrameType | None) -> None:
        stopping.set()

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    # Under nohup a closed terminal is none of our business.
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, stop)


def _tell_story(stack: Stack) -> int:
    """Play the demo against the running stack, as a person with `var/demo.env` would; returns its exit status."""
    plan = stack.plan
    settings = {
        **environment(plan),
        **plan.services.environment(),
        "HOOPWEB_URL": plan.url,
        "HOOPWEB_UPSTREAM_AWS_URL": plan.upstream_url,
        "HOOPWEB_ACCESS_LOG": str(plan.access_log),
    }
    told = subprocess.Popen([sys.executable, *STORY], cwd=CHECKOUT, env=settings)
    while (code := told.poll()) is None:
        if stack.stopping.wait(0.1):
            told.terminate()
            return told.wait()
    return code


def _invitation(plan: Plan) -> str:
    return (
        f"\nhoopweb is up. Open {plan.url} in a browser (who to sign in as: HOOPWEB_ADMIN_* in {plan.demo_env}).\n"
        f"In another terminal:   . {plan.demo_env} && {CHECKOUT}/.venv/bin/aws s3 ls\n"
        f"Logs are in {plan.state.root}/log. Ctrl-C stops everything; `make run` brings it back as it was.\n"
    )


def clean() -> int:
    """Remove the state folder and the cluster with it, unless a stack runs on it."""
    state = planning.state_of(os.environ)
    if not (state.root / "secrets").is_dir():
        shutil.rmtree(state.root, ignore_errors=True)
        return 0
    held = lock(state)
    try:
        remove(services(state, valkey_port=0))
    finally:
        held.release()
    say(f"Removed {state.root}.")
    return 0


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m hoopweb.stack", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("command", choices=("up", "demo", "clean"))
    parser.add_argument("--with-parent", action="store_true", help="stop when the program that started us is gone")
    parser.add_argument("--story", action="store_true", help="up: play the demo's story once everything is ready")
    options = parser.parse_args(arguments)
    if options.with_parent:
        guardian.prctl(guardian.PR_SET_PDEATHSIG, signal.SIGTERM)
    try:
        match options.command:
            case "up":
                return up(story=options.story, stay=True)
            case "demo":
                return up(story=True, stay=False)
            case _:
                return clean()
    except StackProblem as problem:
        print(f"hoopweb: {problem}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
