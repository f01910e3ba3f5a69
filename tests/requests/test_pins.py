"""What a call names is pinned when people are asked, shown to them, and must still be so when it runs."""

from __future__ import annotations

import io
import uuid
import zipfile
from typing import Any

import pytest

from gateway.requests.asking import session_ask
from gateway.requests.examine import Examined
from gateway.requests.models import ApprovedRun
from gateway.requests.pins import Pin, Pinned, changed, pin
from gateway.tenants.models import Tenant
from gateway.tenants.scope import in_tenant
from gateway.terms import OutcomeKind
from gateway.wire.contract import Admission, VerdictKind
from tests.requests.asking import Asking
from tests.requests.examined import examined_of
from tests.requests.world import EVERYTHING, events_of, publish_text, row_of

ASK_ALL = """
@id("these-ask") @effect("ask") @approvers("operators")
forbid (principal, action in [Action::"s3:PutObject", Action::"ec2:RunInstances", Action::"lambda:InvokeFunction",
  Action::"ssm:SendCommand", Action::"states:StartExecution"], resource);
"""


@pytest.fixture
def pinning(asking: Asking, acme: Tenant) -> Asking:
    publish_text(acme, EVERYTHING + ASK_ALL)
    return asking


@pytest.fixture
def bucket(asking: Asking) -> str:
    name = f"pins-{uuid.uuid4().hex[:12]}"
    place = {"LocationConstraint": "eu-central-1"}
    asking.aws.client("s3").create_bucket(Bucket=name, CreateBucketConfiguration=place)
    return name


def put(asking: Asking, bucket: str, text: bytes) -> None:
    asking.aws.client("s3").put_object(Bucket=bucket, Key="from", Body=text)


def copy(asking: Asking, bucket: str) -> Admission:
    return asking.keys.call("s3", "copy_object", Bucket=bucket, Key="to", CopySource={"Bucket": bucket, "Key": "from"})


def is_there(asking: Asking, bucket: str) -> bool:
    listed = asking.aws.client("s3").list_objects_v2(Bucket=bucket, Prefix="to")
    return bool(listed["KeyCount"])


def test_people_see_what_the_source_of_a_copy_is_and_it_runs_while_it_is_that(
    pinning: Asking, acme: Tenant, bucket: str
) -> None:
    put(pinning, bucket, b"one")
    admission = copy(pinning, bucket)
    approval_id = pinning.hold(admission)
    approval = pinning.approval(approval_id)
    [pinned] = approval.pins
    assert pinned["name"] == f"CopySource={bucket}/from"
    assert "ETag" in pinned["now"]
    assert approval.not_pinned == []
    assert pinned["now"] in row_of(acme, admission).reason
    assert events_of(acme, approval_id)[0][1]["pins"] == approval.pins
    pinning.answer(approval_id)
    run_id = pinning.take(approval_id)
    assert run_id is not None
    assert pinning.perform(run_id) is OutcomeKind.COMPLETED
    assert is_there(pinning, bucket)


def test_what_changed_after_the_answer_is_refused_and_nothing_is_sent(
    pinning: Asking, acme: Tenant, bucket: str
) -> None:
    put(pinning, bucket, b"what people were shown")
    admission = copy(pinning, bucket)
    approval_id = pinning.hold(admission)
    pinning.answer(approval_id)
    put(pinning, bucket, b"something else")
    run_id = pinning.take(approval_id)
    assert run_id is not None
    assert pinning.perform(run_id) is OutcomeKind.NOT_SENT
    assert not is_there(pinning, bucket)
    assert pinning.aws.seen(admission.id) == []
    row = row_of(acme, admission)
    assert (row.state, row.error) == ("not_sent", "requests.reference_changed")
    kind, facts = events_of(acme, admission.id)[-1]
    assert (kind, facts["error"]) == ("request.not_sent", "requests.reference_changed")
    assert f"CopySource={bucket}/from was" in facts["reason"]
    with in_tenant(acme):
        assert ApprovedRun.objects.for_tenant(acme).get(pk=run_id).state == "not_sent"
    [verdict] = pinning.feed(admission)
    assert verdict.kind is VerdictKind.REFUSE
    assert verdict.answer is not None
    assert b"has changed since people approved it" in verdict.answer.body


def test_what_can_no_longer_be_read_is_refused_too(pinning: Asking, acme: Tenant, bucket: str) -> None:
    put(pinning, bucket, b"one")
    approval_id = pinning.hold(copy(pinning, bucket))
    pinning.answer(approval_id)
    pinning.aws.client("s3").delete_object(Bucket=bucket, Key="from")
    run_id = pinning.take(approval_id)
    assert run_id is not None
    assert pinning.perform(run_id) is OutcomeKind.NOT_SENT


