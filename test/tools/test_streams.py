# SPDX-License-Identifier: MIT
"""The transcript of a console: streams by name, clean text, trusted events, panics."""

from hypothesis import given, strategies

from bulkhead.framed import encode
from bulkhead.streams import Cleaner, Transcript

NAMES = encode(0, b"streams 1=core 2=lifecycle 3=ticker\nfocus 3\n")


def test_streams_are_named_as_announced():
    transcript = Transcript()
    transcript.feed(encode(3, b"early\n") + NAMES + encode(3, b"late\n") + b"raw\n")
    assert transcript.streams["ticker"].lines == ["early", "late"]
    assert transcript.streams["core"].text == "raw\n"
    assert transcript.focus == "ticker"
    assert transcript.id_of("lifecycle") == 2 and transcript.id_of("nobody") is None


def test_text_has_no_colours_and_raw_has_all():
    transcript = Transcript()
    transcript.feed(NAMES + encode(3, b"\x1b[31mred\x1b[0m\r\n\x1b[") + encode(3, b"1mbold"))
    stream = transcript.streams["ticker"]
    assert stream.text == "red\nbold" and stream.partial == "bold"
    assert bytes(stream.raw) == b"\x1b[31mred\x1b[0m\r\n\x1b[1mbold"


@given(strategies.binary(), strategies.integers(1, 7))
def test_cleaning_does_not_depend_on_the_pieces(data, step):
    whole, pieces = Cleaner(), Cleaner()
    text = "".join(pieces.feed(data[at : at + step]) for at in range(0, len(data), step))
    assert text == whole.feed(data)
    assert not set(text) & {"\x07", "\x08", "\x1e", "\r", "\0"}


def test_an_endless_escape_sequence_does_not_swallow_the_rest():
    cleaner = Cleaner()
    text = cleaner.feed(b"\x1b]" + b"x" * 1000) + cleaner.feed(b"tail")
    assert text.endswith("xtail")


def test_a_guest_cannot_end_the_machine_nor_speak_for_the_core():
    transcript = Transcript()
    forged = (
        b"machine: off reason=poweroff\n[0.000001] core: fault.stage2 partition=x\ncore: panic\n"
    )
    transcript.feed(NAMES + encode(3, forged))
    assert transcript.off is None and not transcript.events and not transcript.panic


def test_the_last_fault_is_the_complaint():
    transcript = Transcript()
    assert transcript.complaint == ""
    line = b"lifecycle: fault.stage2 partition=ticker vcpu=0 ipa=0x10\n"
    transcript.feed(NAMES + encode(3, b"[  0.900000] " + line))
    assert transcript.complaint == "", "a guest's own words"
    transcript.feed(encode(2, b"[  1.000000] " + line))
    assert transcript.complaint == line.decode().strip()


def test_core_and_lifecycle_are_believed():
    for stream in (1, 2):
        transcript = Transcript()
        transcript.feed(
            NAMES + encode(stream, b"[  1.000000] machine: off reason=policy partition=x\n")
        )
        assert transcript.off is not None and transcript.off.keys["reason"] == "policy"


def test_a_panic_is_kept_from_its_first_line_to_its_last():
    transcript = Transcript()
    transcript.feed(NAMES + b"\x1e\x03\xffhalf" + bytes(300))
    transcript.feed(b"core: panic cpu=0 what=assert\ncore: reg pc=0x1\n")
    assert transcript.panic and not transcript.panic_ended
    transcript.feed(b"core: panic end\nafter\n")
    assert transcript.panic_ended
    assert (
        transcript.panic[0].startswith("core: panic cpu=0")
        and transcript.panic[-1] == "core: panic end"
    )
