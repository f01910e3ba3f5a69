"""The thin network process between an agent and AWS: parse, ask, forward, mask, report."""
