"""What can go wrong between a tenant and its policy. What is wrong in a text is `gateway.engine.problems`."""

from __future__ import annotations

from gateway.problems import Problem


class PolicyNotReady(Problem):
    """A deny: a gateway that cannot load its revision answers nothing. Retryable, since publishing mends it."""

    code = "policy.not_ready"
    status = 503
    title = "The tenant has no policy that can decide"
    remedy = "Ask a security administrator to publish one."
    aws_code = "ServiceUnavailable"


class PackUnknown(Problem):
    code = "policy.pack_unknown"
    status = 400
    title = "There is no such pack"
    remedy = "List the packs this version ships with."


class PolicyNameRefused(Problem):
    code = "policy.name_refused"
    status = 400
    title = "A policy cannot have this name"
    remedy = "Use lower-case words joined by hyphens, at most 40 characters, and no pack's name."


class RevisionUnknown(Problem):
    code = "policy.revision_unknown"
    status = 404
    title = "There is no such revision"
    remedy = "List the policy's revisions."


class PolicyUnknown(Problem):
    code = "policy.unknown"
    status = 404
    title = "There is no such policy in this tenant"
    remedy = "List the tenant's policies."


class DetectorRefused(Problem):
    """The detail says why, in words for who wrote it; it quotes the pattern at most, never an example."""

    code = "detector.refused"
    status = 400
    title = "This cannot be a detector"
    remedy = "Change what the detail names, and try it on a text first."


class DetectorUnknown(Problem):
    code = "detector.unknown"
    status = 404
    title = "There is no such detector"
    remedy = "List the tenant's detectors."


class DetectorChanged(Problem):
    """Two people wrote at once: the second is told instead of silently winning."""

    code = "detector.changed"
    status = 409
    title = "The detector has a newer version than the one yours was based on"
    remedy = "Read its versions and send yours again with the newest number."