def test_the_identical_call_asks_anew_once_what_it_names_has_changed(pinning: Asking, bucket: str) -> None:
    put(pinning, bucket, b"one")
    first = pinning.hold(copy(pinning, bucket))
    assert pinning.hold(copy(pinning, bucket)) == first
    put(pinning, bucket, b"two")
    assert pinning.hold(copy(pinning, bucket)) != first


def test_what_nobody_can_read_is_named_to_who_answers(pinning: Asking, acme: Tenant, bucket: str) -> None:
    admission = copy(pinning, bucket)
    approval = pinning.approval(pinning.hold(admission))
    assert approval.pins == []
    assert approval.not_pinned == [f"CopySource={bucket}/from"]
    assert f"not pinned: CopySource={bucket}/from" in row_of(acme, admission).reason


def test_the_read_is_made_in_a_session_of_its_own_that_can_do_nothing_else(
    pinning: Asking, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gateway.connections import sts

    policies: list[str] = []
    assume = sts.assume_role

    def noted(target: Any, **named: Any) -> Any:
        policies.append(named["policy"].policy_json)
        return assume(target, **named)

    monkeypatch.setattr(sts, "assume_role", noted)
    put(pinning, bucket, b"one")
    pinning.hold(copy(pinning, bucket))
    assert len(policies) == 1
    assert f'"Action":["s3:GetObject"],"Resource":["arn:aws:s3:::{bucket}/from"]' in policies[0]
    assert "PutObject" not in policies[0]


def pinned_by(asking: Asking, acme: Tenant, service: str, operation: str, **parameters: Any) -> Pinned:
    examined: Examined = examined_of(asking, service, operation, **parameters)
    return pin(examined, session=session_ask(examined))


def test_a_launch_template_is_pinned_to_the_version_it_is_at(pinning: Asking, acme: Tenant) -> None:
    ec2, name = pinning.aws.client("ec2"), f"web-{uuid.uuid4().hex[:8]}"
    ec2.create_launch_template(LaunchTemplateName=name, LaunchTemplateData={"InstanceType": "t3.micro"})
    asked: dict[str, Any] = {
        "LaunchTemplate": {"LaunchTemplateName": name, "Version": "$Latest"},
        "MinCount": 1,
        "MaxCount": 1,
    }
    before = pinned_by(pinning, acme, "ec2", "run_instances", **asked)
    assert "LatestVersionNumber 1" in before.pins[0].now
    ec2.create_launch_template_version(LaunchTemplateName=name, LaunchTemplateData={"InstanceType": "p5.48xlarge"})
    after = pinned_by(pinning, acme, "ec2", "run_instances", **asked)
    (told,) = changed(before.pins, after)
    assert "LatestVersionNumber 2" in told


def test_a_function_is_pinned_to_its_code(pinning: Asking, acme: Tenant) -> None:
    name = f"bill-{uuid.uuid4().hex[:8]}"
    pinning.aws.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument="{}")
    awslambda = pinning.aws.client("lambda")
    awslambda.create_function(
        FunctionName=name,
        Runtime="python3.12",
        Role=f"arn:aws:iam::123456789012:role/{name}",
        Handler="f.h",
        Code={"ZipFile": _zip(b"one")},
    )
    before = pinned_by(pinning, acme, "lambda", "invoke", FunctionName=name)
    assert "CodeSha256" in before.pins[0].now
    awslambda.update_function_code(FunctionName=name, ZipFile=_zip(b"two"))
    assert changed(before.pins, pinned_by(pinning, acme, "lambda", "invoke", FunctionName=name))


def test_a_document_is_pinned_to_its_default_version(pinning: Asking, acme: Tenant) -> None:
    ssm, name = pinning.aws.client("ssm"), f"doc-{uuid.uuid4().hex[:8]}"
    content = '{"schemaVersion": "2.2", "description": "%s", "mainSteps": []}'
    ssm.create_document(Name=name, Content=content % "one", DocumentType="Command")
    asked: dict[str, Any] = {"DocumentName": name, "InstanceIds": ["i-0123456789abcdef0"]}
    before = pinned_by(pinning, acme, "ssm", "send_command", **asked)
    assert "DocumentVersion 1" in before.pins[0].now
    ssm.update_document(Name=name, Content=content % "two", DocumentVersion="$LATEST")
    ssm.update_document_default_version(Name=name, DocumentVersion="2")
    (told,) = changed(before.pins, pinned_by(pinning, acme, "ssm", "send_command", **asked))
    assert "DocumentVersion 2" in told


def test_a_pin_that_is_gone_has_changed_and_a_new_one_has_not() -> None:
    before = (Pin(name="a", now="1"), Pin(name="b", now="2"))
    after = Pinned(pins=(Pin(name="b", now="2"), Pin(name="c", now="3")))
    assert changed(before, after) == ("a was 1, and could not be read again",)


def _zip(text: bytes) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("f.py", text)
    return held.getvalue()
