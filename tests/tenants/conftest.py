"""What the tests of the walls may use: a held call, for rows in the rooms above."""

from tests.approvals.asking import asking

__all__ = ["asking"]
