"""One signed POST to the control plane, tried at each of its addresses until a deadline.

What the messages mean is `control`'s. Every message may be sent twice: ids make the second harmless.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Sequence
from urllib.parse import urlsplit

import msgspec

from gateway.edge import http1
from gateway.edge.identity import Identity
from gateway.edge.upstream import Lost, Place, Pool, Unreachable

CONTENT_TYPE = "application/vnd.hoopweb.edge+msgpack"
# One attempt's share of the deadline: a hung web process must leave time to ask its neighbour.
ATTEMPT_SECONDS = 4.0
LARGEST_ANSWER_BYTES = 64 * 1024 * 1024
_PAUSES = (0.02, 0.05, 0.1, 0.2, 0.5)


class Unanswered(Exception):
    """No address of the control plane gave a usable answer in time."""


class Rejected(Exception):
    """The control plane answered and said no; `code` is its problem's stable code."""

    def __init__(self, *, status: int, code: str) -> None:
        super().__init__(f"{status} {code}")
        self.status = status
        self.code = code


class _Busy(Exception):
    """This address cannot answer now; another one may."""


class _Problem(msgspec.Struct):
    code: str = ""


class ControlHttp:
    """Keeps to one address while it answers and goes round to the next when it does not."""

    def __init__(self, *, urls: Sequence[str], identity: Identity, pool: Pool) -> None:
        self._urls = list(urls)
        self._identity = identity
        self._pool = pool

    async def post(self, path: str, message: msgspec.Struct, *, seconds: float, is_signed: bool = True) -> bytes:
        """Return the answer's body; raises Unanswered after `seconds`, or Rejected at once."""
        body = msgspec.msgpack.encode(message)
        last = "no answer"
        try:
            async with asyncio.timeout(seconds):
                for attempt in itertools.count():
                    url = self._urls[0]
                    try:
                        async with asyncio.timeout(min(ATTEMPT_SECONDS, seconds / 2)):
                            return await self._once(url, path, body, is_signed=is_signed)
                    except (_Busy, Unreachable, Lost, TimeoutError) as error:
                        last = type(error).__name__
                        self._turn_away_from(url)
                    if attempt % len(self._urls) == len(self._urls) - 1:
                        await asyncio.sleep(_PAUSES[min(attempt // len(self._urls), len(_PAUSES) - 1)])
        except TimeoutError as error:
            raise Unanswered(last) from error
        raise Unanswered(last)

    async def _once(self, url: str, path: str, body: bytes, *, is_signed: bool) -> bytes:
        parts = urlsplit(url)
        is_tls = parts.scheme == "https"
        host = parts.hostname or ""
        target = parts.path + path
        headers = [
            ("Host", parts.netloc),
            ("Content-Type", CONTENT_TYPE),
            ("Accept", CONTENT_TYPE),
            ("Content-Length", str(len(body))),
        ]
        if is_signed:
            headers += self._identity.sign(method="POST", path=target, body=body, now=time.time())
        place = Place(host=host, port=parts.port or (443 if is_tls else 80), is_tls=is_tls, server_name=host)
        head = http1.request_head(method="POST", target=target, headers=headers)
        status, answer = await self._exchange(place, head + body)
        return _checked(status, answer)

    def _turn_away_from(self, url: str) -> None:
        """Ask the next address first from now on, unless another call has already seen to that."""
        if self._urls[0] == url:
            self._urls.append(self._urls.pop(0))

    async def _exchange(self, place: Place, request: bytes) -> tuple[int, bytes]:
        connection = await self._pool.take(place)
        try:
            connection.begin(method="POST")
            connection.is_request_whole = True
            await connection.send(request)
            head = await connection.head()
            chunks: list[bytes] = []
            size = 0
            while chunk := await connection.body.read():
                size += len(chunk)
                if size > LARGEST_ANSWER_BYTES:
                    raise Lost("the control plane's answer is too large")
                chunks.append(chunk)
        except BaseException:
            connection.close()
            raise
        self._pool.give_back(connection)
        return head.status, b"".join(chunks)


def _checked(status: int, answer: bytes) -> bytes:
    if 200 <= status < 300:
        return answer
    if status >= 500 or status in (408, 425, 429):
        raise _Busy(str(status))
    raise Rejected(status=status, code=_problem_code(answer))


def _problem_code(answer: bytes) -> str:
    """Return the stable code of a problem, in the messages' own encoding or (from a proxy or Django itself) JSON."""
    try:
        return msgspec.msgpack.decode(answer, type=_Problem).code
    except msgspec.DecodeError:
        pass
    try:
        return msgspec.json.decode(answer, type=_Problem).code
    except msgspec.DecodeError:
        return ""
