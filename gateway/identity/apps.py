"""The identity app."""

from django.apps import AppConfig


class IdentityConfig(AppConfig):
    name = "gateway.identity"
    label = "identity"
