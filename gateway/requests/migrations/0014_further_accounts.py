"""A key brings the further accounts its connection may reach."""

from importlib import import_module

from django.db import migrations

_BEFORE: str = import_module("gateway.requests.migrations.0012_keys_by_index")._VIEW
_LAST = "tu.signed_at AS last_sign"
_VIEW = _BEFORE.replace(_LAST, f"{_LAST}, c.further_accounts")


class Migration(migrations.Migration):
    dependencies = [("requests", "0013_sightings"), ("connections", "0006_further_accounts")]
    # A column cannot be taken back out of a view: going back, 0004 drops it whole.
    operations = [migrations.RunSQL(_VIEW, migrations.RunSQL.noop)]
