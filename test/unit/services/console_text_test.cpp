// SPDX-License-Identifier: MIT
// The console's text format: tags, lines, the focused stream's unfinished line.
#include "console_machine.hpp"
#include "services/console/text.hpp"
#include <catch2/catch.hpp>

using namespace console;

namespace {

/// What a terminal shows: lines, after colours, CR and erase-line have done their work.
std::vector<std::string> shown(std::string const& bytes) {
    std::vector<std::string> lines(1);
    size_t column = 0;
    for (size_t i = 0; i < bytes.size(); ++i) {
        if (bytes[i] == '\x1b') {
            while (i < bytes.size() && std::isalpha(static_cast<unsigned char>(bytes[i])) == 0) { ++i; }
            if (bytes[i] == 'K') { lines.back().resize(column); }
        } else if (bytes[i] == '\r') {
            column = 0;
        } else if (bytes[i] == '\n') {
            lines.emplace_back();
            column = 0;
        } else {
            lines.back().resize(std::max(lines.back().size(), column + 1));
            lines.back()[column++] = bytes[i];
        }
    }
    return lines;
}

struct Terminal : Machine {
    Terminal() : Machine({"core", "guest", "lifecycle"}), text(streams, *queue) { streams.focus = 3; }
    std::vector<std::string> pump(bool all = false) {
        for (bool progress = true; progress;) {
            progress = text.pump(now_us, all) || !queue->empty();
            bytes += drain();
        }
        return shown(bytes);
    }
    TextOutput text;
    uint64_t now_us = 1'000'000;
    std::string bytes;
};

using Lines = std::vector<std::string>;

} // namespace

TEST_CASE("each line has its partition's name and a line end for terminals", "[console]") {
    Terminal terminal;
    terminal.say(1, "one\ntwo\r\n");
    terminal.say(2, "three\n");
    CHECK(terminal.pump() == Lines{"core      | one", "guest     | three", "core      | two", ""});
    CHECK(terminal.bytes.find("\r\n") != std::string::npos);
    CHECK(terminal.bytes.find("\r\r") == std::string::npos);
}

TEST_CASE("partitions have colours of their own", "[console]") {
    Terminal terminal;
    terminal.say(1, "a\n");
    terminal.pump();
    auto const core = terminal.bytes.substr(0, 5);
    terminal.bytes.clear();
    terminal.say(2, "a\n");
    terminal.pump();
    CHECK(core.substr(0, 2) == "\x1b[");
    CHECK(core != terminal.bytes.substr(0, 5));
}

TEST_CASE("an unfocused line waits for its end, 100 ms at most", "[console]") {
    Terminal terminal;
    terminal.say(2, "login: ");
    CHECK(terminal.pump() == Lines{""});
    CHECK(terminal.text.due_us() == 1'010'000);
    terminal.now_us = 1'095'000;
    terminal.pump();
    CHECK(terminal.text.due_us() == 1'100'000);
    terminal.now_us = 1'099'999;
    CHECK(terminal.pump() == Lines{""});
    terminal.now_us = 1'100'000;
    CHECK(terminal.pump() == Lines{"guest     | login: "});
    CHECK(terminal.text.due_us() == never_us);
    terminal.say(2, "root\n");
    CHECK(terminal.pump() == Lines{"guest     | login: root", ""});
}

TEST_CASE("a flush does not wait", "[console]") {
    Terminal terminal;
    terminal.say(2, "login: ");
    CHECK(terminal.pump(true) == Lines{"guest     | login: "});
}

TEST_CASE("the focused stream passes byte by byte", "[console]") {
    Terminal terminal;
    terminal.say(3, "> ");
    CHECK(terminal.pump() == Lines{"lifecycle | > "});
    terminal.say(3, "l");
    CHECK(terminal.pump() == Lines{"lifecycle | > l"});
    terminal.say(3, "\r\nok\r\n");
    CHECK(terminal.pump() == Lines{"lifecycle | > l", "lifecycle | ok", ""});
}

TEST_CASE("a foreign line moves the focused stream's unfinished one down", "[console]") {
    Terminal terminal;
    terminal.say(3, "> li");
    terminal.pump();
    terminal.say(2, "tick 1\ntick 2\n");
    CHECK(terminal.pump() == Lines{"guest     | tick 1", "guest     | tick 2", "lifecycle | > li"});
    terminal.say(3, "st\n");
    CHECK(terminal.pump() == Lines{"guest     | tick 1", "guest     | tick 2", "lifecycle | > list", ""});
}

TEST_CASE("a carriage return goes back behind the tag", "[console]") {
    Terminal terminal;
    terminal.say(3, "10 %\r20 %\r");
    CHECK(terminal.pump() == Lines{"lifecycle | 20 %"});
    terminal.say(3, "30 %\n");
    CHECK(terminal.pump() == Lines{"lifecycle | 30 %", ""});
}

TEST_CASE("a long line comes in pieces, complete", "[console]") {
    Terminal terminal;
    std::string const line(700, 'x');
    terminal.say(2, line + "\n");
    CHECK(terminal.pump() == Lines{"guest     | " + line, ""});
}

TEST_CASE("when the queue is full nothing is taken and nothing lost", "[console]") {
    Terminal terminal;
    std::string expected;
    for (int i = 0; i < 90; ++i) {
        std::string const line = "line " + std::to_string(i) + " ..........";
        REQUIRE(terminal.say(2, line + "\n"));
        expected += "guest     | " + line + "\n";
    }
    while (terminal.text.pump(terminal.now_us, false)) {}
    CHECK_FALSE(terminal.streams[2].out.empty());
    auto const lines = terminal.pump();
    std::string text;
    for (size_t i = 0; i + 1 < lines.size(); ++i) { text += lines[i] + "\n"; }
    CHECK(text == expected);
}

TEST_CASE("a stream that prints without end does not silence the others", "[console]") {
    Terminal terminal;
    terminal.say(3, std::string(2000, 'x'));
    terminal.say(2, "hello\n");
    terminal.text.pump(terminal.now_us, false);
    terminal.drain();
    terminal.say(3, std::string(200, 'x'));
    terminal.text.pump(terminal.now_us, false);
    CHECK(terminal.streams[2].out.empty());
}

TEST_CASE("a change of focus is shown", "[console]") {
    Terminal terminal;
    terminal.say(3, "> ");
    terminal.pump();
    terminal.streams.focus = 2;
    terminal.text.focus_moved();
    CHECK(terminal.pump() == Lines{"lifecycle | > ", "keyboard: guest", ""});
}

TEST_CASE("a producer that waits for room is to be signalled when half is free", "[console]") {
    Terminal terminal;
    for (int i = 0; i < 32; ++i) { terminal.say(2, std::string(63, 'x') + "\n"); }
    terminal.producers[1].ask_for_room();
    terminal.text.pump(terminal.now_us, false);
    CHECK_FALSE(terminal.streams[2].wake);
    terminal.pump();
    CHECK(terminal.streams[2].wake);
    CHECK_FALSE(terminal.producers[1].asked_for_room());
}

TEST_CASE("nobody needs to have the focus", "[console]") {
    Terminal terminal;
    terminal.streams.focus = 0;
    terminal.say(1, "one\n");
    terminal.say(3, "> ");
    CHECK(terminal.pump(true) == Lines{"core      | one", "lifecycle | > "});
}
