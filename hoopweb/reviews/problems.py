"""What can go wrong when access is reviewed."""

from gateway.problems import Problem


class ReviewNotFound(Problem):
    code = "review.not_found"
    status = 404
    title = "There is no such access review, or nothing of that name in it"


class ReviewOpenAlready(Problem):
    code = "review.open_already"
    status = 409
    title = "This quarter has its access review already"
    remedy = "Answer what is open in it; the next one belongs to the next quarter."


class ReviewAnswered(Problem):
    code = "review.answered"
    status = 409
    title = "This was answered already"


class ReviewReasonRefused(Problem):
    code = "review.reason_refused"
    status = 400
    title = "An answer needs a reason"
    remedy = "Say in 3 to 500 printable characters why the access stays or goes."


class OwnAccess(Problem):
    code = "review.own_access"
    status = 409
    title = "Nobody answers for his own access while another could"
    remedy = "Ask another owner or security administrator to answer this line."


class LastGroup(Problem):
    code = "review.last_group"
    status = 409
    title = "Without its last group this would be open to everybody whose role opens its kind"
    remedy = "Keep it for another group first, or suspend the connection; then answer this line."


class ScheduleRefused(Problem):
    code = "review.schedule_refused"
    status = 400
    title = "Reviews cannot be held like this"
    remedy = "Give 7 to 60 days to answer, and at most 5 reminders, each fewer days before the end."


class OperatorAccessNotFound(Problem):
    code = "operator_access.not_found"
    status = 404
    title = "There is no such request of an operator that waits for an answer"


class PeriodRefused(Problem):
    code = "member.period_refused"
    status = 400
    title = "This is no period"
    remedy = "Give `since` before `until`, both with their time zone, and `ends_at` in the future."


class MembershipEnded(Problem):
    code = "member.ended"
    status = 403
    title = "The time this membership was given for is over"
    remedy = "Ask an owner of the organisation for a new period."


class ProofOutsidePeriod(Problem):
    code = "event.proof_outside_period"
    status = 403
    title = "A proof is made from the whole ledger, and you see a period of it"
    remedy = "Ask a member without a period for the proof, or for a bundle."


class OperatorAccessRefused(Problem):
    code = "operator_access.refused"
    status = 400
    title = "An operator cannot ask like this"
    remedy = "Name the operator in letters, digits and -, give a reason, and ask for 1 to 12 hours."
