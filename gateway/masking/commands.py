"""Credentials on command lines: options that say what they are, and programs whose short options do.

What is written in files, headers and prose is `rules`' and `assignments`' work.
"""

from __future__ import annotations

import re2

from gateway.masking.catalogue import ByteSpan
from gateway.masking.plausible import is_placeholder
from gateway.masking.rules import Rule, rule
from gateway.masking.triggers import Detector

# Another option, a kind of password, or where openssl is to read one.
_SAYS_WHERE = ("-", "type=", "env:", "file:", "fd:", "stdin")


def _is_option_value(match: re2._Match[bytes], data: bytes) -> bool:
    value = match.group(match.lastindex or 0).decode("utf-8", "replace")
    return len(value) >= 4 and not value.startswith(_SAYS_WHERE) and not is_placeholder(value)


_OPTION = (
    r"(?:[a-z0-9]+[-_])*(?:password|passwd|passphrase|pass|secret|token|api[-_]?key|access[-_]?key|secret[-_]?key"
    r"|private[-_]?key|auth[-_]?key|credentials?|bearer|(?:src|dest)?(?:store|key)pass)"
)

# Programs that take a password without a name for it, and where in their line it stands.
_PLACES = "|".join(
    (
        r"ldap(?:search|add|modify|delete|whoami|passwd|compare)\b[^\n|;]{0,200}?\s-w\s{0,2}[\"']?([^\s\"'`;|]{4,})",
        r"snmp[a-z]{2,12}\b[^\n|;]{0,200}?\s-[AX]\s{1,2}[\"']?([^\s\"'`;|]{8,})",
        r"\b(?:zip|unzip|mosquitto_(?:pub|sub)|ipmitool)\b[^\n|;]{0,200}?\s-P\s{0,2}[\"']?([^\s\"'`;|]{4,})",
        r"(?:7z[az]?|rar|unrar|rdesktop|psexec)\s[^\n|;]{0,200}?\s-p\s{0,1}[\"']?([^\s\"'`;|]{4,})",
        r"(?:smbclient|rpcclient|smbmap|crackmapexec|net)\b[^\n|;]{0,120}?\s-U\s{0,2}[\"']?[^\s%\"']{1,64}%([^\s\"'`;|]{4,})",
        r"htpasswd\s(?:-[A-Za-z]{1,8}\s{1,3}){0,3}-[A-Za-z]{0,6}b[A-Za-z]{0,6}\s{1,3}\S{1,120}\s{1,3}\S{1,64}\s{1,3}[\"']?([^\s\"'`;|]{4,})",
        r"rabbitmqctl\s[^\n|;]{0,60}?(?:add_user|change_password|authenticate_user)\s{1,3}\S{1,64}\s{1,3}[\"']?([^\s\"'`;|]{4,})",
        r"net\s{1,3}use\s[^\n|;]{0,160}?/user:\S{1,80}\s{1,3}[\"']?([^\s\"'`;|/]{4,})",
        r"aws\s{1,3}configure\s{1,3}set\s{1,3}\S{0,60}(?:secret|token)\S{0,40}\s{1,3}[\"']?([^\s\"'`;|]{8,})",
        r"lftp\s[^\n|;]{0,80}?-u\s{0,2}[^\s,]{1,64},([^\s\"'`;|]{4,})",
        r"/p:[\"']?([^\s\"'`;|/]{6,})[^\n]{0,120}/(?:v|u):|xfreerdp\s[^\n|;]{0,160}?/p:[\"']?([^\s\"'`;|]{4,})",
        r"(?:echo|printf)\s{1,3}(?:-n\s{1,3})?[\"']?([^\s\"'`|]{4,})[\"']?\s{0,3}\|[^\n]{0,120}(?:--password-stdin|sudo\s{1,3}-S|kinit\b)",
        r"(?:echo|printf)\s{1,3}[\"']?[\w.-]{1,64}:([^\s\"'`|]{4,})[\"']?\s{0,3}\|\s{0,3}(?:sudo\s{1,3})?chpasswd",
        r"mysqladmin\s[^\n|;]{0,120}?\spassword\s{1,3}[\"']?([^\s\"'`;|]{4,})",
        r"ssh-keygen\s[^\n|;]{0,160}?\s-[NP]\s{1,3}[\"']?([^\s\"'`;|]{4,})",
        r"openssl\s[^\n|;]{0,200}?\s-(?:k|pass(?:in|out)?)\s{1,3}[\"']?(?:pass:)?([^\s\"'`;|]{4,})",
        r"securestring\s{1,3}(?:-string\s{1,3})?[\"']([^\"'\n]{4,})[\"']",
    )
)

