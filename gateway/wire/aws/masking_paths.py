"""Where an operation's answers, errors and requests carry sensitive members, by their names on the wire.

Masking by these paths, and finding secrets in what they do not name, is `gateway.masking`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache

from gateway.terms import Protocol
from gateway.wire.aws.reading import Model, Reading, model
from gateway.wire.canonical import S3_FAMILY
from gateway.wire.contract import BodyForm, MaskPath, MaskPlan, SensitivityClass
from gateway.wire.ranges import read_range
from gateway.wire.tables import Member, OperationTable, Shape

EACH = "*"
# A clear rule of this name lets the body pass unscanned.
CLEAR_BODY = "body"
_STRICT = tuple(SensitivityClass)
Paths = tuple[MaskPath, ...]


def mask_plan(readings: Iterable[Reading], *, clear: tuple[str, ...], request_id: str) -> MaskPlan:
    """How to mask the answer to a request with these readings: the union of what each one's model marks.

    `readings` is not empty. A body some reading takes for a structure is masked as one.
    """
    known = tuple(readings)
    outputs = [_output(reading.operation.service, reading.operation.name) for reading in known]
    first = known[0].operation
    parts = [one for one, output in zip(known, outputs, strict=True) if output[0] is BodyForm.BLOB and reads_part(one)]
    return MaskPlan(
        protocol=first.protocol,
        body=min((output[0] for output in outputs), key=_STRICTEST_FORM.index),
        paths=_union(output[1] for output in outputs),
        header_paths=_union(output[2] for output in outputs),
        error_paths=_union(output[3] for output in outputs),
        clear=clear,
        is_clear=CLEAR_BODY in clear,
        # Only where a part of an object comes back: an upload's part number cuts nothing that is read.
        reads_range=any("PartNumber" in one.parameters or not read_range(_range(one)) for one in parts),
        range=_range(parts[0]) if parts else "",
        s3_errors=first.protocol is Protocol.REST_XML and first.signing_name in S3_FAMILY,
        request_id=request_id,
    )


_STRICTEST_FORM = (BodyForm.STRUCTURE, BodyForm.BLOB, BodyForm.EVENT_STREAM)


def _union(groups: Iterable[Paths]) -> Paths:
    return tuple(dict.fromkeys(path for group in groups for path in group))


def reads_part(reading: Reading) -> bool:
    """Whether only a part of an object comes back. A cut through an object can go through a secret; so can one of its parts."""
    is_object = reading.operation.signing_name in S3_FAMILY
    return is_object and bool({"Range", "PartNumber"} & reading.parameters.keys())


def _range(reading: Reading) -> str:
    return str(reading.parameters.get("Range", ""))


@lru_cache(maxsize=1024)
def _output(service: str, name: str) -> tuple[BodyForm, Paths, Paths, Paths]:
    """Body form, body paths, header paths and error paths of an operation; nothing of an unknown one."""
    found = _find(service, name)
    if found is None:
        return BodyForm.STRUCTURE, (), (), ()
    table, operation = found
    errors = _union(body_paths(table, error) for error in operation.errors)
    if not operation.output:
        return BodyForm.STRUCTURE, (), (), errors
    form = _form_of(table, operation.output)
    return form, body_paths(table, operation.output), header_paths(table, operation.output), errors


def input_paths(reading: Reading) -> Paths:
    """The sensitive members of a request's body, for redacting a recorded one."""
    found = _find(reading.operation.service, reading.operation.name) if reading.operation.is_modelled else None
    return body_paths(found[0], found[1].input) if found and found[1].input else ()


def input_header_paths(reading: Reading) -> Paths:
    """The sensitive members that travel in a request's headers, by lower-case name."""
    found = _find(reading.operation.service, reading.operation.name) if reading.operation.is_modelled else None
    return header_paths(found[0], found[1].input) if found and found[1].input else ()


def _find(service: str, name: str) -> tuple[Model, OperationTable] | None:
    try:
        known = model(service)
    except KeyError:
        return None
    operation = known.operation(name)
    return (known, operation) if operation else None


def _form_of(known: Model, output: str) -> BodyForm:
    shape = known.shape(output)
    if any(known.shape(member.shape).is_event_stream for member in shape.members):
        return BodyForm.EVENT_STREAM
    payload = shape.member(shape.payload) if shape.payload else None
    if payload is not None and known.shape(payload.shape).kind in ("blob", "string"):
        return BodyForm.BLOB
    return BodyForm.STRUCTURE


def header_paths(known: Model, name: str) -> Paths:
    """Sensitive members of a structure that travel in headers, by lower-case header name."""
    marked = ((member, _mark(known, member)) for member in known.shape(name).members)
    return tuple(
        MaskPath(path=(f"{member.wire_name.lower()}{EACH if member.location == 'headers' else ''}",), sensitivity=mark)
        for member, mark in marked
        if mark is not None and member.location in ("header", "headers")
    )


def body_paths(known: Model, name: str) -> Paths:
    """Sensitive members of a structure that travel in its body, from the body's own top (below an XML root)."""
    shape = known.shape(name)
    walk = _Walk(known)
    payload = shape.member(shape.payload) if shape.payload else None
    members = (payload,) if payload else tuple(member for member in shape.members if not member.location)
    found: list[MaskPath] = []
    for member in members:
        # A payload or an event stream is the body itself; anything else is a member of it.
        is_body = member is payload or known.shape(member.shape).is_event_stream
        found.extend(walk.member(member, () if is_body else (member.wire_name,), (name,)))
    return tuple(dict.fromkeys(found))


def _mark(known: Model, member: Member) -> SensitivityClass | None:
    return member.sensitivity or known.shape(member.shape).sensitivity


class _Walk:
    """Goes down from a member to everything marked below it; branches with nothing marked are not entered."""

    def __init__(self, known: Model) -> None:
        self.known = known
        self._reach: dict[str, SensitivityClass | None] = {}

    def member(self, member: Member, path: tuple[str, ...], above: tuple[str, ...]) -> Iterator[MaskPath]:
        """Paths at and below one member. Below a private mark only stricter ones are worth naming."""
        mark = _mark(self.known, member)
        if mark is not None:
            yield MaskPath(path=path, sensitivity=mark)
        reach = self.reach(member.shape)
        if reach is None or mark in (SensitivityClass.BEARER, SensitivityClass.SECRET):
            return
        if member.shape in above:
            # A shape inside itself goes on for ever: mask it whole from here.
            yield MaskPath(path=path, sensitivity=reach)
            return
        yield from self._below(self.known.shape(member.shape), path, (*above, member.shape))

    def _below(self, shape: Shape, path: tuple[str, ...], above: tuple[str, ...]) -> Iterator[MaskPath]:
        for member in shape.members:
            yield from self.member(member, (*path, member.wire_name), above)
        if shape.element is not None:
            yield from self.member(shape.element, (*path, EACH), above)

    def reach(self, name: str) -> SensitivityClass | None:
        """The strictest mark strictly below a shape, or None."""
        if name not in self._reach:
            self._reach[name] = min(self._marks_below(name), key=_STRICT.index, default=None)
        return self._reach[name]

    def _marks_below(self, name: str) -> set[SensitivityClass]:
        found: set[SensitivityClass] = set()
        seen = {name}
        waiting = [name]
        while waiting:
            shape = self.known.shape(waiting.pop())
            for member in (*shape.members, *((shape.element,) if shape.element else ())):
                mark = _mark(self.known, member)
                if mark is not None:
                    found.add(mark)
                if member.shape not in seen:
                    seen.add(member.shape)
                    waiting.append(member.shape)
        return found
