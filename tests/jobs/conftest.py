"""A stand-in AWS with things in it, and a policy that lets the system read."""

from __future__ import annotations

from tests.requests.conftest import aws as aws
from tests.requests.conftest import aws_process as aws_process
from tests.requests.conftest import open_policy as open_policy
