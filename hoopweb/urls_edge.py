"""URLs of the web-edge process: the edge's API and the health check, nothing else."""

from __future__ import annotations

from django.urls import path

from gateway.requests import api
from hoopweb.health import healthz

urlpatterns = [
    path("healthz", healthz),
    path("api/edge/v1/enrol", api.EnrolView.as_view()),
    path("api/edge/v1/boots", api.BootView.as_view()),
    path("api/edge/v1/journal-keys", api.JournalKeysView.as_view()),
    path("api/edge/v1/key", api.KeyView.as_view()),
    path("api/edge/v1/admissions", api.AdmissionsView.as_view()),
    path("api/edge/v1/outcomes", api.OutcomesView.as_view()),
    path("api/edge/v1/feed", api.FeedView.as_view()),
]
