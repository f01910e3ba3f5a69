"""Policy documents inside calls: whom they let in, wherever they stand and however they are written."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.engine.documents import reach_of_documents, reach_of_statement
from gateway.engine.facts import facts_of
from gateway.engine.reach import Reach, is_wide, reach_of
from gateway.terms import AccessClass
from tests.engine.questions import candidate

OWN, OTHER = "111122223333", "999988887777"
ANYBODY: dict[str, Any] = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "*"}


def reach(*statements: dict[str, Any]) -> Reach:
    return reach_of_documents({"Policy": json.dumps({"Version": "2012-10-17", "Statement": statements})}, OWN)


PRINCIPALS = [
    ("*", Reach.PUBLIC),
    ({"AWS": "*"}, Reach.PUBLIC),
    ({"AWS": [f"arn:aws:iam::{OWN}:root", "*"]}, Reach.PUBLIC),
    ({"AWS": "arn:aws:iam::*:root"}, Reach.PUBLIC),
    ({"aws": "*"}, Reach.PUBLIC),
    ({"Service": "*"}, Reach.PUBLIC),
    ({"AWS": {"Ref": "Somebody"}}, Reach.PUBLIC),
    ({"AWS": OTHER}, Reach.FOREIGN),
    ({"AWS": f"arn:aws:iam::{OTHER}:user/eve"}, Reach.FOREIGN),
    ({"AWS": "AIDAEXAMPLEUNIQUEID12"}, Reach.FOREIGN),
    ({"CanonicalUser": "79a59df900b949e55d96a1e698fb"}, Reach.FOREIGN),
    ({"Federated": "arn:aws:iam::111122223333:oidc-provider/token.actions.example"}, Reach.PUBLIC),
    ({"AWS": OWN}, Reach.OWN),
    ({"AWS": f"arn:aws:iam::{OWN}:role/reader"}, Reach.OWN),
    ({"AWS": "arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity E1"}, Reach.OWN),
    ({"Service": "cloudtrail.amazonaws.com"}, Reach.OWN),
]


@pytest.mark.parametrize(("principal", "expected"), PRINCIPALS)
def test_a_statement_reaches_as_far_as_its_widest_principal(principal: Any, expected: Reach) -> None:
    assert reach(ANYBODY | {"Principal": principal}) is expected


CONDITIONS = [
    ({"StringEquals": {"aws:PrincipalAccount": OWN}}, Reach.OWN),
    ({"StringEquals": {"AWS:SourceAccount": [OWN, OTHER]}}, Reach.FOREIGN),
    ({"ArnLike": {"aws:SourceArn": f"arn:aws:sns:eu-west-1:{OWN}:*"}}, Reach.OWN),
    ({"ArnLike": {"aws:SourceArn": "arn:aws:sns:eu-west-1:*:topic"}}, Reach.PUBLIC),
    ({"ArnLike": {"aws:PrincipalArn": "*"}}, Reach.PUBLIC),
    ({"StringEquals": {"aws:PrincipalOrgID": "o-abc123"}}, Reach.FOREIGN),
    ({"StringLike": {"aws:PrincipalOrgID": "*"}}, Reach.PUBLIC),
    ({"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": "o-abc123/r-1/*"}}, Reach.FOREIGN),
    ({"StringEquals": {"aws:SourceVpce": "vpce-1"}}, Reach.FOREIGN),
    ({"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}, Reach.FOREIGN),
    ({"IpAddress": {"aws:SourceIp": ["192.0.2.0/24", "0.0.0.0/0"]}}, Reach.PUBLIC),
    ({"Bool": {"aws:SecureTransport": "true"}}, Reach.PUBLIC),
    ({"StringNotEquals": {"aws:PrincipalAccount": OWN}}, Reach.PUBLIC),
    ({"StringEqualsIfExists": {"aws:PrincipalAccount": OWN}}, Reach.PUBLIC),
    ({"ForAllValues:StringEquals": {"aws:PrincipalAccount": OWN}}, Reach.PUBLIC),
    ({"StringEquals": {"aws:PrincipalAccount": []}}, Reach.PUBLIC),
    ({"StringLike": {"aws:PrincipalAccount": "1111*"}}, Reach.PUBLIC),
    ({"StringEquals": {"s3:prefix": "public/"}}, Reach.PUBLIC),
    ("none", Reach.PUBLIC),
]


@pytest.mark.parametrize(("condition", "expected"), CONDITIONS)
def test_only_a_condition_on_who_calls_narrows_everybody(condition: Any, expected: Reach) -> None:
    assert reach(ANYBODY | {"Condition": condition}) is expected


def test_conditions_hold_together_so_the_narrowest_counts() -> None:
    both = {"Bool": {"aws:SecureTransport": "true"}, "StringEquals": {"aws:SourceAccount": OWN}}
    assert reach(ANYBODY | {"Condition": both}) is Reach.OWN


def test_a_condition_never_widens() -> None:
    own = ANYBODY | {"Principal": {"AWS": OWN}, "Condition": {"StringEquals": {"aws:SourceAccount": OTHER}}}
    assert reach(own) is Reach.OWN


def test_an_identity_provider_with_a_condition_still_lets_strangers_in() -> None:
    trust = {
        "Principal": {"Federated": "cognito-identity.amazonaws.com"},
        "Condition": {"StringEquals": {"a:aud": "1"}},
    }
    assert reach(ANYBODY | trust) is Reach.FOREIGN


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        (ANYBODY | {"Effect": "Deny"}, Reach.OWN),
        ({"Effect": "Allow", "Action": "*", "Resource": "*"}, Reach.OWN),
        ({"Effect": "Allow", "NotPrincipal": {"AWS": OWN}, "Action": "*"}, Reach.PUBLIC),
        ({"Principal": "*"}, Reach.PUBLIC),
        ({"EFFECT": "allow", "PRINCIPAL": {"AWS": "*"}}, Reach.PUBLIC),
    ],
    ids=["deny", "identity", "everyone-but", "no-effect", "capitals"],
)
def test_what_is_no_grant_reaches_nobody_and_what_may_be_one_everybody(
    statement: dict[str, Any], expected: Reach
) -> None:
    assert reach_of_statement(statement, OWN) is expected


def test_one_statement_among_many_is_enough() -> None:
    assert reach(ANYBODY | {"Principal": {"AWS": OWN}}, ANYBODY) is Reach.PUBLIC


OPEN = json.dumps({"Statement": ANYBODY})


@pytest.mark.parametrize(
    "parameters",
    [
        {"Attributes": {"Policy": OPEN}},
        {"AttributeName": "Policy", "AttributeValue": OPEN},
        {"ResourcePolicy": f"  \n{OPEN}"},
        {"PolicyInJson": f"\ufeff{OPEN}"},
        {"Policy": json.loads(OPEN)},
        {"DesiredState": json.dumps({"PolicyDocument": json.loads(OPEN)})},
        {"TemplateBody": json.dumps({"Resources": {"B": {"Properties": {"PolicyDocument": OPEN}}}})},
        {"Policy": OPEN.replace("Statement", "\\u0053tatement")},
        {"Policy": OPEN.replace('"Statement"', '"statement"')},
        {"Entries": [{"Text": OPEN}]},
    ],
)
def test_a_document_is_found_wherever_it_stands(parameters: dict[str, Any]) -> None:
    assert reach_of_documents(parameters, OWN) is Reach.PUBLIC


@pytest.mark.parametrize(
    "text",
    [
        OPEN[:-1],
        '{"Statement": "all"}',
        '{"Statement": [1]}',
        '{"Statement": [], "statement": [{"Effect": "Allow", "Principal": "*"}]}',
        '{"Statement": [{"Effect": "Deny", "Effect": "Allow", "Principal": "*"}]}',
        '{"a":' * 20_000 + '"Statement"' + "}" * 20_000,
    ],
    ids=["cut", "text", "number", "twice", "two-effects", "deep"],
)
def test_a_document_that_cannot_be_read_in_one_way_counts_as_open(text: str) -> None:
    assert reach_of_documents({"Policy": text}, OWN) is Reach.PUBLIC


def test_a_document_inside_many_texts_counts_as_open() -> None:
    text = json.dumps({"Statement": []})
    for _ in range(6):
        text = json.dumps({"Inner": text})
    assert reach_of_documents({"Policy": text}, OWN) is Reach.PUBLIC


@pytest.mark.parametrize(
    "text",
    ["", "statement of work", '{"path": "C:\\x"', "{not json}", '{"State": "\\u0041"}', "[1, 2]", '{"a": 1, "A": 2}'],
)
def test_other_text_grants_nothing(text: str) -> None:
    assert reach_of_documents({"Description": text}, OWN) is Reach.OWN


@pytest.mark.parametrize("operation", ["dynamodb:PutItem", "sqs:SendMessage", "logs:PutLogEvents"])
def test_data_that_quotes_a_policy_grants_nothing(operation: str) -> None:
    facts = facts_of(candidate(operation, AccessClass.WRITE, parameters={"Item": OPEN}), account=OWN)
    assert not facts.public_access


@pytest.mark.parametrize(
    ("cidr", "wide"),
    [
        ("0.0.0.0/0", True),
        ("::/0", True),
        ("0.0.0.0/1", True),
        ("3.0.0.0/8", True),
        ("2000::/3", True),
        ("0/0", True),
        ("", True),
        ("10.0.0.0/8", False),
        ("172.16.0.0/12", False),
        ("192.0.2.7", False),
        ("192.0.2.7/24", False),
        ("fd00::/8", False),
        ("2001:db8::/32", False),
    ],
)
def test_a_range_is_wide_when_it_holds_strangers(cidr: str, wide: bool) -> None:
    assert is_wide(cidr) is wide


@pytest.mark.parametrize("grantee", ["arn:aws:s3:::bucket", "arn:short", "r-root", "eve@example.org", f" {OTHER} "])
def test_a_grantee_nobody_knows_is_somebody_else(grantee: str) -> None:
    assert reach_of(grantee, OWN) is Reach.FOREIGN


@settings(max_examples=100, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text() | st.just("*") | st.just(OPEN),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["Statement", "Principal", "AWS", "Effect", "Condition", "StringEquals", "aws:SourceArn", "x"]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_any_document_has_a_reach(value: Any) -> None:
    """Parameters come from outside: no shape of them may break the decision."""
    assert reach_of_documents({"Policy": value}, OWN) in Reach
    assert reach_of_documents({"Policy": json.dumps(value)}, OWN) in Reach
