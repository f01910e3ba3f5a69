"""The product's settings as mypy's Django plugin loads them, which needs models but no service.

Nothing runs on these; `make types` alone reads them.
"""

from __future__ import annotations

import os

os.environ.setdefault("HOOPWEB_DB_HOST", "nowhere")
os.environ.setdefault("HOOPWEB_SECRET_KEY_FILE", __file__)

# The plugin looks names up in this very module; and the variables above must be there first.
from hoopweb.settings import *  # noqa: F403
