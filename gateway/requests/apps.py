"""The requests app."""

from django.apps import AppConfig


class RequestsConfig(AppConfig):
    name = "gateway.requests"
    label = "requests"
