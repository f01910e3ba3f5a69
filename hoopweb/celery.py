"""The Celery application. Beat's schedule is here, the tasks beside their rooms."""

from __future__ import annotations

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hoopweb.settings")
app = Celery("hoopweb")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(
    ["gateway.tenants", "gateway.identity", "gateway.requests", "gateway.jobs", "approvals", "audit", "hoopweb"]
)
app.conf.beat_schedule = {
    # The outbox is published after each commit; this finds what a crash or a lost broker left behind.
    "publish-outbox": {"task": "gateway.requests.tasks.sweep_outbox", "schedule": 5.0},
    "expire-approvals": {"task": "gateway.requests.tasks.expire_approvals", "schedule": 5.0},
    "fence-silent-edges": {"task": "gateway.requests.tasks.fence_silent_edges", "schedule": 5.0},
    "warn-of-ending-keys": {"task": "gateway.identity.tasks.warn_of_ending_keys", "schedule": 3600.0},
    # Two seconds: somebody may be asked for an answer that a client waits for. A turn the next one overtook is dropped.
    "follow-ledgers": {"task": "approvals.tasks.follow_ledgers", "schedule": 2.0, "options": {"expires": 10}},
    "sweep-jobs": {"task": "gateway.jobs.tasks.sweep_jobs", "schedule": 5.0},
    "keep-access-reviews": {"task": "hoopweb.tasks.keep_access_reviews", "schedule": 3600.0},
    "tidy-notices": {"task": "approvals.tasks.tidy_notices", "schedule": 3600.0},
    "ledger-partitions": {"task": "audit.tasks.ensure_partitions", "schedule": 3600.0},
    "erase-old-prompts": {"task": "audit.tasks.erase_old_prompts", "schedule": 3600.0},
}
