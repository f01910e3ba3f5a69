"""`manage.py demo_story`: play the demo against the running stack; the exit status says whether all went as told."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from hoopweb.story.steps import STEPS, new_story
from hoopweb.story.world import NotAsTold, World, read_env


class Command(BaseCommand):
    """Needs a running stack and its `demo.env`; touches neither database nor broker itself."""

    help = "Play the scripted agent's story against the running stack"
    requires_system_checks = ()

    def handle(self, *_args: Any, **_options: Any) -> None:
        demo = settings.STATE_DIR / "demo.env"
        access_log = Path(
            os.environ.get("HOOPWEB_ACCESS_LOG", str(settings.STATE_DIR / "log" / "standin-access.jsonl"))
        )
        told = new_story(World(read_env(demo), access_log=access_log))
        failed = 0
        for number, (title, step) in enumerate(STEPS, start=1):
            started = time.monotonic()
            self.stdout.write(f"{number:>2}. {title}")
            try:
                seen = step(told)
            except NotAsTold as failure:
                failed += 1
                self.stdout.write(self.style.ERROR(f"    NOT AS TOLD. {failure}"))
                continue
            self.stdout.write(f"    {seen}  ({time.monotonic() - started:.1f} s)")
        if failed:
            raise CommandError(f"{failed} of {len(STEPS)} steps went otherwise than told.")
        self.stdout.write(self.style.SUCCESS(f"All {len(STEPS)} steps went as told."))
