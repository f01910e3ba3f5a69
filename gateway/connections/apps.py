"""The connections app."""

from django.apps import AppConfig


class ConnectionsConfig(AppConfig):
    name = "gateway.connections"
    label = "connections"
