"""Operations of which only the name is known stay shut unless a rule opens exactly that class."""

from __future__ import annotations

from gateway.terms import AccessClass, Effect
from tests.engine.questions import ANYTHING, answer, candidate, question

NOVELTY = question(candidate("s3:Novelty", AccessClass.WRITE, is_modelled=False))
OPENS = '@id("opens") permit (principal, action in Action::"class:Unmodelled", resource);'


def test_a_permit_for_everything_does_not_open_them() -> None:
    decision = answer(ANYTHING, to=NOVELTY)
    assert (decision.effect, decision.reason, decision.rule_ids) == (Effect.DENY, "unmodelled", ())


def test_without_any_permit_the_reason_is_the_same() -> None:
    assert answer('@id("r") permit (principal, action == Action::"s3:GetObject", resource);', to=NOVELTY).reason == (
        "unmodelled"
    )


def test_a_permit_for_their_access_class_does_not_open_them() -> None:
    writes = '@id("writes") permit (principal, action in Action::"class:Write", resource);'
    assert answer(writes, to=NOVELTY).effect is Effect.DENY


def test_a_permit_that_names_the_class_opens_them_and_is_the_rule_cited() -> None:
    decision = answer(ANYTHING, OPENS, to=NOVELTY)
    assert (decision.effect, decision.rule_ids) == (Effect.ALLOW, ("opens",))


def test_it_opens_nothing_else() -> None:
    assert answer(OPENS).effect is Effect.DENY


def test_a_condition_can_narrow_it_to_one_operation() -> None:
    one = OPENS.replace(";", ' when { context.operation == "s3:Novelty" };')
    other = question(candidate("s3:Other", AccessClass.WRITE, is_modelled=False))
    assert answer(one, to=NOVELTY).effect is Effect.ALLOW
    assert answer(one, to=other).reason == "unmodelled"


def test_forbids_still_close_them_by_class_and_service() -> None:
    for group in ("class:Write", "service:s3", "class:Unmodelled"):
        closed = f'@id("closed") forbid (principal, action in Action::"{group}", resource);'
        decision = answer(OPENS, closed, to=NOVELTY)
        assert (decision.reason, decision.rule_ids) == ("forbidden", ("closed",))


def test_asks_still_hold_them() -> None:
    ask = '@id("ask") @effect("ask") @approvers("p") forbid (principal, action in Action::"class:Write", resource);'
    assert answer(OPENS, ask, to=NOVELTY).effect is Effect.ASK


def test_only_the_opening_permits_mask_and_clear() -> None:
    clears = '@id("clears") @clear("body") permit (principal, action, resource);'
    assert answer(clears, OPENS, to=NOVELTY).clear == ()


def test_a_rule_can_see_that_an_operation_is_unmodelled() -> None:
    sees = '@id("sees") forbid (principal, action, resource) unless { context.modelled };'
    assert answer(OPENS, sees, to=NOVELTY).rule_ids == ("sees",)
    assert answer(ANYTHING, sees).effect is Effect.ALLOW
