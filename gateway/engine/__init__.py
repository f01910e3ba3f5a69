"""The engine: a Question in, a Decision out; policy is Cedar text compiled to a base and an ask set.

Storing, publishing and choosing revisions is `gateway.policy`; `docs/policy.md` is the language's manual.
"""

from gateway.engine.compiler import CompiledRevision, compile_revision
from gateway.engine.decide import Reason, decide
from gateway.engine.packs import combine, rules_of
from gateway.engine.problems import Fault, FaultCode, PolicyRejected

__all__ = [
    "CompiledRevision",
    "Fault",
    "FaultCode",
    "PolicyRejected",
    "Reason",
    "combine",
    "compile_revision",
    "decide",
    "rules_of",
]
