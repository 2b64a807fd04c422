# SPDX-License-Identifier: MIT
"""The framed wire format: decoding in pieces, noise, and the control messages."""

from hypothesis import given, strategies

from bulkhead import framed
from bulkhead.framed import RAW, Chunk, Control, Decoder, encode


def joined(chunks: list[Chunk]) -> dict[int, bytes]:
    streams: dict[int, bytes] = {}
    for chunk in chunks:
        streams[chunk.stream] = streams.get(chunk.stream, b"") + chunk.data
    return streams


def test_a_frame_is_a_mark_a_stream_a_length_and_bytes():
    assert encode(3, b"hi") == b"\x1e\x03\x02hi"
    assert Decoder().feed(b"\x1e\x03\x02hi") == [Chunk(3, b"hi")]


def test_long_data_takes_several_frames():
    data = bytes(range(256)) * 3
    wire = encode(7, data)
    assert len(wire) == len(data) + 4 * 3
    assert joined(Decoder().feed(wire)) == {7: data}


def test_bytes_outside_of_frames_are_raw_without_their_nuls():
    assert joined(Decoder().feed(b"\0ab\0" + encode(1, b"x") + b"cd")) == {RAW: b"abcd", 1: b"x"}


def test_three_hundred_nuls_end_any_half_sent_frame():
    whole = encode(5, b"z" * 255)
    for sent in range(1, len(whole)):
        decoder = Decoder()
        decoder.feed(whole[:sent])
        chunks = decoder.feed(bytes(300) + b"core: panic")
        assert chunks[-1] == Chunk(RAW, b"core: panic"), sent


@given(
    strategies.lists(
        strategies.tuples(strategies.integers(1, 255), strategies.binary(max_size=600))
    ),
    strategies.integers(1, 50),
)
def test_nothing_is_lost_however_the_wire_is_cut(messages, step):
    wire = b"".join(encode(stream, data) for stream, data in messages)
    decoder = Decoder()
    chunks = [
        chunk for at in range(0, len(wire), step) for chunk in decoder.feed(wire[at : at + step])
    ]
    expected = joined([Chunk(stream, data) for stream, data in messages if data])
    assert joined(chunks) == expected


@given(strategies.lists(strategies.binary()))
def test_noise_does_no_harm(pieces):
    decoder, control = Decoder(), Control()
    for piece in pieces:
        for chunk in decoder.feed(piece):
            assert chunk.data
            assert chunk.stream == RAW or 0 <= chunk.stream <= 255
            control.feed(chunk.data)
    assert all(1 <= number <= 255 for number in control.names)


def test_control_names_streams_and_focus_also_in_pieces():
    control = Control()
    assert not control.feed(b"streams 1=core 2=cons")
    assert control.feed(b"ole\nfocus 2\n")
    assert control.names == {1: "core", 2: "console"}
    assert control.focus == 2


def test_control_passes_over_what_it_does_not_understand():
    control = Control()
    assert not control.feed(b"\nfocus\nfocus 999\nfocus -1\nhello 1\n\xff\xfe\n")
    assert control.feed(b"streams 0=bad x=y 3=ok 4= 5\n")
    assert control.names == {3: "ok"} and control.focus is None


def test_requests():
    assert framed.focus_request(4) == b"\x1e\x00\x08focus 4\n"
    assert framed.streams_request() == b"\x1e\x00\x08streams\n"
