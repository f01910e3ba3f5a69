"""TLS towards the control plane, with this edge's certificate where the control plane asks for one.

Who the edge is its signatures say (`identity`); a certificate keeps everybody else from being heard at all.
"""

from __future__ import annotations

import ssl
from pathlib import Path

import structlog

log = structlog.get_logger("edge.control")


class ControlTls:
    """Makes the context for new connections, and makes it anew when a file changed: certificates are short-lived."""

    def __init__(self, *, ca: Path | None, cert: Path | None, key: Path | None) -> None:
        self._ca = ca
        self._cert = cert
        self._key = key
        self._made_from: tuple[int, ...] = ()
        self._context: ssl.SSLContext | None = None

    def __call__(self) -> ssl.SSLContext:
        """Return a context; raises OSError (SSLError is one) where the first one cannot be made from the files."""
        found = tuple(path.stat().st_mtime_ns for path in (self._ca, self._cert, self._key) if path is not None)
        if self._context is None or found != self._made_from:
            try:
                self._context = self._make()
            except OSError as error:
                # Half of a renewal: the certificate before it is still good for a while.
                if self._context is None:
                    raise
                log.warning("control_certificate_unread", error=str(error))
                return self._context
            self._made_from = found
        return self._context

    def _make(self) -> ssl.SSLContext:
        # With an authority of its own, no public one may speak for the control plane.
        context = ssl.create_default_context(cafile=str(self._ca) if self._ca is not None else None)
        if self._cert is not None and self._key is not None:
            context.load_cert_chain(self._cert, self._key)
        return context
