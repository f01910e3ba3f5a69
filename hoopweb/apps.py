"""The project's own app: it makes the Celery application known to every process that writes to the outbox."""

from django.apps import AppConfig


class HoopwebConfig(AppConfig):
    name = "hoopweb"

    def ready(self) -> None:
        # Importing sets the current app; without it a page's vote would announce itself to a broker nobody reads.
        import hoopweb.celery  # noqa: F401
