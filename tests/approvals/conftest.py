"""What every approval test may use."""

from tests.approvals.asking import asking

__all__ = ["asking"]
