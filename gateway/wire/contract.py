"""The admission contract: every message that travels between an edge and the control plane.

Encoded as MessagePack by msgspec; the HTTP around it is `gateway.edge.control` and `gateway.requests.api`.
"""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

import msgspec

from gateway.terms import OutcomeKind, Protocol

# A batch carries at most this many admissions or this many body bytes; a body past BODY_ALONE travels alone.
LARGEST_BATCH_ITEMS = 64
LARGEST_BATCH_BYTES = 4 * 1024 * 1024
LARGEST_SHARED_BODY = 1024 * 1024
# Parameters past this are refused: no AWS API but the payload operations takes more (Lambda Invoke takes 6 MB).
LARGEST_PARAMETERS = 16 * 1024 * 1024
LARGEST_SCANNED_BODY = 8 * 1024 * 1024
# What an outcome carries of the masked answer for the session's timeline.
LARGEST_RECORDED_HEAD = 64 * 1024


class Message(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all messages: frozen, strict, keyword only."""


class BodyMode(StrEnum):
    """How the edge routed a request without models: no body, parameters (buffered), payload (streamed)."""

    NONE = "none"
    PARAMETERS = "parameters"
    PAYLOAD = "payload"


class Admission(Message, frozen=True):
    """One request as it came off the wire. `target` is the raw request target, percent-encoding untouched."""

    id: UUID
    received_at: float
    listener: str
    source: str
    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body_mode: BodyMode
    body: bytes = b""
    body_sha256: str | None = None
    content_length: int | None = None
    can_hold: bool = False


class AdmissionBatch(Message, frozen=True):
    boot: UUID
    items: tuple[Admission, ...]


class Answer(Message, frozen=True):
    """A whole HTTP response, already in the client's dialect and already masked."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""


class SignedChunks(Message, frozen=True):
    """What verifies the chunks of one STREAMING-AWS4-HMAC-* upload (see `gateway.wire.aws_chunked`).

    `key` is derived from the gateway's credential for one day, region and service, and good for nothing else; `seed`
    is the head's signature; `trailers` are the announced names, empty in the mode without trailers.
    """

    key: bytes
    seed: str
    timestamp: str
    scope: str
    decoded_length: int
    trailers: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"SignedChunks({self.scope}, {self.decoded_length} bytes, trailers {self.trailers})"


class Upstream(Message, frozen=True):
    """Where and what to send. `host` is the signed Host header; the edge dials `dial_host:dial_port`.

    `headers` are complete and signed for exactly this request; the edge adds only Content-Length or
    Transfer-Encoding as the body demands. `payload_sha256` is the digest a streamed payload must have: the
    edge hashes on the fly and holds the last bytes back until it matches. With `chunks` the client's body is a
    signed aws-chunked one: the edge verifies it, and sends the payload plain, or framed anew where it has trailers.
    With `refuses_mask_tokens` a payload that holds one never becomes whole at AWS. With a `decoy_key` decoys are looked
    for in it and told of in the outcome; with `refuses_decoys` a payload that holds one never becomes whole either.
    """

    method: str
    target: str
    host: str
    headers: tuple[tuple[str, str], ...]
    dial_host: str
    dial_port: int
    is_tls: bool
    payload_sha256: str | None = None
    chunks: SignedChunks | None = None
    refuses_mask_tokens: bool = False
    decoy_key: bytes = b""
    refuses_decoys: bool = False


class SensitivityClass(StrEnum):
    """Bearer and secret are always masked unless a rule clears them; private is masked by policy."""

    BEARER = "bearer"
    SECRET = "secret"  # noqa: S105  # a class of members, not a password
    PRIVATE = "private"


class MaskPath(Message, frozen=True):
    """One sensitive member by its wire names; `*` stands for each list element or map value."""

    path: tuple[str, ...]
    sensitivity: SensitivityClass


class BodyForm(StrEnum):
    """What the response body is: a modelled structure, one raw blob or text payload, or an event stream."""

    STRUCTURE = "structure"
    BLOB = "blob"
    EVENT_STREAM = "event-stream"


class OpaqueChoice(StrEnum):
    """What a connection does with payloads that cannot be read: images, archives, encrypted or unknown ones.

    An edge withholds what is to be asked about; the control plane asks people when the same call comes again.
    """

    WITHHOLD = "withhold"
    ASK = "ask"
    PASS = "pass"  # noqa: S105  # a choice, not a password


class MaskPlan(Message, frozen=True):
    """How to mask one response. Paths use wire names; an XML path starts below the result wrapper.

    `is_clear` means a rule let the body pass unscanned (`@clear("body")`); `clear` lists cleared mask types,
    `masks` the private content types (`card`, `email`) policy asks for beyond the secret ones, and how values are
    written (`email-token`, `card-last4`, `password-decoy`); `token_key` is this session's and connection's, where tokens
    are asked for; `decoy_key` the tenant's and `decoy_tag` this response's, where decoys are.
    `opaque` is what happens to a payload that cannot be read. `s3_errors` selects S3's XML error shape. `range` is
    the part of an object the client asked for, of which more is fetched; `reads_range` is true for parts that cannot
    be widened and so not be masked. `detectors` are the tenant's own rules, packed (`gateway.masking.tenant_rules`).
    """

    protocol: Protocol
    body: BodyForm
    paths: tuple[MaskPath, ...] = ()
    header_paths: tuple[MaskPath, ...] = ()
    error_paths: tuple[MaskPath, ...] = ()
    clear: tuple[str, ...] = ()
    masks: tuple[str, ...] = ()
    token_key: bytes = b""
    decoy_key: bytes = b""
    decoy_tag: int = 0
    is_clear: bool = False
    reads_range: bool = False
    range: str = ""
    s3_errors: bool = False
    request_id: str = ""
    opaque: OpaqueChoice = OpaqueChoice.WITHHOLD
    detectors: bytes = b""


class VerdictKind(StrEnum):
    FORWARD = "forward"
    REFUSE = "refuse"
    HOLD = "hold"
    RESULT = "result"


class Hold(Message, frozen=True):
    """Wait for people. After `seconds` the client gets `pending`, which says how to come back."""

    approval_id: UUID
    seconds: float
    interim_seconds: float
    pending: Answer


class Verdict(Message, frozen=True):
    """The control plane's answer to one admission, or later the resolution of a hold.

    FORWARD carries `upstream`, `mask` and `commitment_salt`; REFUSE and RESULT carry `answer`; HOLD `hold`.
    `changes` says that the call is more than a read: the edge forwards it once for one signature.
    """

    id: UUID
    kind: VerdictKind
    upstream: Upstream | None = None
    mask: MaskPlan | None = None
    commitment_salt: bytes = b""
    changes: bool = False
    answer: Answer | None = None
    hold: Hold | None = None


class VerdictBatch(Message, frozen=True):
    items: tuple[Verdict, ...]


class Outcome(Message, frozen=True):
    """How one forwarded request ended, as the edge saw it. Times are epoch seconds, sizes bytes.

    `masked_values` are commitments to masked values under the verdict's salt, `mask_rules` the version of the rules.
    `bytes_unread` is text in which people's names were not looked for, although policy asks: past the bounds.
    Commitments are HMAC-SHA-256 in hex over the clear bytes under the verdict's salt; `head` is the start of
    the masked response body. `error` is a stable code (`upstream.unreachable`, `masking.withheld`, ...).
    `decoys` are those met in the payload sent, as `shape:tag`.
    """

    id: UUID
    kind: OutcomeKind
    ended_at: float
    started_at: float | None = None
    status: int | None = None
    aws_request_id: str = ""
    error: str = ""
    bytes_up: int = 0
    bytes_down: int = 0
    bytes_scanned: int = 0
    bytes_unscanned: int = 0
    masked_by_type: dict[str, int] = {}
    masked_by_rule: dict[str, int] = {}
    masked_values: tuple[str, ...] = ()
    mask_rules: str = ""
    bytes_unread: int = 0
    request_commitment: str = ""
    response_commitment: str = ""
    content_type: str = ""
    head: bytes = b""
    head_is_whole: bool = True
    decoys: tuple[str, ...] = ()


class OutcomeBatch(Message, frozen=True):
    boot: UUID
    items: tuple[Outcome, ...]


class OutcomeReceipt(Message, frozen=True):
    """Ids the control plane has stored: only these may leave the journal."""

    stored: tuple[UUID, ...]


class JournalStatement(Message, frozen=True):
    """What an edge's journal says of an earlier boot: ids whose first byte may have left, with no outcome."""

    boot: UUID
    sending: tuple[UUID, ...]


class JournalKeysRequest(Message, frozen=True):
    """Sent before a boot is registered: its journal, and those of earlier boots found on the disk, want their keys."""

    boots: tuple[UUID, ...]


class JournalKey(Message, frozen=True):
    """What seals one boot's journal; kept in memory alone. `heard` is how many records the edge has told of."""

    boot: UUID
    key: bytes
    heard: int = 0


class JournalKeys(Message, frozen=True):
    items: tuple[JournalKey, ...]


class JournalTrouble(StrEnum):
    """Why a journal is no witness. POWER_LOST is nobody's doing; each other one somebody should look into."""

    ALTERED = "altered"
    NOT_SEALED = "not_sealed"
    SHORT = "short"
    UNREADABLE = "unreadable"
    MISSING = "missing"
    POWER_LOST = "power_lost"


class JournalDamage(Message, frozen=True):
    """An earlier boot's journal that cannot be believed to its end."""

    boot: UUID
    reason: JournalTrouble


class BootRequest(Message, frozen=True):
    """Sent once at start, before any admission. All earlier boots of this edge are fenced by it."""

    boot: UUID
    version: str
    statements: tuple[JournalStatement, ...] = ()
    damage: tuple[JournalDamage, ...] = ()


class BootAnswer(Message, frozen=True):
    feed_seconds: float
    hold_seconds: float


class HoldEnd(Message, frozen=True):
    """A held client got its pending answer or went away; the request ends as not sent."""

    id: UUID
    client_is_gone: bool


class Refusal(Message, frozen=True):
    """Input refused at the edge before any admission: counted, never a tenant's event."""

    source: str
    code: str
    count: int


class FeedRequest(Message, frozen=True):
    """Every ~250 ms: which calls are held, which holds ended, where in each tenant's ledger the edge is.

    `journal` is how many records the boot's journal has had: a file that is shorter later was cut by somebody.
    """

    boot: UUID
    journal: int = 0
    cursor: dict[str, int] = {}
    held: tuple[UUID, ...] = ()
    ended: tuple[HoldEnd, ...] = ()
    refusals: tuple[Refusal, ...] = ()


class Notice(Message, frozen=True):
    """Something an edge must act on: a revoked key, a new revision, a suspended principal."""

    kind: str
    subject: UUID


class FeedAnswer(Message, frozen=True):
    """Resolutions for held ids, notices past the cursor, whether this edge may still admit, and if it needs a new key."""

    cursor: dict[str, int]
    resolutions: tuple[Verdict, ...] = ()
    notices: tuple[Notice, ...] = ()
    is_revoked: bool = False
    is_key_due: bool = False


class Enrolment(Message, frozen=True):
    """One-time token and the edge's own Ed25519 public key (raw, 32 bytes)."""

    token: str
    name: str
    public_key: bytes


class EnrolmentAnswer(Message, frozen=True):
    edge_id: UUID


class KeyOffer(Message, frozen=True):
    """An edge's next public key; `proof` is `edge_key_proof` signed by it, the call itself by the present one."""

    public_key: bytes
    proof: bytes


class KeyOfferAnswer(Message, frozen=True):
    """Until `after_seconds` have passed the new key is not known everywhere; the present one is good until then."""

    after_seconds: float


def edge_key_proof(*, edge_id: UUID, public_key: bytes) -> bytes:
    """What the next key signs: nobody offers a key that is not theirs, and no offer serves another edge."""
    return b"\n".join((b"HOOPWEB-EDGE-KEY-1", str(edge_id).encode(), public_key.hex().encode()))


def edge_string_to_sign(*, method: str, path: str, date: str, body_sha256: str) -> bytes:
    """What an edge signs with its Ed25519 key for each call to the control plane (`date` is epoch seconds)."""
    return "\n".join(("HOOPWEB-EDGE-1", method, path, date, body_sha256)).encode()
