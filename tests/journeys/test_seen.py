"""What the auditor sees of an agent's work: the prompt beside its calls, as firmly linked as can be proved."""

from __future__ import annotations

from typing import Any

from hoopweb.stack import seed
from tests.journeys.product import Product, Tenant


def session_of(tenant: Tenant, conversation: str) -> dict[str, Any]:
    return next(one for one in tenant.items("sessions/") if one["conversation"] == conversation)


def turns_of(product: Product, tenant: Tenant, session_id: str) -> list[dict[str, Any]]:
    """The session's turns, once every call in it has ended."""

    def ended() -> Any:
        reply = tenant.rest("GET", f"sessions/{session_id}/timeline/")
        assert reply.status == 200
        calls = [call["request"] for turn in reply.body["turns"] for call in turn["calls"]]
        return all(call["state"] == "completed" for call in calls) and reply.body["turns"]

    return list(product.wait(ended, seconds=10, told="the calls did not end"))


def test_a_call_of_a_conversation_stands_under_its_prompt(product: Product, demo: Tenant) -> None:
    prompt = demo.prompt("seen-b", "Look up the customers, please", generation="turn-1")
    demo.aws("dynamodb", keys=demo.keys_for("seen-b", generation="turn-1")).scan(TableName=seed.TABLE)
    later = demo.prompt("seen-b", "And the queues", generation="turn-2")
    demo.aws("sqs", keys=demo.keys_for("seen-b", generation="turn-2")).list_queues()
    turns = turns_of(product, demo, session_of(demo, "seen-b")["id"])
    assert [turn["prompt"]["id"] for turn in turns] == [prompt, later]
    assert [[call["request"]["operation"] for call in turn["calls"]] for turn in turns] == [["Scan"], ["ListQueues"]]
    for turn in turns:
        call = turn["calls"][0]["request"]
        assert (call["link"], call["prompt"]) == ("B", turn["prompt"]["id"])
        assert "no enrolled device signed" in call["link_reason"]


def test_a_call_without_a_prompt_names_the_person_only(product: Product, demo: Tenant) -> None:
    demo.aws("dynamodb", keys=demo.keys_for("seen-d")).list_tables()
    (turn,) = turns_of(product, demo, session_of(demo, "seen-d")["id"])
    assert turn["prompt"] is None
    call = turn["calls"][0]["request"]
    assert (call["link"], call["prompt"]) == ("D", None)
    assert call["person_label"] == "alice"


def test_the_masked_answer_is_kept_beside_the_call(product: Product, demo: Tenant) -> None:
    demo.aws("secretsmanager", keys=demo.keys_for("seen-masked")).get_secret_value(SecretId=seed.SECRET)
    (turn,) = turns_of(product, demo, session_of(demo, "seen-masked")["id"])
    kept = turn["calls"][0]["masked_response"]["text"]
    assert seed.DATABASE_PASSWORD not in str(turn)
    assert "[REDACTED" in kept
    assert session_of(demo, "seen-masked")["secrets_masked"] >= 1


def test_reading_the_evidence_is_itself_evidence(product: Product, demo: Tenant) -> None:
    before = product.query("SELECT count(*) FROM audit_event WHERE kind = 'evidence.read'")[0][0]
    demo.rest("GET", f"sessions/{demo.items('sessions/')[0]['id']}/timeline/")
    assert product.query("SELECT count(*) FROM audit_event WHERE kind = 'evidence.read'")[0][0] == before + 1
