"""What a rule can look at: each attribute of principal, resource and context, as an author would use it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from gateway.engine import entities
from gateway.engine.schema import CONTEXT
from gateway.terms import AccessClass, Action, Effect, LinkLevel, Principal, PrincipalKind, SessionCounters
from tests.engine.questions import ALICE, ANYTHING, HOOPWEB, PIPELINE, answer, bucket, candidate, question


def holds(condition: str, **changes: Any) -> bool:
    """Whether a permit on that condition lets an everyday question pass; `call_...` changes its reading."""
    of_call = {key.removeprefix("call_"): changes.pop(key) for key in [*changes] if key.startswith("call_")}
    rule = f'@id("a") permit (principal, action, resource) when {{ {condition} }};'
    decision = answer(rule, to=question(candidate(**of_call), **changes))
    assert decision.errors == ()
    return decision.effect is Effect.ALLOW


def test_the_context_made_is_the_context_checked() -> None:
    assert CONTEXT["attributes"].keys() == entities.CONTEXT_ATTRIBUTES


@pytest.mark.parametrize(("principal", "kind"), [(ALICE, "Person"), (PIPELINE, "ServiceAccount"), (HOOPWEB, "System")])
def test_a_principal_is_a_person_a_service_account_or_the_system(principal: Principal, kind: str) -> None:
    for each in ("Person", "ServiceAccount", "System"):
        assert holds(f"principal is Hoopweb::{each}", principal=principal) is (each == kind)


def test_a_principal_is_in_its_groups() -> None:
    assert holds('principal in Hoopweb::Group::"developers"')
    assert not holds('principal in Hoopweb::Group::"security"')
    assert holds('context.groups.contains("developers")')


def test_a_principal_is_named_by_id_and_known_by_label() -> None:
    assert holds(f'principal == Hoopweb::Person::"{ALICE.id}"')
    assert holds('principal.label == "alice@acme.example" && context.person.label == principal.label')
    assert holds(f'context.person.id == "{ALICE.id}"')


def test_the_agent_is_there_only_when_one_acts() -> None:
    by_hand = replace(ALICE, agent_id=None, agent_label=None)
    assert holds('context has agent && context.agent.label == "claude-code"')
    assert holds(f'context has agent && context.agent.id == "{ALICE.agent_id}"')
    assert not holds("context has agent", principal=by_hand)


def test_an_action_is_in_its_class_and_its_service() -> None:
    assert holds('action in Action::"class:Read" && action in Action::"service:s3"')
    assert not holds('action in Action::"class:Write" || action in Action::"service:sqs"')
    assert holds('action == Action::"s3:GetObject"')


def test_a_resource_has_arn_service_account_and_region() -> None:
    queue = replace(bucket("x"), arn="arn:aws:sqs:eu-west-1:1:q", service="sqs", account="1", region="eu-west-1")
    assert holds('resource.arn like "arn:aws:s3:::rep*" && resource.account == "" && resource.region == ""')
    assert holds(
        'resource.service == "sqs" && resource.account == "1" && resource.region == "eu-west-1"',
        call_resources=(queue,),
    )
    assert holds('resource == Hoopweb::Resource::"arn:aws:s3:::reports"')


def test_the_operation_is_known_beside_its_actions() -> None:
    assert holds('context.operation == "s3:GetObject" && context.service == "s3" && context.access == "Read"')
    assert holds('context.operation == "s3:CopyObject"', call_operation="s3:CopyObject")


def test_effective_actions_can_be_looked_at_by_name() -> None:
    passing = (Action(name="iam:PassRole", access=AccessClass.READ),)
    assert holds('context.effective.contains("iam:PassRole")', call_effective=passing)
    assert holds("context.effective.isEmpty()")


def test_delegated_calls_are_seen_as_such() -> None:
    assert holds("context.delegated", call_is_delegated=True)
    assert not holds("context.delegated")


def test_members_the_model_does_not_know_are_listed() -> None:
    assert holds('context.unknown_members.contains("Extra")', call_unknown_members=("Extra",))


@pytest.mark.parametrize(("level", "rank"), [("A", 4), ("B", 3), ("C", 2), ("D", 1)])
def test_a_link_level_has_a_rank_to_compare(level: str, rank: int) -> None:
    assert holds(f'context.link.level == "{level}" && context.link.rank == {rank}', link=LinkLevel(level))


def test_a_policy_can_demand_a_link_level() -> None:
    assert holds("context.link.rank >= 3", link=LinkLevel.BOUND)
    assert not holds("context.link.rank >= 3", link=LinkLevel.DECLARED)


def test_a_turn_is_a_persons_or_a_machines() -> None:
    assert holds('context.turn == "human"')
    assert holds('context.turn == "machine"', is_machine_turn=True)


def test_the_connection_is_known_by_label_account_and_region() -> None:
    assert holds('context.connection.label == "production" && context.connection.account == "111122223333"')
    assert holds('context.connection.region == "eu-west-1"')


@pytest.mark.parametrize(
    ("address", "network", "inside"),
    [
        ("192.0.2.7", "192.0.2.0/24", True),
        ("198.51.100.1", "192.0.2.0/24", False),
        ("::ffff:192.0.2.7", "192.0.2.0/24", True),
        ("fe80::1%eth0", "fe80::/10", True),
        ("2001:db8::1", "192.0.2.0/24", False),
    ],
)
def test_the_source_address_is_compared_with_networks(address: str, network: str, inside: bool) -> None:
    condition = f'context has source_ip && context.source_ip.isInRange(ip("{network}"))'
    assert holds(condition, source_address=address) is inside


@pytest.mark.parametrize("address", ["", "unix:", "999.1.1.1", "192.0.2.7/8"])
def test_what_is_no_address_is_not_there_to_compare(address: str) -> None:
    assert not holds("context has source_ip", source_address=address)
    assert holds(f'context.source == "{address}"', source_address=address)


def test_the_hour_is_utc() -> None:
    assert holds("context.hour >= 8 && context.hour < 18", hour_utc=8)
    assert not holds("context.hour >= 8 && context.hour < 18", hour_utc=18)


@pytest.mark.parametrize("counter", ["calls", "distinct_resources", "bytes_out", "deletes", "secrets_masked"])
def test_each_session_counter_can_be_bounded(counter: str) -> None:
    seven: dict[str, Any] = {counter: 7}
    assert holds(f"context.session.{counter} == 7", session=SessionCounters(**seven))
    assert not holds(f"context.session.{counter} == 7")


def test_a_sessions_taint_can_be_looked_at() -> None:
    assert holds('context.session.taint.contains("web")', session=SessionCounters(taint=("web",)))


PARAMETERS = {
    "Bucket": "reports",
    "Enabled": False,
    "Count": 3,
    "Ratio": 0.5,
    "Nothing": None,
    "Tags": [{"Key": "env", "Value": "prod"}, {"Key": "team", "Value": "data"}],
    "Body": b"\x00",
}


@pytest.mark.parametrize(
    "condition",
    [
        'context.parameters.contains("Bucket=reports")',
        'context.parameters.contains("Enabled=false")',
        'context.parameters.containsAll(["Count=3", "Ratio=0.5"])',
        'context.parameters.contains("Tags[].Key=team")',
        'context.parameters.contains("Body=(bytes)")',
        'context.input.hasTag("Bucket") && context.input.getTag("Bucket") like "rep*"',
        'context.input.hasTag("Tags[1].Value") && context.input.getTag("Tags[1].Value") == "data"',
        '!context.input.hasTag("Nothing") && !context.input.hasTag("Absent")',
    ],
)
def test_parameters_are_seen_as_a_set_of_path_and_value_and_one_by_one(condition: str) -> None:
    assert holds(condition, call_parameters=PARAMETERS)


def test_a_number_and_its_text_look_alike_so_a_rule_cannot_be_dodged_by_type() -> None:
    assert holds('context.parameters.contains("Count=3")', call_parameters={"Count": "3"})


@pytest.mark.parametrize(
    "parameters", [{"Items": ["x"] * 10_001}, {"Text": "x" * 1_048_577}, {"A": {"A": {}}}], ids=["many", "long", "deep"]
)
def test_parameters_past_what_a_rule_can_look_at_deny_where_a_rule_looks(parameters: dict[str, Any]) -> None:
    if "A" in parameters:
        for _ in range(70):
            parameters = {"A": parameters}
        parameters = {"A": [parameters]}
    looks = '@id("looks") forbid (principal, action, resource) when { context.parameters.contains("Deep=1") };'
    asked = question(candidate(parameters=parameters))
    assert answer(ANYTHING, looks, to=asked).reason == "too_many_parameters"
    assert answer(ANYTHING, to=asked).effect is Effect.ALLOW


def test_a_session_without_a_person_still_has_a_principal() -> None:
    assert holds('context.person.label == "hoopweb"', principal=replace(HOOPWEB, kind=PrincipalKind.SYSTEM))


def test_an_agent_acts_on_behalf_of_its_person_and_a_person_of_nobody() -> None:
    alice = Principal(kind=PrincipalKind.PERSON, id=UUID(int=1), label="alice")
    by_agent = replace(alice, agent_id=UUID(int=2), agent_label="cursor alice")
    asked = 'context has on_behalf_of && context.on_behalf_of.label == "alice"'
    assert holds(f'{asked} && context has agent && context.agent.label == "cursor alice"', principal=by_agent)
    assert not holds("context has on_behalf_of", principal=alice)
    pipeline = replace(by_agent, kind=PrincipalKind.SERVICE_ACCOUNT)
    assert not holds("context has on_behalf_of", principal=pipeline)
