"""Eight conversations at once, prompts changing under them, commands that outlive their prompts: each call is linked as a
plain model says, never at A to a wrong prompt and never above D to a closed generation."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.connections.sts import RoleTarget
from gateway.identity.proving import Cap, HelperFacts, HookFacts, key_cap, prompt_cap
from gateway.requests.intent import OUTLIVED, SILENT, link_of
from gateway.requests.keyring import ConnectionFacts, DeviceFacts, KeyFacts, PromptFacts
from gateway.terms import LinkLevel, Principal, PrincipalKind, SessionCounters
from gateway.wire.contract import OpaqueChoice

START = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
CONVERSATIONS = 8
LAPTOP, CONTAINER = UUID(int=1), UUID(int=2)
TARGET = RoleTarget(
    tenant_id=UUID(int=9),
    tenant_label="acme",
    connection_id=UUID(int=8),
    connection_label="billing",
    account="123456789012",
    role_arn="arn:aws:iam::123456789012:role/hoopweb",
    external_id="hoopweb-billing",
    regions=("eu-central-1",),
    base=None,
)
BILLING = ConnectionFacts(
    id=TARGET.connection_id,
    label="billing",
    account_id=TARGET.account,
    regions=TARGET.regions,
    observe_only=False,
    opaque=next(iter(OpaqueChoice)),
    target=TARGET,
)
ALICE = Principal(kind=PrincipalKind.PERSON, id=UUID(int=7), label="alice")


class Recorded:
    """One prompt of the model: which turn of which conversation, when, by which device, and how."""

    def __init__(self, turn: int, at: datetime, device: UUID, cap: Cap) -> None:
        self.id, self.turn, self.at, self.device, self.cap = uuid4(), turn, at, device, cap


class World:
    """What the database knows: prompts by conversation, in the order they arrived."""

    def __init__(self) -> None:
        self.prompts: Mapping[int, list[Recorded]] = {number: [] for number in range(CONVERSATIONS)}

    def facts(self, conversation: int, turn: int | None) -> PromptFacts | None:
        """What the view says: the prompt of this turn or the newest, and when a newer one came if the turn is named."""
        known = self.prompts[conversation]
        found = next((one for one in reversed(known) if turn is None or one.turn == turn), None)
        if found is None:
            return None
        newer = [one.at for one in known if one.at > found.at] if turn is not None else []
        return PromptFacts(
            id=found.id,
            is_machine_turn=False,
            generation=f"gen-{found.turn}",
            recorded_at=found.at,
            cap=found.cap,
            device_id=found.device,
            superseded_at=min(newer, default=None),
        )


def key_of(prompt: PromptFacts | None, conversation: int, turn: int | None, device: DeviceFacts) -> KeyFacts:
    return KeyFacts(
        id=UUID(int=5),
        tenant_id=TARGET.tenant_id,
        access_key_id="HWIA",
        secret="",
        token_digest=b"",
        expires_at=device.issued_at + timedelta(minutes=3),
        is_revoked=False,
        conversation=f"conv-{conversation}",
        generation=f"gen-{turn}" if turn is not None else "",
        principal=ALICE,
        connection=BILLING,
        suspended="",
        session_id=None,
        counters=SessionCounters(),
        prompt=prompt,
        device=device,
    )


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["prompt", "prompt", "call", "call", "call", "background"]),
        st.integers(0, CONVERSATIONS - 1),
        st.sampled_from([0.1, 1.0, 5.0, 30.0, 240.0, 1200.0]),  # seconds until it happens
        st.sampled_from([LAPTOP, LAPTOP, LAPTOP, CONTAINER]),
        st.booleans(),  # whether the process hangs below the agent
        st.booleans(),  # whether the prompt came late
        st.integers(0, 6),  # how many turns back a background command began
    ),
    min_size=20,
    max_size=120,
)


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_every_call_is_linked_as_the_model_says(steps: list[tuple[str, int, float, UUID, bool, bool, int]]) -> None:
    world, now = World(), START
    for what, conversation, seconds, device, is_below, is_late, back in steps:
        now += timedelta(seconds=seconds)
        known = world.prompts[conversation]
        if what == "prompt":
            cap = prompt_cap("separate_account", HookFacts(agent_pid=1, parent_executable="node"), is_late=is_late)
            known.append(Recorded(len(known), now, device, cap))
            continue
        turn = len(known) - 1 - (back if what == "background" else 0)
        if turn < 0:
            continue
        _check(world, conversation, turn, device, now, is_below=is_below)


def _check(world: World, conversation: int, turn: int, device: UUID, now: datetime, *, is_below: bool) -> None:
    mine = world.prompts[conversation][turn]
    newer = [one.at for one in world.prompts[conversation][turn + 1 :]]
    facts = HelperFacts(is_below_agent=is_below, is_outlived=bool(newer))
    cap = key_cap("separate_account", facts, has_conversation=True, has_generation=True)
    issued = DeviceFacts(id=device, issued_at=now, cap=cap)
    link = link_of(key_of(world.facts(conversation, turn), conversation, turn, issued), now=now)
    assert (link.level, link.prompt_id) == _expected(mine, newer, device, now, is_below=is_below), link.reason
    assert 0 < len(link.reason) <= 200


def _expected(
    mine: Recorded, newer: list[datetime], device: UUID, now: datetime, *, is_below: bool
) -> tuple[LinkLevel, UUID | None]:
    """The contract's own table, told the other way round."""
    if (newer and now - newer[0] > OUTLIVED) or now - mine.at > SILENT:
        return LinkLevel.PERSON, None
    if not is_below:
        return LinkLevel.DECLARED, mine.id
    is_firm = not newer and mine.device == device and mine.cap.level is LinkLevel.BOUND
    return (LinkLevel.BOUND if is_firm else LinkLevel.CONVERSATION), mine.id


@settings(max_examples=100, deadline=None)
@given(STEPS)
def test_where_no_turn_is_named_the_open_one_is_taken_and_never_at_a(
    steps: list[tuple[str, int, float, UUID, bool, bool, int]],
) -> None:
    world, now = World(), START
    cap = key_cap("separate_account", HelperFacts(is_below_agent=True), has_conversation=True, has_generation=False)
    for what, conversation, seconds, device, _, is_late, _ in steps:
        now += timedelta(seconds=seconds)
        known = world.prompts[conversation]
        if what == "prompt":
            facts = HookFacts(agent_pid=1, parent_executable="node")
            known.append(Recorded(len(known), now, device, prompt_cap("separate_account", facts, is_late=is_late)))
            continue
        # The key may be up to three minutes old: which prompt is open is asked at the call.
        issued = DeviceFacts(id=device, issued_at=now - timedelta(seconds=170), cap=cap)
        link = link_of(key_of(world.facts(conversation, None), conversation, None, issued), now=now)
        is_open = bool(known) and now - known[-1].at <= SILENT
        expected = (LinkLevel.CONVERSATION, known[-1].id) if is_open else (LinkLevel.PERSON, None)
        assert (link.level, link.prompt_id) == expected
