"""What can go wrong when evidence is written or read."""

from gateway.problems import Problem


class PromptTooLong(Problem):
    code = "prompt.too_long"
    status = 413
    title = "This prompt is longer than what is recorded"
    remedy = "Send at most 262,144 characters; attach larger material by other means."


class PromptUnreadable(Problem):
    code = "prompt.unreadable"
    status = 400
    title = "This prompt cannot be recorded exactly"
    remedy = "Send valid Unicode text, and conversation and generation names of 1 to 200 printable characters."


class PromptConflict(Problem):
    code = "prompt.conflict"
    status = 409
    title = "Another prompt was recorded for this conversation and generation"
    remedy = "Give each generation a name of its own; a recorded prompt never changes."


class PromptNotFound(Problem):
    code = "prompt.not_found"
    status = 404
    title = "There is no such prompt in this tenant"


class PromptErased(Problem):
    code = "prompt.erased"
    status = 410
    title = "The words of this prompt were erased"
    remedy = "Your organisation keeps prompts for a time only; the ledger still proves that it was recorded."


class ToolUseConflict(Problem):
    code = "tool_use.conflict"
    status = 409
    title = "Another command was recorded under this tool use"
    remedy = "Give each tool use a name of its own; a recorded command never changes."


class RetentionRefused(Problem):
    code = "prompt.retention_refused"
    status = 400
    title = "Prompts cannot be kept for that long, or that short"
    remedy = "Give 1 to 3,650 days, or null to keep them."


class EventNotFound(Problem):
    code = "event.not_found"
    status = 404
    title = "There is no such event in this tenant's ledger"


class LedgerTooLong(Problem):
    code = "event.ledger_too_long"
    status = 503
    title = "This ledger is too long to prove an event from the database at once"
    remedy = "Export a bundle and verify it offline."


class SearchRefused(Problem):
    code = "prompt.search_refused"
    status = 400
    title = "Prompts cannot be searched for that"
    remedy = 'Give 1 to 16 words of at most 200 characters together; "in quotes" they must stand just so.'


class SearchTooWide(Problem):
    code = "prompt.search_too_wide"
    status = 422
    title = "This search would take too long"
    remedy = "Add a word that fewer prompts have, or more letters of one."
