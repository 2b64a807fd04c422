// SPDX-License-Identifier: MIT
// The console's framed format and its input: frames both ways, keys, the escape key.
#include "console_machine.hpp"
#include "services/console/framed.hpp"
#include "services/console/input.hpp"
#include <catch2/catch.hpp>
#include <map>

using namespace console;

namespace {

struct Tool : Machine {
    Tool() : Machine({"core", "console", "guest", "lifecycle"}), output(streams, *queue), keyboard(streams, output, true) {
        streams.focus = 3;
        streams.prompt = 4;
    }

    /// Unpacks what was sent; every byte must be in a frame.
    std::map<int, std::string> pump() {
        for (bool progress = true; progress;) {
            progress = output.pump(0, false) || !queue->empty();
            bytes += drain();
        }
        std::map<int, std::string> text;
        for (size_t i = 0; i < bytes.size();) {
            REQUIRE(bytes[i] == frame_mark);
            auto const id = static_cast<uint8_t>(bytes[i + 1]);
            auto const length = static_cast<uint8_t>(bytes[i + 2]);
            REQUIRE(length > 0);
            text[id] += bytes.substr(i + 3, length);
            i += 3u + length;
        }
        bytes.clear();
        return text;
    }
    /// Types; returns how many bytes were taken.
    size_t type(std::string const& keys) {
        size_t count = 0;
        while (count < keys.size() && keyboard.take(static_cast<uint8_t>(keys[count]))) { ++count; }
        return count;
    }
    static std::string frame(int id, std::string const& text) {
        return std::string{static_cast<char>(frame_mark), static_cast<char>(id), static_cast<char>(text.size())} + text;
    }

    Framed output;
    Keyboard keyboard;
    std::string bytes;
};

} // namespace

TEST_CASE("the control stream tells the streams and the focus at the start", "[console]") {
    Tool tool;
    CHECK(tool.pump()[0] == "streams 1=core 2=console 3=guest 4=lifecycle\nfocus 3\n");
    CHECK(tool.pump()[0].empty());
}

TEST_CASE("every byte of every stream arrives, whatever it is", "[console]") {
    Tool tool;
    std::string all;
    for (int i = 0; i < 1000; ++i) { all += static_cast<char>(i); }
    tool.say(1, all);
    tool.say(3, "no line end");
    auto text = tool.pump();
    CHECK(text[1] == all);
    CHECK(text[3] == "no line end");
}

TEST_CASE("streams take turns, a frame each", "[console]") {
    Tool tool;
    tool.pump();
    tool.say(1, std::string(2000, 'a'));
    tool.say(3, std::string(2000, 'b'));
    tool.output.pump(0, false);
    auto text = tool.pump();
    CHECK(text[1].size() == 2000);
    tool.say(1, std::string(2000, 'a'));
    tool.say(3, "b");
    tool.output.pump(0, false);
    CHECK(tool.streams[3].out.empty());
}

TEST_CASE("a full queue loses nothing", "[console]") {
    Tool tool;
    std::string const text(2048, 'x');
    tool.say(3, text);
    while (tool.output.pump(0, false)) {}
    tool.bytes = tool.drain(1000);
    CHECK(tool.pump()[3] == text);
}

TEST_CASE("an input frame goes to its stream", "[console]") {
    Tool tool;
    tool.type(tool.frame(4, "list\n") + tool.frame(3, std::string{"\x1c\x1e\0z", 4}));
    CHECK(tool.heard(4) == "list\n");
    CHECK(tool.heard(3) == std::string("\x1c\x1e\0z", 4));
    CHECK(tool.streams[4].wake);
}

TEST_CASE("frames to nobody are swallowed whole", "[console]") {
    Tool tool;
    tool.type(tool.frame(1, "core takes none") + tool.frame(99, "x") + "key");
    CHECK(tool.heard(3) == "key");
}

TEST_CASE("a frame waits for room, and not a byte is lost", "[console]") {
    Tool tool;
    std::string const frame = tool.frame(3, std::string(250, 'k'));
    std::string input;
    for (int i = 0; i < 10; ++i) { input += frame; }
    size_t const taken = tool.type(input);
    CHECK(taken < input.size());
    CHECK(tool.streams[3].in.asked_for_room());
    auto heard = tool.heard(3);
    CHECK(heard.size() == 2048);
    CHECK(tool.type(input.substr(taken)) == input.size() - taken);
    heard += tool.heard(3);
    CHECK(heard == std::string(2500, 'k'));
}

