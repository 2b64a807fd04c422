# SPDX-License-Identifier: MIT
"""The screen of `run`: tags, the focused stream byte by byte, the others by line."""

from bulkhead.render import Renderer
from bulkhead.streams import Transcript
from bulkhead.framed import encode

NAMES = encode(0, b"streams 1=core 2=a 3=b\n")


class Screen:
    def __init__(self, terminal: bool) -> None:
        self.text = ""
        self.now = 0.0
        self.transcript = Transcript()
        self.transcript.feed(NAMES)
        self.renderer = Renderer(self.write, terminal=terminal, clock=lambda: self.now)

    def write(self, text: str) -> None:
        self.text += text

    def say(self, stream: int, data: bytes) -> None:
        for output in self.transcript.feed(encode(stream, data)):
            self.renderer.feed(output)


def test_without_a_terminal_lines_are_tagged_and_plain():
    screen = Screen(terminal=False)
    screen.say(2, b"\x1b[31mone\x1b[0m\r\ntw")
    screen.say(3, b"three\n")
    screen.say(2, b"o\n")
    assert screen.text == "a          | one\nb          | three\na          | two\n"


def test_a_prompt_shows_after_a_moment_of_quiet_and_goes_on_in_its_line():
    screen = Screen(terminal=False)
    screen.say(2, b"=> ")
    screen.renderer.tick()
    assert screen.text == ""
    screen.now = 0.2
    screen.renderer.tick()
    assert screen.text == "a          | => "
    screen.say(2, b"version\n")
    assert screen.text == "a          | => version\n"


def test_another_stream_breaks_an_open_line_and_nothing_is_shown_twice():
    screen = Screen(terminal=False)
    screen.say(2, b"=> ")
    screen.now = 0.2
    screen.renderer.tick()
    screen.say(3, b"tick\n")
    screen.say(2, b"go\n")
    screen.renderer.finish()
    assert screen.text == "a          | => \nb          | tick\na          | go\n"


def test_the_focused_stream_passes_byte_by_byte_with_its_colours():
    screen = Screen(terminal=True)
    screen.renderer.focus = "a"
    screen.say(2, b"\x1b[31mx")
    assert screen.text.endswith("\x1b[31mx")
    screen.say(2, b"y")
    assert screen.text.endswith("xy")


def test_the_focused_prompt_is_drawn_again_below_other_lines():
    screen = Screen(terminal=True)
    screen.renderer.focus = "a"
    screen.say(2, b"=> ver")
    screen.say(3, b"tick\n")
    before, after = screen.text.split("tick")
    assert "\r\x1b[K" in before
    assert after.startswith("\r\n") and after.endswith("=> ver")


def test_finish_shows_what_has_no_end():
    screen = Screen(terminal=False)
    screen.say(2, b"last words")
    screen.renderer.finish()
    assert screen.text == "a          | last words\n"
