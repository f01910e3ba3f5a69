"""Names of people in small text: which pieces are read, within which bounds, and which answers are believed. Pure.

Reading itself takes a model of a language, which lives in a process of its own: `gateway.names`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from gateway.masking.catalogue import ScannerFailed
from gateway.masking.replacement import Tally

# The mask type that asks for it: `@mask("person")`.
PERSON = "person"
# A model takes some 30 ms a KB: all that one body may cost is about half a second.
MOST_CHARACTERS = 16 * 1024
MOST_PIECES = 256
LARGEST_PIECE = 4 * 1024
LONGEST_NAME = 64
MOST_WORDS = 5


class NamesUnread(ScannerFailed):
    """Names were to be looked for and nobody could: nothing of the text may be taken for looked at."""


class NameReader(Protocol):
    """Finds people's names. `rule` cites the model in masking records."""

    @property
    def rule(self) -> str: ...

    def read(self, texts: Sequence[str]) -> Sequence[Sequence[tuple[int, int]]]:
        """For each text where names may stand, in code points. Raises NamesUnread."""
        ...


class Name(NamedTuple):
    """Where one stands, as `content.Span` says it of secrets."""

    start: int
    end: int
    kind: str
    rule: str


class Labelled(NamedTuple):
    """A text and the name of the member it stands in, empty where there is none."""

    label: str
    text: str


@dataclass(slots=True, kw_only=True)
class People:
    """One body's look for names, and what is left of its bounds."""

    reader: NameReader
    characters_left: int = MOST_CHARACTERS
    pieces_left: int = MOST_PIECES

    def spans(self, texts: Sequence[Labelled], tally: Tally) -> list[list[Name]]:
        """Names in each text, in code points; bytes that could hold one and were not read go to the tally."""
        found: list[list[Name]] = [[] for _ in texts]
        asked: list[tuple[int, int, str]] = []
        for index, (label, text) in enumerate(texts):
            if is_persons(label) and _may_be_name(text):
                found[index].append(Name(0, len(text), PERSON, "person:field"))
                continue
            for start, piece in pieces_of(text):
                if self._takes(piece):
                    asked.append((index, start, piece))
                else:
                    tally.bytes_unread += len(piece.encode("utf-8", "replace"))
        if asked:
            self._read(asked, found)
        return found

    def _takes(self, piece: str) -> bool:
        if self.pieces_left < 1 or len(piece) > self.characters_left:
            return False
        self.pieces_left -= 1
        self.characters_left -= len(piece)
        return True

    def _read(self, asked: list[tuple[int, int, str]], found: list[list[Name]]) -> None:
        answers = self.reader.read([piece for _, _, piece in asked])
        if len(answers) != len(asked):
            raise NamesUnread("another number of answers came than was asked for")
        for (index, start, piece), spans in zip(asked, answers, strict=True):
            for name in filter(None, (believed(piece, *span) for span in spans)):
                found[index].append(Name(start + name[0], start + name[1], PERSON, self.reader.rule))


# A capital that begins a word, and not a part of a path, an address or an identifier. Scripts without case count.
_WORD = re.compile(r"(?<![\w/:@#$%&+*\\.-])[^\W\d_][^\W\d_'\u2019.-]*")
_SPACE = re.compile(r"\s")


def pieces_of(text: str) -> Iterator[tuple[int, str]]:
    """The pieces of a text that may hold a name, each with its place: lines, long ones cut between words."""
    place = 0
    for line in text.splitlines(keepends=True):
        start = place
        place += len(line)
        while start < place:
            piece = text[start : min(place, start + LARGEST_PIECE)]
            if start + len(piece) < place and (cut := max(piece.rfind(" "), piece.rfind("\t"))) > 0:
                piece = piece[: cut + 1]
            if may_hold_name(piece):
                yield start, piece
            start += len(piece)


def may_hold_name(piece: str) -> bool:
    """Whether some word in it begins as a name does, beside another word: one word alone tells nothing."""
    if _SPACE.search(piece.strip()) is None:
        return False
    return any(not match.group()[0].islower() for match in _WORD.finditer(piece))


# Said of people alone; `Name`, `UserName` and `DisplayName` are said of everything.
_PERSONS = re.compile(
    r"(?:full|first|last|given|family|middle|maiden)names?|surname|forename"
    r"|(?:customer|patient|employee|person|contact|cardholder|accountholder|holder|payer|payee|recipient|beneficiary"
    r"|passenger|spouse|guest|student)(?:full|first|last|given|family)?name"
)
_NOT_LETTER = re.compile(r"[^a-z]")
_NO_NAME = re.compile(r"[\d_/\\:@#=<>{}\[\]()$%]")


def is_persons(label: str) -> bool:
    """Whether a member of this name holds a person's name."""
    if len(label) > LONGEST_NAME:
        return False
    return _PERSONS.fullmatch(_NOT_LETTER.sub("", label.lower())) is not None


