"""The project's own app: it makes the Celery application known to every process that writes to the outbox."""

from django.apps import AppConfig
from django.core.checks import register


class HoopwebConfig(AppConfig):
    name = "hoopweb"

    def ready(self) -> None:
        # Importing sets the current app; without it a page's vote would announce itself to a broker nobody reads.
        import hoopweb.celery  # noqa: F401
        from gateway.identity import finding
        from hoopweb.checks import names_model_can_be_used
        from hoopweb.period import BESIDE

        register(names_model_can_be_used)
        finding.read_beside(BESIDE)
