"""Our AWS profiles inside a person's `~/.aws/config`, line by line: whatever else stands there is not touched.

Pure. What a profile has to say is `aws_profile`'s.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from gateway.client.setup_agents import SettingsUnreadable

_SECTION = re.compile(r"^\s*\[\s*([^\]]*?)\s*\]\s*([#;].*)?$")
_SETTING = re.compile(r"^([^\s=:#;\[][^=:]*?)\s*[=:]\s*(.*?)\s*$")
_NOTE = "# Written by `hoopweb setup aws`; `hoopweb setup aws --undo` takes it out."
_OURS = ("region", "endpoint_url", "credential_process", "ca_bundle")
# With one of these in the same profile, SDKs do not ask our program.
_RIVALS = (
    "aws_access_key_id", "aws_secret_access_key", "aws_session_token", "role_arn", "source_profile",
    "credential_source", "sso_session", "sso_start_url", "sso_account_id", "web_identity_token_file", "login_session",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One section by its lines: `first` is the header's, `past` is after its last; numbers from 0."""

    name: str
    first: int
    past: int


def config_file(environ: Mapping[str, str]) -> str:
    """Where SDKs read their profiles."""
    home = environ.get("HOME") or os.path.expanduser("~")
    return os.path.expanduser(environ.get("AWS_CONFIG_FILE") or os.path.join(home, ".aws", "config"))


def header_of(profile: str) -> str:
    """The section of a profile, as SDKs look for it."""
    if profile == "default":
        return "default"
    is_plain = re.fullmatch(r"[\w.@:/+-]+", profile) is not None
    return f"profile {profile}" if is_plain else f"profile {shlex.quote(profile)}"


def merged(path: str, text: str, profile: str, settings: Mapping[str, str]) -> str:
    """The file with the profile in it; raises SettingsUnreadable where SDKs would read it otherwise than meant."""
    lines = text.splitlines(keepends=True)
    section = _section(path, lines, profile)
    end = _line_end(text)
    if section is None:
        gap = "" if not text.strip() else end if text.endswith(("\n", "\r")) else end * 2
        block = [_NOTE, f"[{header_of(profile)}]", *(f"{name} = {value}" for name, value in settings.items())]
        return f"{text}{gap}{end.join(block)}{end}"
    _check_rivals(path, lines, section)
    return "".join(_with_settings(lines, section, settings, end))


def removed(path: str, text: str) -> str:
    """The file without our settings: whole sections where nothing else is in them."""
    lines = text.splitlines(keepends=True)
    for section in reversed(sections(path, lines)):
        if not _is_ours(settings_of(lines, section).get("credential_process", "")):
            continue
        foreign = set(settings_of(lines, section)) - set(_OURS)
        kept = [line for line in lines[section.first + 1 : section.past] if _name(line) not in _OURS]
        if foreign or any(line.strip() for line in kept):
            # A region may have been the person's own before; it harms nobody.
            lines[section.first + 1 : section.past] = [
                line for line in lines[section.first + 1 : section.past] if _name(line) not in _OURS[1:]
            ]
            continue
        first = section.first
        if first and lines[first - 1].strip() == _NOTE:
            first -= 1
        if first and not lines[first - 1].strip():
            first -= 1
        lines[first : section.past] = []
    return "".join(lines)


def profiles(path: str, text: str) -> dict[str, dict[str, str]]:
    """Every profile with its settings; raises SettingsUnreadable."""
    lines = text.splitlines(keepends=True)
    found: dict[str, dict[str, str]] = {}
    for section in sections(path, lines):
        name = _profile_name(section.name)
        if name:
            found.setdefault(name, {}).update(settings_of(lines, section))
    return found


def is_ours(settings: Mapping[str, str]) -> bool:
    """Whether a profile's keys come from our program."""
    return _is_ours(settings.get("credential_process", ""))


def sections(path: str, lines: list[str]) -> list[Section]:
    """Every section in order; raises SettingsUnreadable with the line that is none of the format."""
    heads: list[tuple[str, int]] = []
    for number, line in enumerate(lines):
        header = _SECTION.match(line)
        if header is not None:
            heads.append((header.group(1), number))
        elif line.strip() and line.lstrip()[0] not in "#;":
            is_continued = line[0].isspace() and bool(heads)
            if not (is_continued or (heads and _SETTING.match(line))):
                raise SettingsUnreadable(
                    f"{path}, line {number + 1}: this is no section and no setting. Nothing was changed; mend it first."
                )
    ends = [*(first for _, first in heads[1:]), len(lines)][: len(heads)]
    return [Section(name=name, first=first, past=past) for (name, first), past in zip(heads, ends, strict=True)]


def settings_of(lines: list[str], section: Section) -> dict[str, str]:
    matches = [_SETTING.match(line) for line in lines[section.first + 1 : section.past]]
    return {match.group(1).lower(): match.group(2) for match in matches if match is not None}


def _section(path: str, lines: list[str], profile: str) -> Section | None:
    found = [one for one in sections(path, lines) if _profile_name(one.name) == profile]
    if len(found) > 1:
        raise SettingsUnreadable(
            f"{path}, line {found[1].first + 1}: the profile {profile} stands here a second time. Nothing was changed."
        )
    return found[0] if found else None


def _check_rivals(path: str, lines: list[str], section: Section) -> None:
    for number in range(section.first + 1, section.past):
        if _name(lines[number]) in _RIVALS:
            raise SettingsUnreadable(
                f"{path}, line {number + 1}: {_name(lines[number])} in this profile would be used instead of the "
                "gateway's keys. Nothing was changed: give another name with --aws-profile, or take the line out."
            )


def _with_settings(lines: list[str], section: Section, settings: Mapping[str, str], end: str) -> list[str]:
    body, waiting = lines[section.first + 1 : section.past], dict(settings)
    for index, line in enumerate(body):
        match = _SETTING.match(line)
        if match is None or match.group(1).lower() not in waiting:
            continue
        value = waiting.pop(match.group(1).lower())
        if match.group(2) != value:
            body[index] = f"{match.group(1)} = {value}{end}"
    filled = max((index + 1 for index, line in enumerate(body) if line.strip()), default=0)
    if filled and not body[filled - 1].endswith(("\n", "\r")):
        body[filled - 1] += end
    body[filled:filled] = [f"{name} = {value}{end}" for name, value in waiting.items()]
    head = lines[: section.first + 1]
    head[-1] = head[-1] if head[-1].endswith(("\n", "\r")) else head[-1] + end
    return head + body + lines[section.past :]


def _profile_name(header: str) -> str:
    """The profile a section is about; empty for other kinds of section."""
    if header == "default":
        return header
    kind, _, rest = header.partition(" ")
    try:
        words = shlex.split(rest)
    except ValueError:
        return ""
    return words[0] if kind == "profile" and len(words) == 1 else ""


def _name(line: str) -> str:
    match = _SETTING.match(line)
    return match.group(1).lower() if match is not None else ""


def _is_ours(process: str) -> bool:
    try:
        words = shlex.split(process)
    except ValueError:
        return False
    is_program = bool(words) and (os.path.basename(words[0]) == "hoopweb" or "gateway.client" in words)
    return is_program and "credentials" in words


def _line_end(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"
