// SPDX-License-Identifier: MIT
// The gic service: accesses of the VMs to their distributors and redistributors, and their SGIs.
#include "abi/protocol/client.hpp"
#include "controller.hpp"
#include "services/lib/environment.hpp"
#include "services/lib/log.hpp"
#include "services/lib/serve.hpp"
#include "services/lib/spinlock.hpp"

namespace gic {
namespace {

using service::Answer;
using service::Name;

constexpr unsigned max_clients = 16;
constexpr uint32_t icc_sgi1r = abi::sysreg(3, 0, 12, 11, 5), icc_asgi1r = abi::sysreg(3, 0, 12, 11, 6),
                   icc_sgi0r = abi::sysreg(3, 0, 12, 11, 7);

struct Core {
    abi::Handle vm;
    uint64_t read(Register reg, unsigned vcpu, unsigned first) const {
        return service::interrupt_state(vm, reg, vcpu, first, 0).value;
    }
    void write(Register reg, unsigned vcpu, unsigned first, uint64_t value) const {
        service::interrupt_state(vm, reg, vcpu, first, value);
    }
    void pulse(unsigned vcpu, unsigned intid) const { service::interrupt_line(vm, intid, service::Line::pulse, vcpu); }
};

struct Client {
    Vm vm;
    Core core;
    VmState* state;
    service::SpinLock lock;

    Controller<Core> controller() { return {core, vm, *state}; }
};

constinit Client clients[max_clients]{};
constinit unsigned client_count = 0;

struct Service {
    static Client* client_of(service::Request const& m) {
        return m.badge < client_count && m.vcpu < clients[m.badge].vm.vcpus ? &clients[m.badge] : nullptr;
    }

    // noinline: the loop needs no registers for them.
    [[gnu::noinline]] Answer on(service::MmioRead const& m) const {
        auto* client = client_of(m);
        if (!client) { return Answer::abort(); }
        return Answer::advance(client->controller().read(m.address, m.size));
    }

    [[gnu::noinline]] Answer on(service::MmioWrite const& m) const {
        auto* client = client_of(m);
        if (!client) { return Answer::abort(); }
        if (client->state->was_done(m.vcpu, m.repeated, m.sequence)) { return Answer::advance(); }
        auto controller = client->controller();
        if (controller.needs_lock(m.address)) {
            service::Guard guard(client->lock);
            if (!guard) { return Answer::retry(); }
            controller.write(m.address, m.size, m.value);
        } else {
            controller.write(m.address, m.size, m.value);
        }
        client->state->note_done(m.vcpu, m.sequence);
        return Answer::advance();
    }

    /// ICC_SGI1R_EL1, which all guests use: with the message still in registers.
    bool quick(service::SysregWrite const& m) const {
        auto* client = client_of(m);
        if (!client || m.reg != icc_sgi1r) { return false; }
        VmState& state = *client->state;
        client->controller().send_sgi(1, m.vcpu, m.value);
        state.note_done(m.vcpu, m.sequence);
        return true;
    }

    /// The other registers of the CPU interface are the hardware's (ICV_*): what else traps, the VM
    /// does not have.
    Answer on(service::SysregWrite const& m) const {
        auto* client = client_of(m);
        if (!client || (m.reg != icc_sgi1r && m.reg != icc_asgi1r && m.reg != icc_sgi0r)) { return Answer::undefined(); }
        if (client->state->was_done(m.vcpu, m.repeated, m.sequence)) { return Answer::advance(); }
        client->controller().send_sgi(m.reg == icc_sgi1r, m.vcpu, m.value);
        client->state->note_done(m.vcpu, m.sequence);
        return Answer::advance();
    }

    service::LongAnswer on(service::Call const& m) const {
        if (m.badge != abi::client::control_badge) { return abi::Status::denied; }
        if (m.words[0] >= client_count) { return abi::Status::bad_argument; }
        switch (static_cast<abi::client::Label>(m.label)) {
        case abi::client::Label::reset:
            if (m.words[1] == 0) { return abi::Status::ok; } // nothing has changed
            return reset(clients[m.words[0]]);
        case abi::client::Label::pause:
        case abi::client::Label::resume: return abi::Status::ok; // nothing here runs by itself
        }
        return abi::Status::unsupported;
    }

    static abi::Status reset(Client& client) {
        service::Guard guard(client.lock);
        if (!guard) { return abi::Status::again; }
        client.controller().reset();
        for (auto& done : client.state->done) { store(done, 0); }
        return abi::Status::ok;
    }
};

/// The description asks for more than this service can do.
[[noreturn]] void refuse(char const* reason) {
    service::log("environment.refused", {{"reason", reason}});
    __builtin_trap();
}

void add_client(unsigned index, VmState& state) {
    const auto described = service::Environment::get().within(Name("client.%u.", index));
    auto& client = clients[index];
    client.state = &state;
    auto& vm = client.vm;
    vm.distributor = described.property("base");
    vm.redistributor = described.property("redistributor");
    vm.vcpus = static_cast<unsigned>(described.property("vcpus"));
    vm.spis = static_cast<unsigned>(described.property("spis"));
    if (vm.vcpus > max_vcpus || vm.spis > max_spis || vm.spis % 32 != 0) { refuse("client out of bounds"); }
    client.core = {described.handle("vm")};
    for (unsigned vcpu = 0; vcpu < vm.vcpus; ++vcpu) {
        vm.affinity[vcpu] = affinity_of(described.property(Name("vcpu.%u.mpidr", vcpu)));
    }
    vm.note_affinities();
}

} // namespace
} // namespace gic

int main() {
    using namespace gic;
    auto const& environment = service::Environment::get();
    const auto count = environment.property("clients");
    const auto state = environment.region("state");
    if (count > max_clients || state.size < count * sizeof(VmState)) {
        refuse("too many clients, or a state region too small for them");
    }
    for (unsigned client = 0; client < count; ++client) { add_client(client, state.as<VmState>()[client]); }
    client_count = static_cast<unsigned>(count);
    static constinit Service service;
    service::serve(service);
}
