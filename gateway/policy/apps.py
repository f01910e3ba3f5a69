"""The policy app."""

from django.apps import AppConfig


class PolicyConfig(AppConfig):
    name = "gateway.policy"
    label = "policy"
