// SPDX-License-Identifier: MIT
// The console service: drives the PL011, merges the partitions' streams, gives the keyboard to one
// of them. Its first vCPU does all of it; those on other cores touch nothing of it.
#pragma once
#include "services/console/framed.hpp"
#include "services/console/input.hpp"
#include "services/console/text.hpp"
#include "services/lib/environment.hpp"
#include "services/lib/serve.hpp"

namespace console {

/// In the state region.
struct State {
    static constexpr uint32_t ready = 0xc050'1e01;
    uint32_t magic;
    uint32_t focus;
    ByteQueue queue;
};

class Console {
public:
    explicit Console(service::Environment const& environment);

    service::LongAnswer on(service::Call const& m);
    void on(service::Signals signals);
    void on(service::Deadline) { run(false); }
    uint64_t deadline() const { return service::vcpu_index() == 0 ? deadline_ : abi::no_deadline; }

private:
    void find_streams(service::Environment const& environment);
    void run(bool all);
    Input::Left take_input();
    void begin_flush();
    bool flushed();
    bool flush();
    void signal_streams();

    State& state_;
    bool const framed_;
    Streams streams_;
    TextOutput text_;
    Framed framed_output_;
    Output& output_;
    Keyboard keyboard_;
    Device device_;
    Input input_{device_, keyboard_};
    service::Handle interrupt_ = 0;
    uint64_t interrupt_signal_ = 0;
    uint64_t deadline_ = abi::no_deadline;
    enum class Flush : uint8_t { none, rings, queue };
    Flush flush_ = Flush::none;
    uint32_t flush_queue_mark_ = 0;
    uint32_t flush_marks_[Streams::max + 1] = {};
};

} // namespace console
