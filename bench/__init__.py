"""Measurements of the running product; what is right is for `tests/` to say."""
