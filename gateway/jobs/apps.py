"""The masking jobs app."""

from django.apps import AppConfig


class JobsConfig(AppConfig):
    name = "gateway.jobs"
    label = "jobs"
