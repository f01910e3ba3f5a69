"""The sealing app."""

from django.apps import AppConfig


class SealingConfig(AppConfig):
    name = "gateway.sealing"
    label = "sealing"
