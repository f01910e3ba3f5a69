"""The stand-in AWS, as the connections room's tests start it."""

from tests.connections.conftest import standin, standin_url

__all__ = ["standin", "standin_url"]
