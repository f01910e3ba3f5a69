"""A key brings its tenant's own detectors, packed."""

from importlib import import_module

from django.db import migrations

_BEFORE: str = import_module("gateway.requests.migrations.0014_further_accounts")._VIEW
_LAST = "c.further_accounts"
_VIEW = _BEFORE.replace(
    f", {_LAST}\n",
    f", {_LAST},\n       (SELECT l.packed FROM policy_livedetectors l WHERE l.tenant_id = k.tenant_id) AS detectors\n",
)


class Migration(migrations.Migration):
    dependencies = [("requests", "0014_further_accounts"), ("policy", "0004_detectors")]
    # A column cannot be taken back out of a view: going back, 0004 drops it whole.
    operations = [migrations.RunSQL(_VIEW, migrations.RunSQL.noop)]
