"""From a verified request to the set of operations it can mean, for all six AWS protocols.

What those operations do in IAM's words is `candidates`; whether they may is the engine's.
"""

from __future__ import annotations

from gateway.terms import Protocol
from gateway.wire.aws import rpc
from gateway.wire.aws.reading import Model, Reading, models_signed_as
from gateway.wire.aws.rest import refuse_method_override, rest_readings
from gateway.wire.problems import AmbiguousProtocol, UnknownOperation, UnknownService, WireProblem
from gateway.wire.request import WireRequest

# Whatever else Connection names would be dropped on the way, after it was decided upon.
_CONNECTION_TOKENS = frozenset(("close", "keep-alive", "te", "trailer", "trailers", "transfer-encoding", "upgrade"))
_REST = (Protocol.REST_JSON, Protocol.REST_XML)


def parse(request: WireRequest, signing_name: str, region: str) -> tuple[Reading, ...]:
    """Every operation the request can mean, never empty; several where services share a wire form.

    `request` is header-signed in form (see `sigv4.without_presign`), `signing_name` comes from its verified
    claim. Raises a WireProblem for what cannot be read, or could be read in two ways that nothing tells apart.
    """
    models = models_signed_as(signing_name)
    if not models:
        raise UnknownService(signing_name)
    if refuse_method_override(request):
        raise AmbiguousProtocol("A header asks for another method")
    named = (
        token.strip().lower() for value in request.header_values.get("connection", ()) for token in value.split(",")
    )
    if not _CONNECTION_TOKENS.issuperset(filter(None, named)):
        raise AmbiguousProtocol("Connection names a header that has a meaning")
    is_cbor = request.header("smithy-protocol") is not None
    is_json = request.header("x-amz-target") is not None
    if is_cbor and is_json:
        raise AmbiguousProtocol("It has both X-Amz-Target and smithy-protocol")
    if is_cbor:
        return rpc.cbor_readings(request, models, signing_name, region)
    if is_json:
        return rpc.json_readings(request, models, signing_name, region)
    return _by_path(request, models, signing_name, region)


def _by_path(request: WireRequest, models: tuple[Model, ...], signing_name: str, region: str) -> tuple[Reading, ...]:
    rest_models = tuple(model for model in models if model.table.protocols[0] in _REST)
    speaks_forms = any(
        protocol in model.table.protocols for model in models for protocol in (Protocol.QUERY, Protocol.EC2)
    ) or any(model.table.is_query_compatible for model in models)
    found: list[Reading] = []
    problem: WireProblem | None = None
    if speaks_forms and rpc.is_form(request):
        found.extend(rpc.form_readings(request, models, signing_name, region))
    for model in rest_models:
        try:
            found.extend(rest_readings(request, model, region))
        except WireProblem as refused:
            # Another service of the same signing name may still read it; nobody reading it is the problem itself.
            problem = problem or refused
    readings = _without_shadows(found)
    if readings:
        return readings
    raise problem or UnknownOperation(f"{request.method} under {signing_name}")


def _without_shadows(found: list[Reading]) -> tuple[Reading, ...]:
    """Drop a reading with unknown members where a clean one does the same in IAM's words; clean ones come first.

    Old and new spellings meet so (S3 lifecycle), and services of one wire form (RDS, Neptune, DocumentDB). What
    is dropped is never stricter than what stays.
    """
    clean = [reading for reading in found if not reading.unknown]
    kept = [
        reading
        for reading in found
        if reading.unknown and not any(_actions(reading) <= _actions(other) for other in clean)
    ]
    own = sorted(clean, key=lambda reading: reading.operation.service != reading.operation.signing_name)
    return (*own, *kept)


def _actions(reading: Reading) -> frozenset[str]:
    for model in models_signed_as(reading.operation.signing_name):
        operation = model.operation(reading.operation.name)
        if model.name == reading.operation.service and operation is not None:
            return frozenset(name for name, _ in operation.actions)
    return frozenset((reading.operation.name,))
