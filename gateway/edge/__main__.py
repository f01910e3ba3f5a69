"""`python -m gateway.edge`: one edge from its environment, until a signal or the control plane ends it.

Exit status: 0 after SIGTERM or SIGINT, 2 for a wrong environment, 3 when fenced, revoked or not let in.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys

import structlog
import uvloop

from gateway.edge.app import Edge, serve
from gateway.edge.control import EdgeEnded
from gateway.edge.control_http import Rejected
from gateway.edge.identity import StateInUse, lock
from gateway.edge.settings import BadSettings, EdgeSettings
from gateway.masking.catalogue import ScannerFailed
from gateway.names.model import BadModel

log = structlog.get_logger("edge")


def main() -> int:
    _log_as_json()
    try:
        settings = EdgeSettings.from_environment(os.environ)
        # Held until the process ends, and closed with it.
        lock(settings.state)
        uvloop.run(_run(settings))
    except (BadSettings, StateInUse) as error:
        log.error("cannot_start", error=type(error).__name__, detail=str(error))
        return 2
    except OSError as error:
        log.error("cannot_start", error=type(error).__name__, detail=error.strerror or str(error))
        return 2
    except ScannerFailed:
        # Without its detectors an edge could only withhold every answer.
        log.error("cannot_start", error="ScannerFailed", detail="the rule catalogue did not load")
        return 2
    except BadModel as error:
        log.error("cannot_start", error="BadModel", detail=f"HOOPWEB_NAMES_MODEL: {error}")
        return 2
    except (EdgeEnded, Rejected) as error:
        log.error("ended", error=type(error).__name__, detail=str(error))
        return 3
    return 0


async def _run(settings: EdgeSettings) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    await serve(Edge(settings), stopping)


def _log_as_json() -> None:
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(file=sys.stdout),
        cache_logger_on_first_use=True,
    )


if __name__ == "__main__":
    sys.exit(main())
