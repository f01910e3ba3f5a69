"""Event stream frames: read as botocore reads them, wherever the bytes are cut, and refused when they are false."""

from __future__ import annotations

from itertools import pairwise

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.wire.eventstream import LARGEST_FRAME, Frame, FrameHeader, FrameMalformed, FrameReader, HeaderType

SIZES = {
    HeaderType.TRUE: 0,
    HeaderType.FALSE: 0,
    HeaderType.BYTE: 1,
    HeaderType.SHORT: 2,
    HeaderType.INTEGER: 4,
    HeaderType.LONG: 8,
    HeaderType.TIMESTAMP: 8,
    HeaderType.UUID: 16,
}


@st.composite
def headers(draw: st.DrawFn) -> FrameHeader:
    kind = draw(st.sampled_from(HeaderType))
    name = draw(st.text(min_size=1, max_size=12))
    if kind in SIZES:
        value = draw(st.binary(min_size=SIZES[kind], max_size=SIZES[kind]))
    else:
        value = draw(st.text(max_size=20)).encode() if kind is HeaderType.STRING else draw(st.binary(max_size=20))
    return FrameHeader(name=name, kind=kind, value=value)


FRAMES = st.lists(
    st.builds(
        lambda headers, payload: Frame(headers=tuple(headers), payload=payload),
        st.lists(headers(), max_size=4, unique_by=lambda one: one.name),
        st.binary(max_size=200),
    ),
    max_size=4,
)


@settings(deadline=None)
@given(frames=FRAMES, cuts=st.lists(st.integers(0, 3000), max_size=8))
def test_frames_read_the_same_wherever_they_are_cut(frames: list[Frame], cuts: list[int]) -> None:
    data = b"".join(frame.encoded() for frame in frames)
    reader = FrameReader()
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    assert [frame for start, end in pairwise(edges) for frame in reader.receive(data[start:end])] == frames
    reader.end()


@settings(deadline=None)
@given(frames=FRAMES)
def test_botocore_reads_what_is_written(frames: list[Frame]) -> None:
    buffer = EventStreamBuffer()
    buffer.add_data(b"".join(frame.encoded() for frame in frames))
    read = list(buffer)
    assert [one.payload for one in read] == [frame.payload for frame in frames]
    assert [set(one.headers) for one in read] == [{header.name for header in frame.headers} for frame in frames]


ONE = Frame(headers=(FrameHeader(name=":event-type", kind=HeaderType.STRING, value=b"Records"),), payload=b"rows")


def read_whole(data: bytes) -> None:
    reader = FrameReader()
    reader.receive(data)
    reader.end()


@pytest.mark.parametrize("place", range(len(ONE.encoded())))
def test_no_byte_can_be_changed_unseen(place: int) -> None:
    data = bytearray(ONE.encoded())
    data[place] ^= 1
    with pytest.raises(FrameMalformed):
        read_whole(bytes(data))


def test_a_stream_cut_amid_a_message_says_so() -> None:
    reader = FrameReader()
    assert reader.receive(ONE.encoded()[:-1]) == []
    with pytest.raises(FrameMalformed):
        reader.end()


def test_a_message_larger_than_any_that_could_be_masked_is_refused_by_its_prelude() -> None:
    big = Frame(headers=(), payload=bytes(LARGEST_FRAME))
    with pytest.raises(FrameMalformed):
        FrameReader().receive(big.encoded()[:20])


def test_a_header_given_twice_is_refused() -> None:
    twice = Frame(headers=ONE.headers * 2, payload=b"")
    with pytest.raises(FrameMalformed):
        FrameReader().receive(twice.encoded())
