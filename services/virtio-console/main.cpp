// SPDX-License-Identifier: MIT
// The virtio-console service: a VirtIO console for each client VM, its bytes in rings to and from the console.
#include "abi/protocol/client.hpp"
#include "services/lib/alarm.hpp"
#include "services/lib/environment.hpp"
#include "services/lib/serve.hpp"
#include "services/virtio-console/crash.hpp"

namespace virtio_console {

using service::Answer;

constexpr unsigned max_clients = 16;

struct alignas(128) Client {
    service::SpinLock lock;
    uint32_t intid = 0;
    Console device;
    service::Handle vm = 0;
    uint64_t wake = 0; ///< its signal at the console
    bool mistake_told = false;
    std::string_view name;
};

class Service {
public:
    explicit Service(service::Environment const& environment);

    /// Without the lock: a register is a word.
    Answer on(service::MmioRead const& m) {
        if (m.badge >= count_) { return Answer::abort(); }
        return Answer::advance(clients_[m.badge].device.read(m.address & 0xfff, m.size));
    }
    /// What is repeated after a restart may be done again: services/virtio/transport.hpp.
    Answer on(service::MmioWrite const& m) {
        if (m.badge >= count_) { return Answer::abort(); }
        bool const done = with_device(
            clients_[m.badge], [&](Console& device) { device.write(m.address & 0xfff, m.size, static_cast<uint32_t>(m.value)); });
        return done ? Answer::advance() : Answer::retry();
    }
    service::LongAnswer on(service::Call const& m);
    void on(service::Signals signals);
    void on(service::Deadline);
    uint64_t const& deadline(unsigned) const { return alarm_.ticks(); }

private:
    void add_client(service::Environment const& environment, Client& client, unsigned index, State& state, Console::Probe probe);
    template <typename Operation> bool with_device(Client& client, Operation const& operation);
    void settle(Client& client, uint32_t effects);
    void pump(Client& client);

    uint64_t count_ = 0;
    service::Handle console_ = 0;
    uint64_t const later_ = service::ticks(100);
    service::Alarm alarm_; ///< when a client has more to do
    Client clients_[max_clients];
};

namespace {

/// The state region.
struct StateRegion {
    CrashState crash;
    State clients[max_clients];
};

} // namespace

Service::Service(service::Environment const& environment) {
    console_ = environment.handle("console.notify");
    uint64_t const count = environment.property("clients");
    auto const state = environment.region("state");
    if (count > max_clients || state.size < sizeof(StateRegion)) {
        service::log("virtio-console.too_many_clients", {{"clients", count}, {"state", state.size}});
        __builtin_trap();
    }
    auto& region = *state.as<StateRegion>();
    auto const probe = arm_crash(environment, region.crash);
    for (unsigned i = 0; i < count; ++i) { add_client(environment, clients_[i], i, region.clients[i], probe); }
    count_ = count;
}

void Service::add_client(service::Environment const& environment, Client& client, unsigned index, State& state,
                         Console::Probe probe) {
    auto const described = environment.within(service::Name("client.%u.", index));
    client.intid = static_cast<uint32_t>(described.property("intid"));
    client.name = described.string("name");
    auto const ram = described.region("ram");
    virtio::GuestMemory const memory(ram.address, described.property("ram.base"), ram.size);
    auto const rx = described.region("rx").consumer();
    auto const tx = described.region("tx").producer();
    client.wake = 1ull << (described.property("tx.signal") & 63);
    client.vm = described.handle("vm");
    client.device = Console(state, memory, tx, rx, probe);
    // What a former life may have left undone.
    pump(client);
    service::signal(console_, client.wake);
}

/// What an operation left to do, with the client's lock held; the signal to the console comes after it.
void Service::settle(Client& client, uint32_t effects) {
    if ((effects & effect::line) != 0) {
        service::interrupt_line(client.vm, client.intid, client.device.line() ? service::Line::high : service::Line::low);
    }
    if ((effects & effect::again) != 0) { alarm_.set(0); }
    if ((effects & effect::later) != 0) { alarm_.set(service::now() + later_); }
    if ((effects & effect::mistake) != 0) {
        auto const what = client.device.take_mistake();
        if (!client.mistake_told) { service::log("driver.mistake", {{"vm", client.name}, {"what", what}}); }
        client.mistake_told = true;
    }
}

/// False: the lock was not to be had.
template <typename Operation> bool Service::with_device(Client& client, Operation const& operation) {
    uint32_t effects = 0;
    {
        service::Guard guard{client.lock};
        if (!guard) { return false; }
        operation(client.device);
        effects = client.device.take_effects();
        if ((effects & ~effect::wake) != 0) { settle(client, effects); }
    }
    if ((effects & effect::wake) != 0) { service::signal(console_, client.wake); }
    return true;
}

/// A client whose lock is not to be had is looked at again soon.
void Service::pump(Client& client) {
    if (!with_device(client, [](Console& device) { device.pump(); })) { alarm_.set(service::now() + service::ticks(100)); }
}

void Service::on(service::Signals signals) {
    for (unsigned i = 0; i < count_; ++i) {
        if ((signals.set >> i & 1) != 0) { pump(clients_[i]); }
    }
}

void Service::on(service::Deadline) {
    alarm_.forget();
    for (unsigned i = 0; i < count_; ++i) { pump(clients_[i]); }
}

service::LongAnswer Service::on(service::Call const& m) {
    if (m.badge != abi::client::control_badge) { return abi::Status::denied; }
    if (m.words[0] >= count_) { return abi::Status::bad_argument; }
    switch (static_cast<abi::client::Label>(m.label)) {
    case abi::client::Label::reset:
        clients_[m.words[0]].mistake_told = false;
        return with_device(clients_[m.words[0]], [](Console& device) { device.reset(); }) ? abi::Status::ok : abi::Status::again;
    case abi::client::Label::pause: // bytes do not stop for a paused VM
    case abi::client::Label::resume: return abi::Status::ok;
    default: return abi::Status::unsupported;
    }
}

} // namespace virtio_console

int main() {
    static virtio_console::Service consoles{service::Environment::get()};
    service::serve(consoles);
}
