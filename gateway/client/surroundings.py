"""Which agent and conversation a process was started for, by the variables agents set in the shells they start.

A variable can be set by hand, so it only names; what proves more is the process tree (`generations`). Imports nothing
slow.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

# The variable that holds the conversation, the agent's name; the innermost agent first where several are nested.
CONVERSATIONS = {
    "CURSOR_CONVERSATION_ID": "cursor",
    "CLAUDE_CODE_SESSION_ID": "claude",
    "CODEX_THREAD_ID": "codex",
    "OPENCODE_SESSION_ID": "opencode",
}
_LONGEST = 200


def named_conversations(environ: Mapping[str, str]) -> dict[str, str]:
    """Conversation -> agent for every agent's variable that is set and could be a conversation's name."""
    found = {environ.get(variable, ""): agent for variable, agent in CONVERSATIONS.items()}
    return {name: agent for name, agent in found.items() if 0 < len(name) <= _LONGEST and name.isprintable()}
