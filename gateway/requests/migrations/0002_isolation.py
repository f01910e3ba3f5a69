"""Row-level security of the requests room, and what an edge may look up about itself."""

from django.db import migrations

from gateway.tenants.isolation import CURRENT_EDGE, grant, isolate, policy


class Migration(migrations.Migration):
    dependencies = [
        ("requests", "0001_initial"),
        ("audit", "0002_ledger"),
        ("identity", "0002_isolation"),
        ("connections", "0002_isolation"),
        ("approvals", "0003_isolation"),
    ]
    operations = [
        *isolate(
            "requests_proxiedrequest",
            rights="SELECT, INSERT, UPDATE",
            references={
                "session_id": "audit_session",
                "prompt_id": "audit_prompt",
                "key_id": "identity_gatewaykey",
                "connection_id": "connections_connection",
            },
        ),
        # Outcomes and held calls come by id alone: an edge finds the tenant of what it brought itself.
        policy("requests_proxiedrequest", f"edge_id = {CURRENT_EDGE}", command="SELECT", name="hoopweb_lookup"),
        *isolate(
            "requests_storedbody",
            rights="SELECT, INSERT, DELETE",
            references={"request_id": "requests_proxiedrequest"},
        ),
        *isolate(
            "requests_approvedrun",
            rights="SELECT, INSERT, UPDATE",
            references={"request_id": "requests_proxiedrequest", "approval_id": "approvals_approvalrequest"},
        ),
        *isolate("requests_edgescope", rights="SELECT, INSERT, DELETE"),
        policy("requests_edgescope", f"edge_id = {CURRENT_EDGE}", command="SELECT", name="hoopweb_lookup"),
        grant("requests_edge", "SELECT, INSERT, UPDATE"),
        grant("requests_edgeboot", "SELECT, INSERT, UPDATE"),
        grant("requests_enrolmenttoken", "SELECT, INSERT, UPDATE"),
    ]