TEST_CASE("keys outside of frames go to the focused stream, and are dropped when it is full", "[console]") {
    Tool tool;
    tool.type(std::string(2048, 'k'));
    CHECK(tool.keyboard.take_dropped() == 0);
    CHECK(tool.type("abc") == 3);
    CHECK(tool.keyboard.take_dropped() == 3);
    tool.type("d");
    CHECK(tool.keyboard.take_dropped() == 0); // told once
    CHECK(tool.heard(3) == std::string(2048, 'k'));
    tool.type("e");
    CHECK(tool.heard(3) == "e");
}

TEST_CASE("control frames move the focus and ask for the list", "[console]") {
    Tool tool;
    tool.pump();
    tool.type(tool.frame(0, "focus 4\n"));
    CHECK(tool.streams.focus == 4);
    CHECK(tool.pump()[0] == "focus 4\n");
    tool.type(tool.frame(0, "focus 9\n") + tool.frame(0, "focus x\n") + tool.frame(0, "noise\n"));
    CHECK(tool.streams.focus == 4);
    CHECK(tool.pump()[0].empty());
    tool.type(tool.frame(0, "stre") + tool.frame(0, "ams\n"));
    CHECK(tool.pump()[0] == "streams 1=core 2=console 3=guest 4=lifecycle\nfocus 4\n");
}

TEST_CASE("the escape key moves the focus", "[console]") {
    Tool tool;
    tool.type("\x1cn");
    CHECK(tool.streams.focus == 4);
    tool.type("\x1cn");
    CHECK(tool.streams.focus == 2); // the core takes no input
    tool.type("\x1cp");
    CHECK(tool.streams.focus == 4);
    tool.type("\x1c"
              "3");
    CHECK(tool.streams.focus == 3);
    tool.type("\x1c"
              "9");
    CHECK(tool.streams.focus == 3); // no such stream
    tool.type("\x1c\x1c");
    CHECK(tool.heard(3) == "\x1c");
    CHECK(tool.heard(4).empty());
    tool.pump();
    tool.type("\x1c?");
    CHECK(tool.pump()[2].find("lifecycle prompt") != std::string::npos);
}

TEST_CASE("keys for nobody are dropped", "[console]") {
    Tool tool;
    tool.streams.focus = 0;
    tool.type("x\x1cn");
    CHECK(tool.streams.focus == 2);
    CHECK(tool.heard(2).empty());
}

TEST_CASE("without frames 0x1E is a key like any other", "[console]") {
    Tool tool;
    Keyboard keyboard(tool.streams, tool.output, false);
    keyboard.take(frame_mark);
    CHECK(tool.heard(3) == "\x1e");
}

TEST_CASE("what one turn does not take of the input is said to be left, for no interrupt will tell", "[console]") {
    using pl011::Register;
    Tool tool;
    uint32_t registers[static_cast<unsigned>(Register::count)] = {'k'}; // FR: the receive FIFO is not empty, however much is read
    auto& flags = registers[static_cast<unsigned>(Register::fr)];
    Device device(registers);
    Input input(device, tool.keyboard);
    CHECK(input.take() == Input::Left::more);
    CHECK(tool.heard(3) == std::string(Input::at_once, 'k'));

    flags = pl011::flag::rx_empty;
    CHECK(input.take() == Input::Left::nothing);
    CHECK(tool.heard(3).empty());
}

TEST_CASE("a byte that a full stream does not take is offered again, and none is read meanwhile", "[console]") {
    using pl011::Register;
    Tool tool;
    uint32_t registers[static_cast<unsigned>(Register::count)] = {'k'};
    auto const& mask = registers[static_cast<unsigned>(Register::imsc)];
    Device device(registers);
    Input input(device, tool.keyboard);
    auto const frame = Tool::frame(2, std::string(255, 'x'));
    while (tool.type(frame) == frame.size()) {}
    CHECK(input.take() == Input::Left::waiting);
    CHECK(mask == 0);

    CHECK(tool.heard(2).find('k') == std::string::npos);
    CHECK(input.take() == Input::Left::more);
    CHECK(mask != 0);
    CHECK(tool.heard(2).front() == 'k');
}
