// SPDX-License-Identifier: MIT
// The PL011 model, register by register (ARM DDI 0183).
#include "uart_pl011.hpp"
#include <catch2/catch.hpp>

using namespace pl011;

TEST_CASE("after reset every register reads as the TRM says", "[uart]") {
    Device uart;
    CHECK(uart.read(Register::dr) == 0);
    CHECK(uart.read(Register::rsr) == 0);
    CHECK((uart.flags() & ~(flag::cts | flag::dsr | flag::dcd)) == (flag::rx_empty | flag::tx_empty));
    CHECK(uart.read(Register::ilpr) == 0);
    CHECK(uart.read(Register::ibrd) == 0);
    CHECK(uart.read(Register::fbrd) == 0);
    CHECK(uart.read(Register::lcr_h) == 0);
    CHECK(uart.read(Register::cr) == 0x300);
    CHECK(uart.read(Register::ifls) == 0x12);
    CHECK(uart.read(Register::imsc) == 0);
    CHECK(uart.raw() == 0);
    CHECK(uart.read(Register::mis) == 0);
    CHECK(uart.read(Register::icr) == 0);
    CHECK(uart.read(Register::dmacr) == 0);
    CHECK_FALSE(uart.model.line());
}

TEST_CASE("registers keep the bits that exist and no others", "[uart]") {
    auto const [reg, mask] = GENERATE(table<Register, uint32_t>({{Register::ilpr, 0xff},
                                                                 {Register::ibrd, 0xffff},
                                                                 {Register::fbrd, 0x3f},
                                                                 {Register::lcr_h, 0xff},
                                                                 {Register::cr, 0xff87},
                                                                 {Register::ifls, 0x3f},
                                                                 {Register::imsc, 0x7ff},
                                                                 {Register::dmacr, 7},
                                                                 {Register::fr, 0x97}, // read-only, the modem lines asserted
                                                                 {Register::ris, 0x000},
                                                                 {Register::mis, 0x000}}));
    Device uart;
    if (reg == Register::cr) { uart.write(Register::cr, 0); }
    uart.write(reg, 0xffff'ffff);
    uint32_t expected = mask;
    if (reg == Register::fr) { expected = uart.flags() & 0x1ff; }
    CHECK(uart.read(reg) == expected);
}

TEST_CASE("the identification registers name a PL011 r1p5", "[uart]") {
    Device uart;
    uint32_t const expected[] = {0x11, 0x10, 0x34, 0x00, 0x0d, 0xf0, 0x05, 0xb1};
    for (uint32_t i = 0; i < 8; ++i) { CHECK(uart.read(0xfe0 + 4 * i) == expected[i]); }
}

TEST_CASE("what is not mapped reads as zero and ignores writes", "[uart]") {
    Device uart;
    for (uint32_t offset : {0x08u, 0x14u, 0x1cu, 0x4cu, 0x80u, 0xfdcu}) {
        uart.write_as(uart.next(), offset, 0xffff'ffff);
        CHECK(uart.read(offset) == 0);
    }
    CHECK(uart.take().empty());
}

TEST_CASE("a narrow access sees its bytes of the register", "[uart]") {
    Device uart;
    uart.write(Register::ibrd, 0x1234);
    CHECK((uart.read(0x24) & 0xff) == 0x34);
    CHECK((uart.read(0x25) & 0xff) == 0x12);
    CHECK((uart.read(0x26) & 0xffff) == 0);
    uart.write_as(uart.next(), 0x25, 0xff); // not the register's address: ignored
    CHECK(uart.read(Register::ibrd) == 0x1234);
    uart.enable();
    uart.type("x");
    CHECK(uart.read(0x1) == 0); // takes nothing from the FIFO
    CHECK(uart.read(Register::dr) == 'x');
}

TEST_CASE("bytes written to DR come out in order, and the console is woken once", "[uart]") {
    Device uart;
    uart.enable();
    uart.effects = 0;
    uart.write(Register::dr, 'h');
    CHECK(uart.took(effect::wake));
    uart.write(Register::dr, 'i');
    CHECK_FALSE(uart.took(effect::wake)); // it has not taken the first one yet
    CHECK(uart.quick_writes == 1);
    CHECK(uart.take() == "hi");
    uart.write(Register::dr, '!');
    CHECK(uart.took(effect::wake));
    CHECK(uart.take() == "!");
}

TEST_CASE("software that does not enable the UART is heard all the same", "[uart]") {
    Device uart;
    uart.write(Register::cr, 0);
    uart.write(Register::dr, 'x');
    CHECK(uart.take() == "x");
}

TEST_CASE("TXFF holds a driver back, and not a byte is lost", "[uart]") {
    bool const fifos = GENERATE(false, true);
    Device uart;
    uart.enable(fifos);
    std::string sent;
    while ((uart.flags_again() & flag::tx_full) == 0) {
        char const byte = static_cast<char>('a' + sent.size() % 26);
        uart.write(Register::dr, static_cast<uint8_t>(byte));
        sent += byte;
    }
    CHECK(sent.size() == 2048);
    CHECK((uart.flags() & (flag::busy | flag::tx_empty)) == flag::busy);
    auto const refused = uart.write(Register::dr, '#');
    CHECK(refused.tag.action() == abi::Action::retry);
    CHECK(uart.take(1) == "a");
    CHECK((uart.flags() & flag::tx_full) == 0);
    CHECK(uart.write(Register::dr, '#').tag.action() == abi::Action::advance);
    CHECK((uart.flags() & flag::tx_full) != 0);
    CHECK(uart.take() == sent.substr(1) + "#");
    CHECK((uart.flags() & (flag::busy | flag::tx_empty)) == flag::tx_empty);
}

TEST_CASE("the transmit interrupt follows the FIFO's level", "[uart]") {
    Device uart;
    uart.enable();
    CHECK((uart.raw() & interrupt::tx) == 0); // not before the first byte has left
    uart.write(Register::dr, 'a');
    CHECK((uart.raw() & interrupt::tx) != 0);
    uart.write(Register::icr, interrupt::tx);
    CHECK((uart.raw() & interrupt::tx) == 0);
    while ((uart.flags_again() & flag::tx_full) == 0) { uart.write(Register::dr, 'b'); }
    CHECK((uart.raw() & interrupt::tx) == 0); // full: above the level (1/2)
    uart.take(15);
    uart.flags();
    CHECK((uart.raw() & interrupt::tx) == 0); // 17 in the FIFO
    uart.take(1);
    uart.flags();
    CHECK((uart.raw() & interrupt::tx) != 0); // 16
}

TEST_CASE("a driver that sends without the transmit interrupt sees the FIFO full at times", "[uart]") {
    Device uart;
    uart.enable();
    // As Linux begins: a look at FR before each byte.
    unsigned sent = 0;
    for (; (uart.flags() & flag::tx_full) == 0; ++sent) { uart.write(Register::dr, 'a'); }
    CHECK(sent >= fifo_depth);
    CHECK(sent <= fifo_depth + 2);
    SECTION("which has drained at the next look") {
        CHECK((uart.flags() & (flag::tx_full | flag::busy | flag::tx_empty)) == flag::tx_empty);
        uart.write(Register::dr, 'b');
        CHECK((uart.flags() & flag::tx_full) == 0);
    }
    SECTION("the interrupt comes, even to who clears it first") {
        uart.write(Register::icr, interrupt::tx);
        uart.write(Register::imsc, interrupt::tx);
        CHECK(uart.model.line());
        uart.write(Register::icr, interrupt::tx); // once only
        CHECK_FALSE(uart.model.line());
    }
    SECTION("with the interrupt it may send without a look, quickly, until the ring is full") {
        uart.write(Register::imsc, interrupt::tx);
        CHECK(uart.model.line());
        uart.quick_writes = 0;
        for (; sent < uart.console_tx.capacity() - fifo_depth - 1; ++sent) { uart.write(Register::dr, 'a'); }
        CHECK(uart.quick_writes >= uart.console_tx.capacity() - 3 * fifo_depth);
        CHECK((uart.flags_again() & flag::tx_full) == 0);
        uart.write(Register::dr, 'a');
        uart.write(Register::imsc, 0); // nothing more to send
        CHECK((uart.flags() & (flag::busy | flag::tx_empty)) == flag::tx_empty);
    }
    SECTION("nor does it hold back who does not look") {
        for (unsigned n = 0; n < 1000; ++n, ++sent) { CHECK(uart.write(Register::dr, 'a').tag.action() == abi::Action::advance); }
    }
    SECTION("without FIFOs it does not") {
        uart.take();
        uart.enable(false);
        uart.flags();
        for (unsigned n = 0; n < 100; ++n) {
            uart.write(Register::dr, 'a');
            CHECK((uart.flags() & flag::tx_full) == 0);
        }
        sent = 100;
    }
    CHECK(uart.take().size() >= sent);
}

TEST_CASE("the console's signal raises the transmit interrupt", "[uart]") {
    Device uart;
    uart.enable();
    uart.write(Register::imsc, interrupt::tx);
    while ((uart.flags_again() & flag::tx_full) == 0) { uart.write(Register::dr, 'b'); }
    CHECK_FALSE(uart.model.line());
    uart.effects = 0;
    uart.take();
    CHECK(uart.model.line());
    CHECK(uart.took(effect::line));
}

TEST_CASE("input stays on the line until the receiver is enabled", "[uart]") {
    Device uart;
    uart.type("abc");
    CHECK((uart.flags() & flag::rx_empty) != 0);
    uart.enable();
    CHECK((uart.flags() & flag::rx_empty) == 0);
    CHECK(uart.read(Register::dr) == 'a');
    CHECK(uart.read(Register::dr) == 'b');
    CHECK(uart.read(Register::dr) == 'c');
    CHECK((uart.flags() & flag::rx_empty) != 0);
    CHECK(uart.read(Register::dr) == 0);
}

TEST_CASE("RXFF means a full FIFO, of one byte without FEN", "[uart]") {
    Device uart;
    uart.enable(false);
    uart.type("a");
    CHECK((uart.flags() & flag::rx_full) != 0);
    CHECK((uart.raw() & interrupt::rx) != 0);
    uart.enable(true); // the FIFO is emptied, but what was on the line is received again
    CHECK((uart.flags() & (flag::rx_full | flag::rx_empty)) == 0);
    uart.type(std::string(30, 'x'));
    CHECK((uart.flags() & flag::rx_full) == 0);
    uart.type("x");
    CHECK((uart.flags() & flag::rx_full) != 0);
}

TEST_CASE("the receive interrupt follows the FIFO's level", "[uart]") {
    auto const [field, level] = GENERATE(table<uint32_t, unsigned>({{0, 4}, {1, 8}, {2, 16}, {3, 24}, {4, 28}}));
    Device uart;
    uart.enable();
    uart.write(Register::ifls, field << 3);
    uart.write(Register::imsc, interrupt::rx);
    uart.type(std::string(level - 1, 'x'));
    CHECK_FALSE(uart.model.line());
    uart.type("x");
    CHECK(uart.model.line());
    CHECK(uart.took(effect::line));
    uart.read(Register::dr);
    CHECK_FALSE(uart.model.line());
    CHECK(uart.took(effect::line));
}

TEST_CASE("the receive interrupt can be cleared, and comes with the next byte", "[uart]") {
    Device uart;
    uart.enable(false);
    uart.write(Register::imsc, interrupt::rx);
    uart.type("ab");
    CHECK(uart.model.line());
    uart.write(Register::icr, interrupt::rx);
    CHECK_FALSE(uart.model.line());
    CHECK(uart.read(Register::dr) == 'a'); // 'b' moves up
    CHECK(uart.model.line());
}

TEST_CASE("a FIFO that was emptied stays so for a while, however much is on the line", "[uart]") {
    Device uart;
    uart.enable();
    uart.write(Register::imsc, interrupt::rx | interrupt::rx_timeout);
    uart.type(std::string(100, 'x'));
    for (unsigned batch = 0; batch < 3; ++batch) {
        CHECK(uart.model.line());
        unsigned count = 0;
        for (; (uart.flags() & flag::rx_empty) == 0; ++count) { CHECK(uart.read(Register::dr) == 'x'); }
        CHECK(count == 32); // so a driver's loop ends
        CHECK_FALSE(uart.model.line());
        CHECK(uart.took(effect::timer));
        uart.type("x"); // the console's signal does not hasten it
        CHECK((uart.flags() & flag::rx_empty) != 0);
        uart.wait(uart.model.rx_deadline() - uart.now);
    }
    CHECK(uart.now == 1000 + 3 * 348); // 40 bits at 115200 baud each time
    for (unsigned n = 0; n < 7; ++n) { CHECK(uart.read(Register::dr) == 'x'); }
    CHECK((uart.flags() & flag::rx_empty) != 0);
    CHECK(uart.model.rx_deadline() == 0);
    uart.type("y"); // nothing was waiting: at once
    CHECK(uart.read(Register::dr) == 'y');
}

TEST_CASE("the receive time-out comes 32 bit times after the last byte", "[uart]") {
    Device uart;
    uart.enable();
    uart.write(Register::ibrd, 13); // 115200 baud: 277.8 us
    uart.write(Register::fbrd, 1);
    uart.write(Register::imsc, interrupt::rx_timeout);
    uart.effects = 0;
    uart.type("a");
    CHECK(uart.took(effect::timer));
    CHECK(uart.model.rx_deadline() == 1000 + 278);
    uart.now = 1200;
    uart.type("b");
    CHECK(uart.model.rx_deadline() == 1200 + 278);
    uart.model.time(1477);
    CHECK_FALSE(uart.model.line());
    uart.model.time(1478);
    CHECK(uart.model.line());
    CHECK(uart.model.rx_deadline() == 0);
    uart.read(Register::dr);
    CHECK(uart.model.line());
    uart.read(Register::dr);
    CHECK_FALSE(uart.model.line()); // empty
    CHECK(uart.model.rx_deadline() == 0);
}

TEST_CASE("IMSC masks, MIS shows what is left, ICR clears", "[uart]") {
    Device uart;
    uart.enable(false);
    uart.type("a");
    CHECK(uart.raw() == interrupt::rx);
    CHECK(uart.read(Register::mis) == 0);
    CHECK_FALSE(uart.model.line());
    uart.effects = 0;
    uart.write(Register::imsc, interrupt::rx | interrupt::tx);
    CHECK(uart.read(Register::mis) == interrupt::rx);
    CHECK(uart.took(effect::line));
    uart.write(Register::icr, interrupt::rx);
    CHECK(uart.raw() == 0);
    CHECK(uart.took(effect::line));
    CHECK_FALSE(uart.model.line());
}

TEST_CASE("the line is told only when it changes", "[uart]") {
    Device uart;
    uart.enable();
    uart.write(Register::imsc, interrupt::tx);
    uart.write(Register::dr, 'a');
    CHECK(uart.took(effect::line));
    for (int i = 0; i < 5; ++i) { uart.write(Register::dr, 'b'); }
    CHECK_FALSE(uart.took(effect::line));
    CHECK(uart.model.line());
}

TEST_CASE("a full input ring asks the console again when there is room", "[uart]") {
    Device uart;
    uart.enable();
    uart.type(std::string(2048, 'x'));
    uart.console_rx.ask_for_room();
    uart.effects = 0;
    uart.read(Register::dr);
    CHECK(uart.took(effect::wake));
    uart.read(Register::dr);
    CHECK_FALSE(uart.took(effect::wake));
}

TEST_CASE("reset drops what was typed and forgets the settings", "[uart]") {
    Device uart;
    uart.enable();
    uart.write(Register::imsc, interrupt::rx);
    uart.type(std::string(20, 'x'));
    CHECK(uart.model.line());
    uart.model.reset();
    CHECK_FALSE(uart.model.line());
    CHECK((uart.model.take_effects() & effect::line) != 0);
    CHECK(uart.read(Register::cr) == 0x300);
    uart.enable();
    CHECK((uart.flags() & flag::rx_empty) != 0);
}
