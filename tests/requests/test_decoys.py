"""A decoy's later use in a call is refused and found: for which prompt, person and moment it was handed out."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from gateway.connections.models import Connection
from gateway.masking.content import wanted_by
from gateway.masking.decoy_watch import Found, in_value
from gateway.masking.replacement import Writing
from gateway.requests.decoys import decoy_key
from gateway.requests.models import IssuedDecoys, ProxiedRequest
from gateway.tenants.models import Tenant
from gateway.tenants.scope import in_tenant
from gateway.terms import OutcomeKind, Protocol
from gateway.wire.contract import Admission, BodyForm, MaskPlan, VerdictKind
from tests.connections.strict_sts import StrictSts
from tests.requests.test_allowed import upstream_of
from tests.requests.test_mask_tokens_stored import upload
from tests.requests.test_outcomes import outcome, store
from tests.requests.test_refused import refusal
from tests.requests.world import EVERYTHING, EdgeLife, Keys, events_of, kinds_of, publish_text, row_of

DECOYS = '@id("decoys") @mask("decoy") permit (principal, action, resource);'


def issued(edge: EdgeLife, keys: Keys) -> tuple[Admission, MaskPlan]:
    """A read whose answer may hold decoys, and its plan."""
    admission = keys.call("secretsmanager", "get_secret_value", SecretId="prod/db")
    verdict = edge.admit_one(admission)
    assert verdict.mask is not None
    return admission, verdict.mask


def written(plan: MaskPlan, kind: str = "password", value: str = "s3cret") -> str:
    """What the edge writes for a value."""
    writing: Writing = wanted_by(plan).writing
    return writing.text(kind, value)


@pytest.fixture
def decoy(ready: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant) -> str:
    """A password the agent was given in an answer; policy asks for no more of them afterwards."""
    publish_text(acme, DECOYS)
    _, plan = issued(edge, keys)
    publish_text(acme, EVERYTHING)
    return written(plan)


def findings(acme: Tenant, admission: Admission) -> list[dict[str, Any]]:
    return [facts for kind, facts in events_of(acme, admission.id) if kind == "decoy.used"]


# -- handed out


def test_nothing_of_it_is_there_unless_policy_asks(ready: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant) -> None:
    _, plan = issued(edge, keys)
    assert (plan.decoy_key, plan.decoy_tag) == (b"", 0)
    assert written(plan) == "[REDACTED:password]"
    with in_tenant(acme):
        assert not IssuedDecoys.objects.for_tenant(acme).exists()


def test_each_response_has_a_tag_of_its_own_written_down_before(
    ready: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant
) -> None:
    publish_text(acme, '@id("some") @mask("password, email, decoy") permit (principal, action, resource);')
    (first, one), (second, other) = issued(edge, keys), issued(edge, keys)
    assert one.masks == ("email-decoy", "password-decoy")
    assert one.decoy_key == other.decoy_key
    assert one.decoy_tag != other.decoy_tag
    with in_tenant(acme):
        kept = {row.request_id: row.tag for row in IssuedDecoys.objects.for_tenant(acme)}
    assert kept == {first.id: one.decoy_tag, second.id: other.decoy_tag}
    (_, facts) = events_of(acme, first.id)[-1]
    assert facts["decoy_tag"] == one.decoy_tag


def test_a_batch_sent_again_has_the_same_tag(ready: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant) -> None:
    publish_text(acme, DECOYS)
    admission, plan = issued(edge, keys)
    again = edge.admit_one(admission).mask
    assert again is not None
    assert again.decoy_tag == plan.decoy_tag


# -- used

USES: list[tuple[str, str, str, dict[str, Any]]] = [
    ("write", "ssm", "put_parameter", {"Name": "n", "Value": "x {} y", "Type": "SecureString"}),
    ("read", "dynamodb", "get_item", {"TableName": "t", "Key": {"id": {"S": "{}"}}}),
    ("blob", "lambda", "invoke", {"FunctionName": "f", "Payload": b'{"password":"{}"}'}),
    ("query", "ec2", "create_tags", {"Resources": ["i-1"], "Tags": [{"Key": "a", "Value": "{}"}]}),
    ("path", "s3", "get_object", {"Bucket": "bucket", "Key": "backup/{}/x"}),
    ("header", "s3", "head_object", {"Bucket": "bucket", "Key": "k", "IfMatch": "{}"}),
]


def filled(value: Any, decoy: str) -> Any:
    match value:
        case dict():
            return {name: filled(child, decoy) for name, child in value.items()}
        case list():
            return [filled(child, decoy) for child in value]
        case bytes():
            return value.replace(b"{}", decoy.encode())
        case _:
            return value.replace("{}", decoy)


@pytest.mark.parametrize(("where", "service", "operation", "parameters"), USES, ids=[one[0] for one in USES])
def test_its_use_is_refused_and_the_finding_names_where_it_came_from(
    decoy: str,
    edge: EdgeLife,
    keys: Keys,
    acme: Tenant,
    where: str,
    service: str,
    operation: str,
    parameters: dict[str, Any],
) -> None:
    admission = keys.call(service, operation, **filled(parameters, decoy))
    verdict = edge.admit_one(admission)
    assert verdict.kind is VerdictKind.REFUSE
    row = row_of(acme, admission)
    assert (row.refusal_code, row.state) == ("requests.decoy_used", "refused")
    (found,) = findings(acme, admission)
    with in_tenant(acme):
        given = IssuedDecoys.objects.for_tenant(acme).get()
        source = ProxiedRequest.objects.for_tenant(acme).get(pk=given.request_id)
    assert found["decoy"] == f"word-20:{given.tag}"
    assert found["issued_request"] == str(given.request_id)
    assert found["issued_at"] == source.decided_at.isoformat()
    assert found["issued_person"] == source.person_label != ""
    assert (found["issued_operation"], found["where"]) == ("secretsmanager:GetSecretValue", "request")
    assert (found["operation"], found["code"]) == (row.operation, "requests.decoy_used")
    assert kinds_of(acme, admission) == ["decoy.used", "request.refused"]


def test_the_agent_is_told_what_it_holds_and_nothing_of_it_is_recorded(
    decoy: str, edge: EdgeLife, keys: Keys, acme: Tenant
) -> None:
    admission = keys.call("ssm", "put_parameter", Name="n", Value=decoy, Type="SecureString")
    assert "in place of a secret" in refusal(edge.admit_one(admission))
    assert decoy not in json.dumps(events_of(acme))
    assert decoy not in json.dumps(row_of(acme, admission).parameters)


def test_basic_authorisation_hides_it_not(decoy: str, edge: EdgeLife, keys: Keys, acme: Tenant) -> None:
    basic = base64.b64encode(f"app:{decoy}".encode()).decode()
    admission = keys.call("ssm", "put_parameter", Name="n", Value=f"Basic {basic}", Type="String")
    edge.admit_one(admission)
    assert [one["decoy"].split(":")[0] for one in findings(acme, admission)] == ["word-20"]


def test_it_is_not_even_asked_about(decoy: str, edge: EdgeLife, keys: Keys, acme: Tenant) -> None:
    ask = '@id("asks") @effect("ask") @approvers("operators") forbid (principal, action, resource);'
    publish_text(acme, EVERYTHING + ask)
    admission = keys.call("ssm", "put_parameter", Name="n", Value=decoy, Type="String")
    edge.admit_one(admission)
    assert row_of(acme, admission).refusal_code == "requests.decoy_used"


def test_a_call_that_policy_refuses_anyway_is_found_too(decoy: str, edge: EdgeLife, keys: Keys, acme: Tenant) -> None:
    publish_text(acme, '@id("none") forbid (principal, action, resource);')
    admission = keys.call("ssm", "put_parameter", Name="n", Value=decoy, Type="String")
    edge.admit_one(admission)
    assert row_of(acme, admission).refusal_code == "policy.denied"
    assert len(findings(acme, admission)) == 1


def test_a_call_that_is_refused_before_it_is_understood_is_found_too(
    decoy: str, edge: EdgeLife, keys: Keys, acme: Tenant
) -> None:
    elsewhere = keys.call("ssm", "put_parameter", region="ap-south-2", Name="n", Value=decoy, Type="String")
    edge.admit_one(elsewhere)
    assert row_of(acme, elsewhere).refusal_code not in ("", "requests.decoy_used")
    assert len(findings(acme, elsewhere)) == 1


def test_a_rule_may_let_it_pass_and_the_finding_stays(decoy: str, edge: EdgeLife, keys: Keys, acme: Tenant) -> None:
    publish_text(acme, '@id("bait") @clear("decoys") permit (principal, action, resource);')
    admission = keys.call("ssm", "put_parameter", Name="n", Value=decoy, Type="String")
    assert edge.admit_one(admission).kind is VerdictKind.FORWARD
    (found,) = findings(acme, admission)
    assert found["code"] == ""
    assert kinds_of(acme, admission) == ["decoy.used", "request.admitted"]


def test_a_connection_that_only_observes_forwards_and_finds(
    decoy: str, edge: EdgeLife, keys: Keys, acme: Tenant, billing_account: Connection
) -> None:
    with in_tenant(acme):
        Connection.objects.for_tenant(acme).filter(pk=billing_account.pk).update(observe_only=True)
    admission = keys.call("ssm", "put_parameter", Name="n", Value=decoy, Type="String")
    assert edge.admit_one(admission).kind is VerdictKind.FORWARD
    assert len(findings(acme, admission)) == 1


def test_sent_again_it_is_refused_again_and_told_of_once(decoy: str, edge: EdgeLife, keys: Keys, acme: Tenant) -> None:
    admission = keys.call("ssm", "put_parameter", Name="n", Value=decoy, Type="String")
    assert refusal(edge.admit_one(admission)) == refusal(edge.admit_one(admission))
    assert len(findings(acme, admission)) == 1


def test_in_a_batch_each_call_is_judged_alone(decoy: str, edge: EdgeLife, keys: Keys, acme: Tenant) -> None:
    carrying = keys.call("ssm", "put_parameter", Name="n", Value=decoy, Type="String")
    clean = keys.call("ssm", "put_parameter", Name="n", Value="plain", Type="String")
    refused, forwarded = edge.admit(carrying, clean)
    assert (refused.kind, forwarded.kind) == (VerdictKind.REFUSE, VerdictKind.FORWARD)
    assert (len(findings(acme, carrying)), findings(acme, clean)) == (1, [])


def test_clean_calls_and_other_words_raise_no_alarm(decoy: str, edge: EdgeLife, keys: Keys, acme: Tenant) -> None:
    admission = keys.call("ssm", "put_parameter", Name="n", Value=decoy[:-1] + "_", Type="String")
    assert edge.admit_one(admission).kind is VerdictKind.FORWARD
    assert findings(acme, admission) == []


def test_another_tenants_decoys_are_not_known_here(
    decoy: str, edge: EdgeLife, keys: Keys, acme: Tenant, globex: Tenant
) -> None:
    key = decoy_key(globex.pk)
    assert list(in_value(key, decoy)) == []
    theirs = written(
        MaskPlan(protocol=Protocol.JSON, body=BodyForm.STRUCTURE, masks=("all-decoy",), decoy_key=key, decoy_tag=5)
    )
    admission = keys.call("ssm", "put_parameter", Name="n", Value=theirs, Type="String")
    assert edge.admit_one(admission).kind is VerdictKind.FORWARD
    assert findings(acme, admission) == []


# -- in uploads, which the edge streams


def test_the_edge_looks_for_them_in_an_objects_bytes(decoy: str, edge: EdgeLife, keys: Keys, acme: Tenant) -> None:
    up = upstream_of(edge.admit_one(upload(keys)))
    assert (up.decoy_key, up.refuses_decoys) == (decoy_key(acme.pk), True)
    publish_text(acme, '@id("bait") @clear("decoys") permit (principal, action, resource);')
    up = upstream_of(edge.admit_one(upload(keys)))
    assert (len(up.decoy_key), up.refuses_decoys) == (32, False)


def test_and_not_where_none_was_ever_handed_out(ready: StrictSts, edge: EdgeLife, keys: Keys) -> None:
    assert upstream_of(edge.admit_one(upload(keys))).decoy_key == b""


def test_what_the_edge_met_is_found(decoy: str, edge: EdgeLife, keys: Keys, acme: Tenant) -> None:
    with in_tenant(acme):
        tag = IssuedDecoys.objects.for_tenant(acme).get().tag
    admission = upload(keys)
    edge.admit_one(admission)
    told = outcome(
        admission,
        kind=OutcomeKind.NOT_SENT,
        error="requests.decoy_used",
        decoys=(str(Found("word-20", tag)), "word-20:nonsense", "x" * 9000),
    )
    store(edge, told)
    store(edge, told)
    (found,) = findings(acme, admission)
    assert (found["where"], found["issued_operation"]) == ("upload", "secretsmanager:GetSecretValue")
    assert found["code"] == "requests.decoy_used"
    assert kinds_of(acme, admission) == ["request.admitted", "decoy.used", "request.not_sent"]


def test_a_tag_that_was_never_issued_is_told_of_without_a_source(
    decoy: str, edge: EdgeLife, keys: Keys, acme: Tenant
) -> None:
    admission = upload(keys)
    edge.admit_one(admission)
    store(edge, outcome(admission, decoys=("word-20:1",)))
    (found,) = findings(acme, admission)
    assert "issued_request" not in found
