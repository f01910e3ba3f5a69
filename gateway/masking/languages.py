"""The word for a password in the languages people write in, as text and as part of a name.

What stands beside such a word is for `wording` and `plausible` to judge.
"""

from __future__ import annotations

import re
import unicodedata

# As written, in small letters; endings are left off where languages have several.
_WORDS = (
    "passwort", "kennwort", "contraseñ", "contrasen[iy]", "mots? de passe", r"\bmdp\b", r"\bsenha", "palavra-passe", "parola", "wachtwoord",
    "hasł[oa]", r"\bhaslo\b", r"\bhesl[oa]", "lösenord", "adgangskode", "passord", "salasan[ao]", "jelsz[óo]", "lozink", r"\bgesl[oa]\b",
    "şifre", r"\bsifre", "slaptažod", "mật khẩu", "kata sandi", "kata laluan", "парол", "лозинк", "κωδικ[όο]", "パスワード", "暗証番号",
    "密码", "密碼", "口令", "비밀번호", "패스워드", "סיסמ", "كلمة المرور", "كلمة السر", "رمز عبور", "گذرواژه", "पासवर्ड", "รหัสผ่าน",
)  # fmt: skip
# The same as names have them: no accents, nothing between.
_NAMES = re.compile(
    r"passwort|kennwort|contrasen[aiy]|mots?depasse|mdp$|senha$|palavrapasse|parola$|wachtwoord|hasl[oa]$|hesl[oa]$|losenord|adgangskode|passord"
    r"|salasana|jelszo|lozinka|geslo$|sifre(?:si)?$|slaptazodis|matkhau|katasandi|katalaluan|парол|лозинк|κωδικο|パスワード|暗証番号|密码|密碼|口令"
    r"|비밀번호|패스워드|סיסמ|كلمةالمرور|كلمةالسر|رمزعبور|گذرواژه|पासवर्ड|รหัสผ่าน"
)
_ACCENTS = re.compile("[\u0300-\u036f]")
_BETWEEN = re.compile(r"[\s_.-]")

# In RE2's syntax, for text in UTF-8 and with `(?i)`.
PATTERN = "|".join(_WORDS)


def _either_case(word: str) -> str:
    """For an engine that knows the case of ASCII alone and takes each byte for a sign."""
    out = ""
    for part in re.findall(r"\[\w+\]|.", word):
        letters = part.strip("[]")
        either = dict.fromkeys((*letters, *letters.upper()))
        out += part if part.isascii() else f"(?:{'|'.join(either)})"
    return out


# In hyperscan's syntax, for bytes.
TRIGGER = "|".join(map(_either_case, _WORDS))


def folded(name: str) -> str:
    """In small letters and without accents: `Contraseña` is `contrasena`."""
    if name.isascii():
        return name.lower()
    parted = unicodedata.normalize("NFKD", name.casefold())
    return unicodedata.normalize("NFC", _ACCENTS.sub("", parted)).replace("ł", "l").replace("\u0131", "i")


def is_password_word(name: str) -> bool:
    """Whether a folded name says password in one of the languages other than English."""
    return _NAMES.search(_BETWEEN.sub("", name)) is not None
