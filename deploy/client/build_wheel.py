"""Builds the wheel `hoopweb-client` (PEP 517): the client, the one pure module it shares, and nothing of the server.

What the package is called and needs stands in pyproject.toml beside this file. Imports nothing but Python's own.
"""

from __future__ import annotations

import base64
import hashlib
import stat
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
SHARED = ("gateway/__init__.py", "gateway/wire/__init__.py", "gateway/wire/device_signature.py")
# A script of our own instead of an entry point: what installers write around those imports what a start then waits for.
SCRIPT = "#!python\nimport sys\n\nfrom gateway.client.app import main\n\nsys.exit(main(sys.argv[1:]))\n"
# Equal trees give equal wheels: zip's earliest day.
_WHEN = (1980, 1, 1, 0, 0, 0)


def get_requires_for_build_wheel(config_settings: dict[str, Any] | None = None) -> list[str]:
    return []


def build_wheel(
    wheel_directory: str, config_settings: dict[str, Any] | None = None, metadata_directory: str | None = None
) -> str:
    """Write the wheel into a folder; returns its file name."""
    project = tomllib.loads((HERE / "pyproject.toml").read_text())["project"]
    stem = f"{project['name'].replace('-', '_')}-{project['version']}"
    files = dict(_files(project, stem))
    record = f"{stem}.dist-info/RECORD"
    lines = [f"{name},sha256={_digest(content)},{len(content)}" for name, content in files.items()]
    files[record] = "\n".join((*lines, f"{record},,", "")).encode()
    name = f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(Path(wheel_directory) / name, "w", zipfile.ZIP_DEFLATED) as wheel:
        for path, content in files.items():
            _write(wheel, path, content)
    return name


def build_sdist(sdist_directory: str, config_settings: dict[str, Any] | None = None) -> str:
    raise NotImplementedError("The client is built from hoopweb's own tree: uv build --wheel deploy/client")


def _files(project: dict[str, Any], stem: str) -> Iterator[tuple[str, bytes]]:
    modules = [path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "gateway" / "client").rglob("*.py"))]
    for name in (*SHARED, *modules):
        yield name, (ROOT / name).read_bytes()
    yield f"{stem}.data/scripts/hoopweb", SCRIPT.encode()
    needs = "".join(f"Requires-Dist: {one}\n" for one in project["dependencies"])
    yield (
        f"{stem}.dist-info/METADATA",
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
        f"Summary: {project['description']}\nRequires-Python: {project['requires-python']}\n{needs}".encode(),
    )
    yield (
        f"{stem}.dist-info/WHEEL",
        b"Wheel-Version: 1.0\nGenerator: hoopweb\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    )


def _digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def _write(wheel: zipfile.ZipFile, path: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(path, _WHEN)
    entry.compress_type = zipfile.ZIP_DEFLATED
    # pip makes a script executable only where the archive says that it is a regular file.
    entry.external_attr = (stat.S_IFREG | (0o755 if "/scripts/" in path else 0o644)) << 16
    wheel.writestr(entry, content)
