"""The stand-in AWS of the demo and the tests: moto's server in a process of its own, with its own access log.

What is in it is `hoopweb.stack.seed`'s. It checks no signature and enforces no trust policy, and the pages say so.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from types import FrameType
from typing import Any

from moto.awslambda_simple.models import LambdaSimpleBackend, lambda_simple_backends
from moto.core.config import default_user_config
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

from hoopweb.stack.accesslog import AccessLog, Application, Environ
from hoopweb.stack.functions import Functions
from hoopweb.stack.seed import ACCOUNT, REGION, seed

READY_PATH = "/hoopweb-standin/ready"


class RepeatingResults(list[str]):
    """Moto's queue of Lambda results, except that the last one set is given for good."""

    def pop(self, index: Any = -1) -> str:
        return super().pop(index) if len(self) > 1 else self[0]


class Ready:
    """WSGI middleware that says whether the seed is in. Its requests are nobody's, so they are not in the access log."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self.is_ready = threading.Event()

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ.get("PATH_INFO") != READY_PATH:
            return self._application(environ, start_response)
        status = "200 OK" if self.is_ready.is_set() else "503 Service Unavailable"
        start_response(status, [("Content-Type", "text/plain")])
        return [status.encode()]


def application(access_log: Path) -> Ready:
    """Return moto's whole server as one application: no Docker, no network, access-logged."""
    default_user_config["lambda"] = {"use_docker": False}
    default_user_config["batch"] = {"use_docker": False}
    backend: LambdaSimpleBackend = lambda_simple_backends[ACCOUNT][REGION]
    backend.lambda_simple_results_queue = RepeatingResults()
    return Ready(AccessLog(Functions(DomainDispatcherApplication(create_backend_app)), access_log))


def _stop(_number: int, _frame: FrameType | None) -> None:
    sys.exit(0)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m hoopweb.stack.standin", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--access-log", type=Path, required=True)
    parser.add_argument("--seed", action="store_true", help="put the demo's resources in before saying ready")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, _stop)
    ready = application(options.access_log)
    server = make_server("127.0.0.1", options.port, ready, threaded=True, request_handler=MotoRequestHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    if options.seed:
        seed(f"http://127.0.0.1:{options.port}")
    ready.is_ready.set()
    signal.pause()
    return 0


if __name__ == "__main__":
    sys.exit(main())
