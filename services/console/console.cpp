// SPDX-License-Identifier: MIT
// The console's loop: input to the streams, the streams to the queue, the queue to the PL011.
#include "services/console/console.hpp"
#include "abi/protocol/console.hpp"
#include <algorithm>

namespace console {
namespace {

constexpr unsigned bytes_at_once = 512; ///< to the PL011 before the core may do something else
constexpr unsigned rounds = 4;
constexpr uint64_t retry_us = 10'000;    ///< look again at a full stream that input waits for
constexpr uint64_t gather_us = 500;      ///< that output waits for more of it
constexpr unsigned flush_looks = 20'000; ///< at the PL011, before a flush says `again`

constinit State without_region{};

State& find_state(service::Environment const& environment) {
    auto const region = environment.region_or_none("state");
    State& state = region.size >= sizeof(State) ? *region.as<State>() : without_region;
    if (state.magic != State::ready || !state.queue.sane()) {
        state.focus = static_cast<uint32_t>(environment.property_or("focus", 0));
        state.queue.clear();
        state.magic = State::ready;
    }
    return state;
}

} // namespace

Console::Console(service::Environment const& environment)
    : state_(find_state(environment)), framed_(environment.string_or("format", "text") == "framed"), text_(streams_, state_.queue),
      framed_output_(streams_, state_.queue), output_(framed_ ? static_cast<Output&>(framed_output_) : text_),
      keyboard_(streams_, output_, framed_) {
    find_streams(environment);
    device_ = Device(environment.region("device.pl011").address);
    interrupt_ = environment.handle("interrupt.pl011");
    interrupt_signal_ = 1ull << (environment.property("interrupt.pl011.signal") & 63);
    // A former life may have left it unanswered.
    service::interrupt_control(interrupt_, service::InterruptOperation::acknowledge);
    service::interrupt_control(interrupt_, service::InterruptOperation::unmask);
    for (unsigned id = 1; id <= streams_.count; ++id) { streams_[id].wake = true; }
    run(false);
}

void Console::find_streams(service::Environment const& environment) {
    using service::Name;
    uint64_t const count = environment.property("streams");
    streams_.count = static_cast<unsigned>(count < Streams::max ? count : Streams::max);
    for (unsigned id = 1; id <= streams_.count; ++id) {
        auto& stream = streams_[id];
        auto const described = environment.within(Name("stream.%u.", id));
        auto const in = described.region_or_none("in");
        if (in.address != nullptr) { stream.in = in.producer(); }
        stream.notify = described.handle_or_none("in.notify");
        stream.signals = 1ull << (described.property_or("in.signal", 0) & 63);
        stream.name = described.string("name");
        stream.out = described.region("out").consumer();
    }
    streams_.prompt = static_cast<unsigned>(environment.property_or("prompt", 0));
    streams_.focus = streams_.exists(state_.focus) ? state_.focus : 0; // 0: nobody
}

void Console::signal_streams() {
    for (unsigned id = 1; id <= streams_.count; ++id) {
        auto& stream = streams_[id];
        if (!stream.wake) { continue; }
        stream.wake = false;
        if (stream.notify != 0) { service::signal(stream.notify, stream.signals); }
    }
}

Input::Left Console::take_input() {
    Input::Left const left = input_.take();
    if (unsigned const id = keyboard_.take_dropped(); id != 0) { service::log("input.dropped", {{"stream", streams_[id].name}}); }
    return left;
}

void Console::run(bool all) {
    Input::Left const input = take_input();
    bool progress = true;
    for (unsigned i = 0; i < rounds && progress; ++i) {
        progress = output_.pump(service::now_us(), all);
        progress |= device_.send(state_.queue, bytes_at_once) > 0;
    }
    state_.focus = streams_.focus;
    signal_streams();
    bool const more = progress || input == Input::Left::more || (!state_.queue.empty() && !device_.fifo_full());
    uint64_t due = more ? 0 : output_.due_us(); // 0: at once, but after whoever else wants the core
    if (input == Input::Left::waiting && due > service::now_us() + retry_us) { due = service::now_us() + retry_us; }
    deadline_ = due == never_us ? abi::no_deadline : service::ticks(due);
}

void Console::on(service::Signals signals) {
    if ((signals.set & interrupt_signal_) == 0) {
        // A ring signals when it was empty: what follows the first byte is taken with it, in one turn.
        deadline_ = std::min(deadline_, service::ticks(service::now_us() + gather_us));
        return;
    }
    device_.clear_interrupts();
    run(false);
    service::interrupt_control(interrupt_, service::InterruptOperation::acknowledge);
}

/// A flush may take several calls; it waits for what was there at the first one.
void Console::begin_flush() {
    for (unsigned id = 1; id <= streams_.count; ++id) { flush_marks_[id] = streams_[id].out.head(); }
    flush_ = Flush::rings;
}

bool Console::flushed() {
    if (flush_ == Flush::rings) {
        for (unsigned id = 1; id <= streams_.count; ++id) {
            uint32_t const left = flush_marks_[id] - streams_[id].out.own_tail();
            if (left - 1 < streams_[id].out.capacity()) { return false; }
        }
        flush_ = Flush::queue;
        flush_queue_mark_ = state_.queue.written();
    }
    // Behind the queue comes the FIFO: when it is empty, or has been filled with other bytes.
    uint32_t const beyond = state_.queue.sent() - flush_queue_mark_;
    bool const left_queue = beyond <= ByteQueue::capacity * 1024;
    return left_queue && (!device_.sending() || (beyond >= pl011::fifo_depth));
}

bool Console::flush() {
    if (flush_ == Flush::none) { begin_flush(); }
    for (unsigned i = 0; i < flush_looks; ++i) {
        if (flushed()) {
            flush_ = Flush::none;
            return true;
        }
        if (!device_.fifo_full()) { run(true); }
    }
    return false;
}

service::LongAnswer Console::on(service::Call const& m) {
    if (service::vcpu_index() != 0) { return abi::Status::unsupported; }
    switch (static_cast<abi::console::Label>(m.label)) {
    case abi::console::Label::flush: return flush() ? abi::Status::ok : abi::Status::again;
    case abi::console::Label::focus:
        if (!streams_.exists(m.words[0])) { return abi::Status::bad_argument; }
        keyboard_.move_focus(static_cast<unsigned>(m.words[0]));
        run(false);
        return abi::Status::ok;
    default: return abi::Status::unsupported;
    }
}

} // namespace console

int main() {
    static console::Console console{service::Environment::get()};
    service::serve(console);
}