def _may_be_name(text: str) -> bool:
    return 1 < len(text.strip()) <= LONGEST_NAME and _NO_NAME.search(text) is None


# What a model is to be disbelieved: beside these signs stands a part of an identifier, a path or code.
_BESIDE = frozenset("/\\:@#$%&=+*_~|-")
_BEFORE = (_BESIDE | {"."}) - {"="}
_AFTER = frozenset("/\\@#$%&=+*_~-([")
_TITLE = re.compile(r"(?i)(?:mr|mrs|ms|miss|dr|prof|sir|dear|hi|hello|hey)\.?\s+")
_EDGES = " \t\r\n\"'\u201c\u201d\u2018\u2019,;:.!?()[]<>*-\u2013\u2014|"
_POSSESSIVE = re.compile(r"['\u2019]s?\Z")
_PARTICLES = (
    """al ap bin bint da das de del della den der des di do dos du el ibn la le les ten ter te van vom von y zu zum"""
)
# What is in no name: products, services, and words of logs that begin with a capital.
_NOT_PEOPLE = """
    access account action admin administrator agent airflow alarm alias amazon android ansible apache api app
    apple aws azure backend backup bash batch beanstalk bedrock billing bitbucket bucket build celery cloud
    cloudformation cloudfront cloudtrail cloudwatch cluster cognito cohere config connect console container
    copilot cursor dashboard database datadog debian default delete deploy deployment dev development docker
    dynamo dynamodb ec2 ecs edge eks elastic elasticsearch endpoint engine environment error event exception
    fargate fedora firehose flask function gateway gemini git github gitlab glacier glue google grafana graphql
    group guardduty hadoop handler haskell helm id image info inspector instance internet invalid istio january
    java javascript jira job json july jupyter kafka key kibana kinesis kubernetes lambda linux llama log
    manager maven memcached microsoft mistral mongo mongodb monday mysql neptune nginx node none notification
    null object office openai openapi opensearch operator order outlook owner pipeline plugin policy postgres
    postgresql production prometheus proxy python queue rabbitmq rails react redis redshift request resource
    response role route router runtime s3 sagemaker saturday scheduler secret server service session slack
    snowflake spark sql sqs stack staging status storage subnet sunday systems table task team template
    terraform test textract thursday timeout token topic true trusted tuesday ubuntu unknown update user users
    vault version volume vpc warning wednesday windows worker workflow xray yaml zookeeper
"""
# And what is a name only beside another word.
_ALSO_PEOPLE = "april athena august aurora cassandra claude django jenkins june macie march may oracle polly ruby rust spring swift titan"
_NEVER, _NOT_ALONE, _SMALL = (frozenset(words.split()) for words in (_NOT_PEOPLE, _ALSO_PEOPLE, _PARTICLES))
_CAMEL = re.compile(r"[^\W\d_]*[a-zß-ÿ](?=[A-Z])[^\W\d_]*")
_CAMEL_NAMES = re.compile(r"(?:Mc|Mac|De|Di|Du|La|Le|Van|Von|Fitz|Al|O|D|L)['\u2019]?[A-Z][^\W\d_A-Z]+")


def believed(text: str, start: int, end: int) -> tuple[int, int] | None:
    """The name within what a model took for one, or None where it is an identifier, code, a product or no name at all."""
    if not 0 <= start < end <= len(text):
        return None
    start, end = _trimmed(text, start, end)
    name = text[start:end]
    if not 1 < len(name) <= LONGEST_NAME or _NO_NAME.search(name):
        return None
    if (start and text[start - 1] in _BEFORE) or text[end : end + 1] in _AFTER:
        return None
    return (start, end) if _is_name(name) else None


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """Without titles, signs at the edges, and the possessive."""
    while start < end and text[start] in _EDGES:
        start += 1
    if match := _TITLE.match(text, start, end):
        start = match.end()
    # An initial keeps its full stop for its own; that one more stands in clear tells nothing.
    while start < end and text[end - 1] in _EDGES:
        end -= 1
    match = _POSSESSIVE.search(text[start:end])
    return start, start + match.start() if match else end


def _is_name(name: str) -> bool:
    words = name.split()
    capitals = [word for word in words if word.lower() not in _SMALL]
    if not capitals or len(words) > MOST_WORDS or not all(map(_is_word_of_name, capitals)):
        return False
    if len(capitals) > 1:
        return True
    # One word of capitals alone is a state or a code.
    return _plain(capitals[0]) not in _NOT_ALONE and not (capitals[0].isupper() and capitals[0].isascii())


def _is_word_of_name(word: str) -> bool:
    if word[0].islower() or _plain(word) in _NEVER:
        return False
    return _CAMEL.fullmatch(word) is None or _CAMEL_NAMES.fullmatch(word) is not None


def _plain(word: str) -> str:
    return word.lower().strip(".'\u2019,")
