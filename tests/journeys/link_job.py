"""What an agent runs in its shell: a program with boto3 that calls a few times, waits, and calls again.

`python link_job.py NAME COUNT FILE` reads the items NAME/0 ... of the storms' table, half of them at once and the rest as
soon as FILE exists. Nothing of hoopweb is in it: endpoint and keys come from its AWS profile.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import boto3

TABLE = "journey-storms"
PATIENCE_SECONDS = 120.0


def main(name: str, count: int, signal: Path) -> None:
    client = boto3.client("dynamodb")
    until = time.monotonic() + PATIENCE_SECONDS
    for number in range(count):
        while number >= count // 2 and not signal.exists() and time.monotonic() < until:
            time.sleep(0.02)
        client.get_item(TableName=TABLE, Key={"id": {"S": f"{name}/{number}"}})
        # Other conversations speak in between.
        time.sleep(0.05)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
