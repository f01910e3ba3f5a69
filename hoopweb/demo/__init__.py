"""The demo tenant that `make run` and the tests start from; made of the same services as any other."""