RULES: tuple[Rule, ...] = (
    rule(
        "cli-option",
        "password",
        r"-(?:[a-z0-9]{1,24}[-_]){0,4}(?:password|passwd|passphrase|pass|secret|token|api[-_]?key|access[-_]?key|secret[-_]?key"
        r"|private[-_]?key|auth[-_]?key|credentials?|bearer|(?:store|key)pass)[\s=\"',]",
        r"(?i)(?:^|[\s\"'\[,(])--?" + _OPTION + r"(?:\s{0,2}=\s{0,2}|[\s\"',]{1,5})[\"']?([^\s\"'`]{4,})",
        _is_option_value,
        behind=140,
        ahead=512,
    ),
    rule(
        "curl-user",
        "password",
        r"\s-u|\s-a\s|\s--(?:user|proxy-user|auth)[\s=]",
        r"(?i)(?:curl|wget|https?)\b[^\n]{0,300}?\s(?:-u|--user|--proxy-user|-a|--auth)[\s=]?[\"']?[^\s:\"']{1,}:([^\s\"'`]{3,})",
        _is_option_value,
        behind=400,
        ahead=512,
    ),
    rule(
        "mysql-p",
        "password",
        r"\s-p",
        r"(?i)(?:mysql\w*|mariadb\w*)\b[^\n|;]{0,200}?\s-p[\"']?([^\s\"'`;|]{4,})"
        r"|(?i)(?:sshpass|mongo\w*)\b[^\n|;]{0,200}?\s-p\s{0,2}[\"']?([^\s\"'`;|]{4,})",
        _is_option_value,
        behind=260,
        ahead=300,
    ),
    rule(
        "login-p",
        "password",
        r"\s-[pa][\s=]|\s-P|(?:sqlplus|rman|expdp|impdp)\s",
        r"(?i)(?:docker|podman|helm|az|oc|cf|registry)\s[^\n|;]{0,40}login\b[^\n|;]{0,200}?\s-p[\s=]{1,2}[\"']?([^\s\"'`;|]{4,})"
        r"|(?i)redis-cli\b[^\n|;]{0,200}?\s-a\s{1,2}[\"']?([^\s\"'`;|]{4,})"
        r"|(?:sqlcmd|osql|isql|bcp)\b[^\n|;]{0,200}?\s-P\s{0,2}[\"']?([^\s\"'`;|]{4,})"
        r"|(?i)(?:sqlplus|rman|expdp|impdp)\s[^\n|;]{0,60}?\w{1,40}/([^\s\"'`;|@/]{4,})@",
        _is_option_value,
        behind=260,
        ahead=300,
    ),
    rule(
        "command-place",
        "password",
        r"ldap(?:search|add|modify|delete|whoami|passwd|compare)\s|\bsnmp[a-z]{2,12}\s|\b(?:un)?zip\s|mosquitto_[ps]ub|ipmitool|\b7z[az]?\s"
        r"|\brar\s|rdesktop|psexec|smbclient|rpcclient|\s-u\s{0,2}[\"']?[^\s%\"']{1,64}%|htpasswd|rabbitmqctl|net\s{1,3}use|configure\s{1,3}set"
        r"|\blftp\s|\s/p:|--password-stdin|sudo\s{1,3}-s|\bkinit\b|chpasswd|mysqladmin|ssh-keygen|securestring\s|openssl\s",
        "(?i)" + _PLACES,
        _is_option_value,
        behind=300,
        ahead=400,
    ),
)
DETECTORS: tuple[Detector[ByteSpan], ...] = tuple(each.detector for each in RULES)
