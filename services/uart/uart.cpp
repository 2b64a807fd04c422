// SPDX-License-Identifier: MIT
// The uart service's less frequent paths: set-up, signals, time-outs, the client control protocol.
#include "services/uart/uart.hpp"
#include "abi/protocol/client.hpp"
#include "services/uart/crash.hpp"

namespace uart {
namespace {

/// At the start of the state region; the clients' PL011s follow.
struct StateHeader {
    CrashState crash;
    uint64_t reserved[6];
};
static_assert(sizeof(StateHeader) == 64);

} // namespace

Uart::Uart(service::Environment const& environment) {
    console_ = environment.handle("console.notify");
    uint64_t const count = environment.property("clients");
    auto const state = environment.region("state");
    if (count > max_clients || state.size < sizeof(StateHeader) + count * sizeof(pl011::State)) {
        service::log("uart.too_many_clients", {{"clients", count}, {"state", state.size}});
        __builtin_trap();
    }
    auto const probe = arm_crash(environment, state.as<StateHeader>()->crash);
    for (unsigned i = 0; i < count; ++i) {
        add_client(environment, i, {state.as<void>(sizeof(StateHeader) + i * sizeof(pl011::State)), sizeof(pl011::State)});
        if (probe != nullptr) { clients_[i].device.set_probe(probe); }
    }
    for (uint64_t i = count; i < max_clients; ++i) { clients_[i].lock.try_once(); } // for ever: quick() compares with nothing else
    count_ = count;
}

void Uart::add_client(service::Environment const& environment, unsigned index, service::Region state) {
    Client& client = clients_[index];
    auto const described = environment.within(service::Name("client.%u.", index));
    client.intid = static_cast<uint32_t>(described.property("intid"));
    auto const rx = described.region("rx").consumer();
    auto const tx = described.region("tx").producer();
    client.wake = 1ull << (described.property("tx.signal") & 63);
    if (described.property_or("vcpus", 1) > max_client_vcpus) {
        service::log("uart.too_many_vcpus", {{"client", index}});
        __builtin_trap();
    }
    client.device = pl011::Pl011(*state.as<pl011::State>(), tx, rx, service::frequency());
    client.vm = described.handle("vm");
    // What a former life may have left undone.
    client.device.poll(service::now());
    settle(client, client.device.take_effects() | pl011::effect::line | pl011::effect::timer);
    service::signal(console_, client.wake);
}

/// Does what an operation left to do but the signal to the console, with the client's lock held.
/// True: signal it.
bool Uart::settle(Client& client, uint32_t effects) {
    if ((effects & pl011::effect::line) != 0) {
        service::interrupt_line(client.vm, client.intid, client.device.line() ? service::Line::high : service::Line::low);
    }
    if ((effects & pl011::effect::timer) != 0 && client.device.rx_deadline() != 0) { alarm_.set(client.device.rx_deadline()); }
    return (effects & pl011::effect::wake) != 0;
}

namespace {

/// A request that a former life did not answer.
void log_repeated(service::Request const& m) {
    service::log("uart.repeated", {{"client", m.badge}, {"vcpu", m.vcpu}, {"sequence", m.sequence}});
}

} // namespace

/// Gives a client's request to its device; an access whose lock is not to be had is tried again.
template <typename Access> Answer Uart::serve(service::Request const& m, Access const& access) {
    if (m.badge >= count_) { return Answer::abort(); }
    if (m.repeated) { log_repeated(m); }
    Client& client = clients_[m.badge];
    bool wake = false;
    Answer answer = Answer::retry();
    if (service::Guard guard{client.lock}; guard) {
        answer = access(client.device);
        wake = settle(client, client.device.take_effects());
    }
    if (wake) { service::signal(console_, client.wake); }
    return answer;
}

Answer Uart::on(service::MmioRead const& m) {
    return serve(m, [&](pl011::Pl011& device) { return device.read(m, offset(m.address), service::now()); });
}

Answer Uart::on(service::MmioWrite const& m) {
    return serve(m, [&](pl011::Pl011& device) {
        return device.write(m, offset(m.address), static_cast<uint32_t>(m.value), service::now());
    });
}

/// A client whose lock is not to be had is looked at again soon.
void Uart::poll(Client& client) {
    uint64_t const now = service::now();
    bool wake = false;
    if (service::Guard guard{client.lock}; guard) {
        client.device.poll(now);
        client.device.time(now);
        wake = settle(client, client.device.take_effects() | pl011::effect::timer);
    } else {
        alarm_.set(now + service::ticks(100));
    }
    if (wake) { service::signal(console_, client.wake); }
}

void Uart::on(service::Signals signals) {
    for (unsigned i = 0; i < count_; ++i) {
        if ((signals.set >> i & 1) != 0) { poll(clients_[i]); }
    }
}

void Uart::on(service::Deadline) {
    alarm_.forget();
    for (unsigned i = 0; i < count_; ++i) { poll(clients_[i]); }
}

service::LongAnswer Uart::on(service::Call const& m) {
    if (m.badge != abi::client::control_badge) { return abi::Status::denied; }
    auto const label = static_cast<abi::client::Label>(m.label);
    if (m.words[0] >= count_) { return abi::Status::bad_argument; }
    Client& client = clients_[m.words[0]];
    switch (label) {
    case abi::client::Label::reset: {
        service::Guard guard{client.lock};
        if (!guard) { return abi::Status::again; }
        client.device.reset();
        settle(client, client.device.take_effects());
        break;
    }
    case abi::client::Label::pause: // bytes and time-outs on the line do not stop for a paused VM
    case abi::client::Label::resume: return abi::Status::ok;
    default: return abi::Status::unsupported;
    }
    service::signal(console_, client.wake);
    return abi::Status::ok;
}

} // namespace uart

int main() {
    static uart::Uart uart{service::Environment::get()};
    service::serve(uart);
}
