"""Policy on the running product: a published revision decides the next call, a broken one none; observe and clear."""

from __future__ import annotations

import io

import pytest
from botocore.exceptions import ClientError

from hoopweb.stack import seed
from tests.journeys.product import Product, Tenant

NO_QUEUES = """
@id("journey.no-queues")
@advice("Queues are closed today.")
forbid (principal, action == Action::"sqs:ListQueues", resource);
"""
CLEAR = """
@id("journey.clear")
@clear("body")
permit (principal, action == Action::"s3:GetObject", resource);
"""
BLOB = bytes(range(256)) * 80_000
# The edge streams in chunks of this order; twenty megabytes would show.
MOST_GROWTH = 12 * 1024 * 1024


def test_a_published_revision_decides_the_next_call(product: Product, demo: Tenant) -> None:
    sqs = demo.aws("sqs")
    sqs.list_queues()
    with demo.policy(NO_QUEUES):
        with pytest.raises(ClientError) as refused:
            sqs.list_queues()
        assert "Queues are closed today." in refused.value.response["Error"]["Message"]
        assert "journey.no-queues" not in str(refused.value)
        (call,) = demo.items("requests/?service=sqs&effect=deny")[:1]
        assert call["rule_ids"] == ["journey.no-queues"]
    sqs.list_queues()


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        ('@id("x") forbid (principal, action == Action::"sqs:MakeCoffee", resource);', "action"),
        ("forbid (principal, action, resource)", "syntax"),
        ("forbid (principal, action, resource);", "id"),
        ('@id("x") @colour("red") permit (principal, action, resource);', "annotation"),
    ],
)
def test_a_policy_that_does_not_compile_is_refused_with_its_faults(
    product: Product, demo: Tenant, broken: str, why: str
) -> None:
    revisions = product.query("SELECT count(*) FROM policy_revision")
    reply = demo.publish(broken)
    assert (reply.status, reply.body["code"]) == (422, "policy.rejected")
    assert why in str(reply.body["errors"])
    assert product.query("SELECT count(*) FROM policy_revision") == revisions
    # The one before still decides: reads pass, what destroys does not.
    demo.aws("sqs").list_queues()
    with pytest.raises(ClientError):
        demo.aws("s3").delete_bucket(Bucket=seed.REPORTS)


def test_a_cleared_body_streams_through_with_constant_memory(product: Product, demo: Tenant) -> None:
    product.truth("s3").put_object(Bucket=seed.SCRATCH, Key="clear.bin", Body=BLOB)
    s3 = demo.aws("s3")
    with demo.policy(CLEAR):
        assert s3.get_object(Bucket=seed.SCRATCH, Key="clear.bin")["Body"].read() == BLOB
        product.forget_peaks("edge-1")
        before = product.peak_memory("edge-1")
        for _ in range(3):
            into = io.BytesIO()
            s3.download_fileobj(seed.SCRATCH, "clear.bin", into)
            assert into.getvalue() == BLOB
        assert product.peak_memory("edge-1") - before < MOST_GROWTH
    with pytest.raises(ClientError) as withheld:
        s3.get_object(Bucket=seed.SCRATCH, Key="clear.bin")
    assert withheld.value.response["Error"]["Code"] == "ResponseWithheld"


def test_an_observed_connection_forwards_and_says_what_would_have_been(product: Product, globex: Tenant) -> None:
    body = {
        "name": "observed",
        "account_id": seed.ACCOUNT,
        "role_arn": seed.ROLE_ARN,
        "regions": [seed.REGION],
        "observe_only": True,
    }
    made = globex.rest("POST", "connections/", key="HOOPWEB_ADMIN_API_KEY", body=body)
    assert made.status == 201, made
    path = f"connections/{made.body['id']}/test/"
    assert globex.rest("POST", path, key="HOOPWEB_ADMIN_API_KEY", body={}).body["state"] == "active"
    product.truth("s3").create_bucket(Bucket="journey-observed")
    keys = globex.keys_for("observed", connection=made.body["id"])
    globex.aws("s3", keys=keys).delete_bucket(Bucket="journey-observed")
    names = [bucket["Name"] for bucket in product.truth("s3").list_buckets()["Buckets"]]
    assert "journey-observed" not in names
    (call,) = globex.items("requests/?operation=DeleteBucket&effect=allow")
    assert call["would_be"] == "deny"
    assert call["connection_label"] == "observed"


def test_writes_need_a_conversation_and_secrets_their_very_prompt_once_that_is_switched_on(demo: Tenant) -> None:
    demo.prompt("link-levels", "Read the billing password.", generation="turn-1")
    bound = demo.keys_for("link-levels", generation="turn-1")
    loose = demo.keys_for("")
    with demo.policy("", "link-levels"):
        demo.aws("s3", keys=bound).put_object(Bucket=seed.SCRATCH, Key="bound", Body=b"x")
        demo.aws("s3", keys=loose).list_buckets()
        with pytest.raises(ClientError) as written:
            demo.aws("s3", keys=loose).put_object(Bucket=seed.SCRATCH, Key="loose", Body=b"x")
        with pytest.raises(ClientError) as read:
            # Keys from the REST API are bound to a conversation, and prove no generation.
            demo.aws("secretsmanager", keys=bound).get_secret_value(SecretId=seed.SECRET)
    assert "not tied to a conversation" in str(written.value)
    assert "only by the very generation" in str(read.value)


def test_a_session_that_read_a_stranger_and_a_secret_sends_nothing_out(product: Product, demo: Tenant) -> None:
    topic = product.truth("sns").create_topic(Name="out")["TopicArn"]
    queue = product.truth("sqs").create_queue(QueueName="strangers")["QueueUrl"]
    tainted, clean = demo.keys_for("tainted"), demo.keys_for("untainted")
    with demo.policy("", "tainted-sessions"):
        demo.aws("sqs", keys=tainted).receive_message(QueueUrl=queue)
        demo.aws("kms", keys=tainted).generate_data_key(KeyId=seed.KEY_ALIAS, KeySpec="AES_256")
        with pytest.raises(ClientError) as refused:
            demo.aws("sns", keys=tainted).publish(TopicArn=topic, Message="what I found")
        demo.aws("sns", keys=clean).publish(TopicArn=topic, Message="hello")
    assert "it sends nothing out" in str(refused.value)
