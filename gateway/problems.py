"""What can go wrong, told once: one class, one stable code, three dialects.

The dialects are rendered elsewhere: problem+json in `hoopweb.api`, AWS errors in `gateway.wire.errors`.
"""

from __future__ import annotations


class Problem(Exception):
    """A failure someone meets. `code` is the same in logs, docs and events; text never carries a secret.

    `aws_code` is the error code an AWS SDK sees; `detail` adds what is particular to this case.
    """

    code = "internal"
    status = 500
    title = "Something went wrong"
    remedy = ""
    aws_code = "InternalFailure"

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail or self.title)
        self.detail = detail

    @property
    def message(self) -> str:
        """One or more whole sentences: what happened, the particulars, what to do."""
        return " ".join(f"{part.rstrip('.')}." for part in (self.title, self.detail, self.remedy) if part)
