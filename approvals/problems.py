"""What can go wrong when people answer. What the held client is told lives in `gateway.requests.problems`."""

from gateway.problems import Problem


class ApprovalNotFound(Problem):
    code = "approval.not_found"
    status = 404
    title = "There is no such approval request in this tenant"


class ApproverIsRequester(Problem):
    code = "approval.approver_is_requester"
    status = 409
    title = "The person who asked cannot also approve"
    remedy = "Ask another member of the approver group; owning the agent or the keys that asked counts as asking."


class AlreadyVoted(Problem):
    code = "approval.already_voted"
    status = 409
    title = "You have answered this request already"
    remedy = "Each person answers once; ask another member of the approver group."


class NotAnApprover(Problem):
    code = "approval.not_an_approver"
    status = 403
    title = "You are not one of the people whose answer this request still waits for"
    remedy = "Ask a member of the approver group that the request names."


class NotPending(Problem):
    code = "approval.not_pending"
    status = 409
    title = "This request has been decided already"
    remedy = "Run the same command again to ask anew."


class ApprovalExpired(Problem):
    code = "approval.expired"
    status = 409
    title = "This request expired before it was decided"
    remedy = "Run the same command again to ask anew."


class KeyMayNotVote(Problem):
    code = "approval.key_may_not_vote"
    status = 403
    title = "This API key may not answer approval requests"
    remedy = "Sign in and answer yourself, or have an administrator let person-bound keys vote in this tenant."


class SignInTooOld(Problem):
    code = "approval.sign_in_too_old"
    status = 403
    title = "You signed in too long ago to answer approval requests"
    remedy = "Prove who you are again at /prove/, then answer."


class ReasonRefused(Problem):
    code = "approval.reason_refused"
    status = 400
    title = "This reason cannot be recorded"
    remedy = "Give a reason of at most 2,000 characters of plain text."


class ApprovalRuleUnknown(Problem):
    code = "approval.rule_unknown"
    status = 404
    title = "There is no such approval rule in this tenant"


class ApprovalRuleNameTaken(Problem):
    code = "approval.rule_name_taken"
    status = 409
    title = "There is an approval rule of this name already"
    remedy = "Change the group of the one there is, or take another name."


class ApprovalRuleRefused(Problem):
    code = "approval.rule_refused"
    status = 400
    title = "An approval rule cannot have this name or group"
    remedy = "Names are 1 to 80 printable characters without spaces around them; groups a-z, 0-9 and . _ - alone."


class ApprovalRuleMissing(Problem):
    """A publish that would leave calls waiting for nobody."""

    code = "policy.approval_rule_missing"
    status = 422
    title = "The policy asks approvers whom no approval rule names"
    remedy = "Make an approval rule of each name first, then publish again."
