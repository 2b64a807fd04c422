// SPDX-License-Identifier: MIT
// The `text` format for a person at a terminal: each line begins with its partition's name in a
// colour of its own. The focused stream passes byte by byte; the others by line, or when a line has
// waited for 100 ms.
#pragma once
#include "services/console/output.hpp"

namespace console {

class TextOutput final : public Output {
public:
    static constexpr uint64_t patience_us = 100'000;
    static constexpr uint64_t look_again_us = 10'000;
    static constexpr unsigned name_width = 10;
    static constexpr uint32_t longest_line = 240; ///< a longer one comes in pieces

    TextOutput(Streams& streams, ByteQueue& queue) : Output(streams, queue) {}

    bool pump(uint64_t now_us, bool all) override;
    uint64_t due_us() const override;
    void focus_moved() override;
    void list() override;
    void notice(std::string_view text) override;

private:
    bool pump_focused();
    bool pump_other(unsigned id, uint64_t now_us, bool all);
    void print_other(unsigned id, std::string_view line, bool ended);
    void focused_byte(uint8_t byte);
    void put_tag(unsigned id);
    void begin_line(unsigned id);
    void end_line();
    void put_aside();
    void restore_focused();
    bool has_room() const { return queue_.room() >= worst_case; }
    void remember(uint8_t byte);

    /// Bytes that one step can need: two tags, a line, the focused stream's unfinished one, and
    /// line ends.
    static constexpr uint32_t worst_case = 2 * 32 + 2 * 256 + 32;
    static constexpr unsigned memory = 256;

    unsigned owner_ = 0;           ///< the stream whose unfinished line the cursor is on; 0: at the start of a line
    bool carriage_return_ = false; ///< the focused stream's last byte was one; what follows says what it means
    char unfinished_[memory];      ///< the focused stream's unfinished line
    unsigned unfinished_size_ = 0;
    unsigned last_ = 0;
    uint64_t looked_us_ = 0;
    uint64_t waits_since_us_[Streams::max + 1] = {}; ///< a line without its end is there since; 0: none
};

} // namespace console
