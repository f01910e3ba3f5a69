"""Hook payloads in the shapes agents send them, field for field."""

from __future__ import annotations

import json
from typing import Any

CONVERSATION = "668320d2-2fd8-4888-b33c-2a466fec86e7"
TURN = "490b90b7-a2ce-4c2c-bb76-cb77b125df2f"
COMMAND = "aws s3 rm 's3://acme-invoices/2026 q3/' --recursive && echo \"done\""
PROMPT = "Clear last quarter's invoices, then check\nthat the bucket is empty: don't touch prod ✓"

CURSOR_COMMON: dict[str, Any] = {
    "conversation_id": CONVERSATION,
    "generation_id": TURN,
    "model": "claude-sonnet-5",
    "model_id": "claude-sonnet-5",
    "model_params": [{"id": "effort", "value": "high"}],
    "cursor_version": "3.4.20",
    "workspace_roots": ["/users/alice/billing"],
    "user_email": "alice@acme.example",
    "transcript_path": "/users/alice/.cursor/projects/billing/transcript.jsonl",
    "session_id": CONVERSATION,
}
CLAUDE_COMMON: dict[str, Any] = {
    "session_id": CONVERSATION,
    "transcript_path": "/users/alice/.claude/projects/billing/session.jsonl",
    "cwd": "/users/alice/billing",
    "prompt_id": TURN,
    "permission_mode": "default",
}
CODEX_COMMON: dict[str, Any] = {
    "session_id": CONVERSATION,
    "turn_id": TURN,
    "cwd": "/users/alice/billing",
    "model": "gpt-5.4-codex",
    "permission_mode": "default",
    "transcript_path": None,
}
GEMINI_COMMON: dict[str, Any] = {
    "session_id": CONVERSATION,
    "transcript_path": "/users/alice/.gemini/tmp/chat.json",
    "cwd": "/users/alice/billing",
    "timestamp": "2026-11-22T10:15:30.123Z",
}
_SHELL = {"tool_name": "Bash", "tool_input": {"command": COMMAND, "description": "Clear invoices"}}

CURSOR_PROMPT = CURSOR_COMMON | {
    "hook_event_name": "beforeSubmitPrompt",
    "prompt": PROMPT,
    "attachments": [
        {"type": "file", "file_path": "/users/alice/billing/README.md"},
        {"type": "rule", "file_path": "/users/alice/billing/.cursor/rules/aws.mdc"},
    ],
}
CURSOR_BEFORE = CURSOR_COMMON | {
    "hook_event_name": "preToolUse",
    "tool_name": "Shell",
    "tool_input": {"command": COMMAND, "working_directory": "/users/alice/billing"},
    "tool_use_id": "call_7_shell",
    "cwd": "/users/alice/billing",
    "agent_message": "Clearing the bucket.",
}
CURSOR_AFTER = CURSOR_BEFORE | {"hook_event_name": "postToolUse", "tool_output": '{"exit_code":0}', "duration": 812}
CURSOR_FAILED = CURSOR_BEFORE | {
    "hook_event_name": "postToolUseFailure",
    "error_message": "timed out",
    "failure_type": "timeout",
    "is_interrupt": False,
    "duration": 30000,
}
CURSOR_SHELL = CURSOR_COMMON | {
    "hook_event_name": "beforeShellExecution",
    "command": COMMAND,
    "cwd": "/users/alice/billing",
    "sandbox": False,
}
CURSOR_SHELL_AFTER = CURSOR_COMMON | {
    "hook_event_name": "afterShellExecution",
    "command": COMMAND,
    "output": "delete: ...",
    "duration": 640,
    "sandbox": False,
}
CURSOR_MCP = CURSOR_COMMON | {
    "hook_event_name": "beforeMCPExecution",
    "tool_name": "list_buckets",
    "tool_input": '{"region":"eu-west-1"}',
    "mcp_server_name": "aws",
    "url": "https://mcp.acme.example/mcp",
    "mcp_server_url": "https://mcp.acme.example/mcp",
}
CURSOR_SUBAGENT = CURSOR_COMMON | {
    "hook_event_name": "subagentStart",
    "subagent_id": "0c2f8f1e-7b1c-4b59-9d3e-0d52f7b5a1aa",
    "subagent_type": "generalPurpose",
    "task": "List every bucket that holds invoices",
    "parent_conversation_id": CONVERSATION,
    "tool_call_id": "call_3_task",
    "subagent_model": "claude-sonnet-5",
    "is_parallel_worker": False,
    "git_branch": "main",
}
CURSOR_STOP = CURSOR_COMMON | {"hook_event_name": "stop", "status": "completed", "loop_count": 0}
CURSOR_BEGAN = CURSOR_COMMON | {
    "hook_event_name": "sessionStart",
    "is_background_agent": False,
    "composer_mode": "agent",
}
CURSOR_ENDED = CURSOR_COMMON | {
    "hook_event_name": "sessionEnd",
    "reason": "user_close",
    "duration_ms": 45000,
    "is_background_agent": False,
    "final_status": "completed",
}

CLAUDE_PROMPT = CLAUDE_COMMON | {"hook_event_name": "UserPromptSubmit", "prompt": PROMPT, "source": "user"}
CLAUDE_BEFORE = CLAUDE_COMMON | _SHELL | {"hook_event_name": "PreToolUse", "tool_use_id": "toolu_01ABC"}
CLAUDE_AFTER = CLAUDE_BEFORE | {
    "hook_event_name": "PostToolUse",
    "tool_response": {"stdout": "", "stderr": "", "interrupted": False},
    "duration_ms": 812,
}
CLAUDE_STOP = CLAUDE_COMMON | {"hook_event_name": "Stop", "stop_hook_active": False}
CLAUDE_BEGAN = CLAUDE_COMMON | {"hook_event_name": "SessionStart", "source": "startup"}
CLAUDE_ENDED = CLAUDE_COMMON | {"hook_event_name": "SessionEnd", "reason": "prompt_input_exit"}

CODEX_PROMPT = CODEX_COMMON | {"hook_event_name": "UserPromptSubmit", "prompt": PROMPT}
CODEX_BEFORE = CODEX_COMMON | _SHELL | {"hook_event_name": "PreToolUse", "tool_use_id": "call_x1"}
CODEX_AFTER = CODEX_BEFORE | {"hook_event_name": "PostToolUse", "tool_response": "ok"}
CODEX_STOP = CODEX_COMMON | {"hook_event_name": "Stop", "stop_hook_active": False, "last_assistant_message": "Done."}
CODEX_BEGAN = CODEX_COMMON | {"hook_event_name": "SessionStart", "source": "startup"}

GEMINI_PROMPT = GEMINI_COMMON | {"hook_event_name": "BeforeAgent", "prompt": PROMPT}
GEMINI_BEFORE = GEMINI_COMMON | {
    "hook_event_name": "BeforeTool",
    "tool_name": "run_shell_command",
    "tool_input": {"command": COMMAND},
}
GEMINI_AFTER = GEMINI_BEFORE | {"hook_event_name": "AfterTool", "tool_response": {"llmContent": "ok"}}
GEMINI_STOP = GEMINI_COMMON | {"hook_event_name": "AfterAgent", "prompt": PROMPT, "prompt_response": "Done."}
GEMINI_BEGAN = GEMINI_COMMON | {"hook_event_name": "SessionStart", "source": "startup"}
GEMINI_ENDED = GEMINI_COMMON | {"hook_event_name": "SessionEnd", "reason": "exit"}


def raw(payload: Any) -> bytes:
    return json.dumps(payload).encode()
