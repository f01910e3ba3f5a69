"""What can go wrong with a masking job."""

from __future__ import annotations

from gateway.problems import Problem


class JobUnknown(Problem):
    code = "job.unknown"
    status = 404
    title = "There is no such job"
    remedy = "List the tenant's jobs."


class JobRefused(Problem):
    """The detail says what of the target cannot be."""

    code = "job.refused"
    status = 400
    title = "This cannot be a job"
    remedy = "Change what the detail names."


class JobOver(Problem):
    code = "job.over"
    status = 409
    title = "The job is over"
    remedy = "Start another."


class JobDelayed(Problem):
    """AWS is busy or away: the job goes on later from where it is, and fails once it was in vain too often."""

    code = "job.delayed"
    status = 503
    title = "AWS did not answer the job for now"
    remedy = "Nothing: the job is tried again by itself."


class JobStopped(Problem):
    """The work cannot go on: the job ends as failed, with this detail."""

    code = "job.stopped"
    status = 409
    title = "The job cannot go on"
    remedy = "Mend what the detail names, and start another: what is done already is not done twice."
