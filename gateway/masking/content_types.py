"""What a payload is: text that can be decoded and scanned, opaque by its format, or unknown.

The declared type is only a hint: text is read as text whatever it is called, so that a name cannot hide it.
Compression and UTF-16 are taken off in `codings`; what happens to what cannot be read is the connection's choice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase

# So much of the beginning tells text from other data.
SAMPLE = 8 * 1024


class Readability(StrEnum):
    """Whether a payload can be scanned. Closed: outcome and documentation name these."""

    DECODED = "decoded"
    OPAQUE = "opaque"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentKind:
    """What a payload was found to be; `name` is a format's or a reason's, never the payload's words."""

    readability: Readability
    name: str


# Formats by their first bytes (offset, bytes, name): certain, whatever is declared.
MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (0, b"II*\x00", "image/tiff"),
    (0, b"MM\x00*", "image/tiff"),
    (0, b"\x00\x00\x01\x00", "image/x-icon"),
    (8, b"WEBP", "image/webp"),
    (4, b"ftyp", "video/mp4"),
    (0, b"\x1aE\xdf\xa3", "video/webm"),
    (0, b"OggS", "audio/ogg"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"fLaC", "audio/flac"),
    (8, b"WAVE", "audio/wav"),
    (8, b"AVI ", "video/avi"),
    (0, b"%PDF-", "application/pdf"),
    (0, b"PK\x03\x04", "application/zip"),
    (0, b"PK\x05\x06", "application/zip"),
    (0, b"PK\x07\x08", "application/zip"),
    (0, b"7z\xbc\xaf'\x1c", "application/x-7z-compressed"),
    (0, b"Rar!\x1a\x07", "application/vnd.rar"),
    (0, b"\xfd7zXZ\x00", "application/x-xz"),
    (0, b"BZh", "application/x-bzip2"),
    (0, b'\x04"M\x18', "application/x-lz4"),
    (0, b"\xff\x06\x00\x00sNaPpY", "application/x-snappy-framed"),
    (257, b"ustar", "application/x-tar"),
    (0, b"!<arch>\n", "application/x-archive"),
    (0, b"PAR1", "application/vnd.apache.parquet"),
    (0, b"ORC", "application/vnd.apache.orc"),
    (0, b"Obj\x01", "application/avro"),
    (0, b"ARROW1", "application/vnd.apache.arrow.file"),
    (0, b"\x89HDF\r\n\x1a\n", "application/x-hdf5"),
    (0, b"SQLite format 3\x00", "application/vnd.sqlite3"),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"),
    (0, b"\x7fELF", "application/x-elf"),
    (0, b"MZ\x90\x00", "application/x-msdos-program"),
    (0, b"\xca\xfe\xba\xbe", "application/java-vm"),
    (0, b"\x00asm", "application/wasm"),
    (0, b"wOFF", "font/woff"),
    (0, b"wOF2", "font/woff2"),
    (0, b"Salted__", "encrypted/openssl"),
    (0, b"age-encryption.org/v1\n", "encrypted/age"),
    (0, b"\x85\x02", "encrypted/openpgp"),
    (0, b"\x85\x01", "encrypted/openpgp"),
    (0, b"\x01\x02\x02\x78", "encrypted/kms"),
)
# Declared types, first match wins; `*` as in file names. What matches nothing says nothing.
DECLARED: Mapping[str, Readability] = {
    "text/*": Readability.DECODED,
    "image/svg+xml": Readability.DECODED,
    "application/json*": Readability.DECODED,
    "application/*+json": Readability.DECODED,
    "application/x-ndjson": Readability.DECODED,
    "application/jsonl*": Readability.DECODED,
    "application/xml": Readability.DECODED,
    "application/*+xml": Readability.DECODED,
    "application/*yaml": Readability.DECODED,
    "application/toml": Readability.DECODED,
    "application/sql": Readability.DECODED,
    "application/*javascript": Readability.DECODED,
    "application/csv": Readability.DECODED,
    "application/x-www-form-urlencoded": Readability.DECODED,
    "application/x-pem-file": Readability.DECODED,
    "application/x-sh": Readability.DECODED,
    "image/*": Readability.OPAQUE,
    "audio/*": Readability.OPAQUE,
    "video/*": Readability.OPAQUE,
    "font/*": Readability.OPAQUE,
    "model/*": Readability.OPAQUE,
    "application/pdf": Readability.OPAQUE,
    "application/*zip*": Readability.OPAQUE,
    "application/*compress*": Readability.OPAQUE,
    "application/x-tar": Readability.OPAQUE,
    "application/*rar*": Readability.OPAQUE,
    "application/*parquet*": Readability.OPAQUE,
    "application/*avro*": Readability.OPAQUE,
    "application/*orc": Readability.OPAQUE,
    "application/*arrow*": Readability.OPAQUE,
    "application/*sqlite*": Readability.OPAQUE,
    "application/*pickle*": Readability.OPAQUE,
    "application/msword": Readability.OPAQUE,
    "application/vnd.ms-*": Readability.OPAQUE,
    "application/vnd.openxmlformats*": Readability.OPAQUE,
    "application/vnd.oasis*": Readability.OPAQUE,
    "application/java-archive": Readability.OPAQUE,
    "application/wasm": Readability.OPAQUE,
    "application/pgp-encrypted": Readability.OPAQUE,
    "application/pkcs7-mime": Readability.OPAQUE,
    "application/*protobuf": Readability.OPAQUE,
}
# Control characters text may hold: tab, line ends, form feed, backspace and escape (terminal colours), and bell.
_PLAIN = bytes(sorted({*range(0x20, 0x7F), *range(0x80, 0x100), *b"\t\n\r\f\b\a\x1b\v"}))


def classify(declared: str, sample: bytes) -> ContentKind:
    """What a payload is that begins with `sample` (up to SAMPLE bytes; none of an empty one)."""
    for offset, magic, name in MAGIC:
        if sample.startswith(magic, offset):
            return ContentKind(readability=Readability.OPAQUE, name=name)
    if is_text(sample):
        return ContentKind(readability=Readability.DECODED, name="text")
    media = declared.partition(";")[0].strip().lower()
    found = next((what for pattern, what in DECLARED.items() if fnmatchcase(media, pattern)), None)
    if found is Readability.OPAQUE:
        return ContentKind(readability=Readability.OPAQUE, name=next_name(media))
    return ContentKind(readability=Readability.UNKNOWN, name="unknown")


def next_name(media: str) -> str:
    """The declared type's pattern in the table: a name of ours for what somebody else wrote."""
    return next(pattern for pattern in DECLARED if fnmatchcase(media, pattern))


def is_text(data: bytes) -> bool:
    """Whether these bytes read as text: UTF-8, or a one-byte alphabet with few letters outside ASCII."""
    if not data:
        return True
    strange = len(data.translate(None, _PLAIN))
    if b"\0" in data or strange * 100 > len(data):
        return False
    if data.isascii():
        return True
    try:
        data.decode()
    except UnicodeDecodeError as error:
        # A character cut at the end is no fault of the text.
        return error.start >= len(data) - 3 or _is_latin(data)
    return True


def _is_latin(data: bytes) -> bool:
    high = sum(byte >= 0x80 for byte in data[:SAMPLE])
    return high * 3 < len(data[:SAMPLE]) and not any(
        0x80 <= byte < 0xA0 for byte in data[:SAMPLE] if byte not in _CP1252
    )


# Windows' own letters in the range that Latin-1 leaves to controls: quotes, dashes, the euro.
_CP1252 = frozenset((0x80, 0x85, 0x91, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x99))
