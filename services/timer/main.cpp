// SPDX-License-Identifier: MIT
// The timer service: trapped CNTP registers, WFI and WFE, and virtual time across a pause.
#include "abi/protocol/client.hpp"
#include "services/lib/environment.hpp"
#include "services/lib/log.hpp"
#include "services/lib/serve.hpp"
#include "timers.hpp"

namespace timer {
namespace {

using service::Answer;
using service::Name;

struct Core {
    abi::Handle vms[max_clients];
    abi::Handle vcpus[max_clients][max_vcpus];

    void line(unsigned client, unsigned vcpu, bool level) const {
        service::interrupt_line(vms[client], cntp_intid, level ? service::Line::high : service::Line::low, vcpu);
    }
    abi::Status offset(unsigned client, unsigned vcpu, uint64_t value) const {
        return service::vcpu_write(vcpus[client][vcpu], abi::VcpuRegister::cntvoff, value);
    }
};

constinit Core core{};
constinit Timers<Core const&> timers{core};

struct Service {
    Answer on(service::SysregRead const& m) const {
        auto const* timer = timers.find(m.badge, m.vcpu);
        if (timer == nullptr || !is_register(m.reg)) { return Answer::undefined(); }
        return Answer::advance(timer->read(m.reg, service::now()));
    }

    Answer on(service::SysregWrite const& m) const {
        if (!is_register(m.reg) || !timers.has(m.badge, m.vcpu)) { return Answer::undefined(); }
        const bool done =
            timers.write(service::vcpu_index(), static_cast<unsigned>(m.badge), m.vcpu, m.reg, m.value, service::now());
        return done ? Answer::advance() : Answer::retry();
    }

    /// WFI waits for an interrupt or until CNTV is due. CNTP needs no deadline here: this service's
    /// own one raises its line, which wakes the vCPU. WFE, for which the core cannot see an event,
    /// gives the core to others and goes on: a deadline in the past. So do WFIT and WFET, whose
    /// deadlines nobody decodes: they may end early.
    Answer on(service::Wait const& m) const { return Answer::wait(m.instruction == 0 ? m.deadline : 0); }

    void on(service::Deadline const&) const { timers.look(service::vcpu_index(), service::now()); }
    uint64_t const& deadline(unsigned vcpu) const { return timers.deadline(vcpu); }

    service::LongAnswer on(service::Call const& m) const {
        if (m.badge != abi::client::control_badge) { return abi::Status::denied; }
        if (!timers.has(m.words[0], 0)) { return abi::Status::bad_argument; }
        const auto client = static_cast<unsigned>(m.words[0]);
        switch (static_cast<abi::client::Label>(m.label)) {
        case abi::client::Label::reset: return timers.reset(client, service::now());
        case abi::client::Label::pause: timers.pause(client, m.words[1]); return abi::Status::ok;
        case abi::client::Label::resume: return timers.resume(client, service::now());
        }
        return abi::Status::unsupported;
    }
};

/// The description asks for more than this service can do.
[[noreturn]] void refuse(char const* reason) {
    service::log("environment.refused", {{"reason", reason}});
    __builtin_trap();
}

void add_client(unsigned client, VmState& state) {
    const auto described = service::Environment::get().within(Name("client.%u.", client));
    const auto vcpus = static_cast<unsigned>(described.property("vcpus"));
    if (vcpus > max_vcpus) { refuse("too many vCPUs"); }
    core.vms[client] = described.handle("vm");
    for (unsigned vcpu = 0; vcpu < vcpus; ++vcpu) { core.vcpus[client][vcpu] = described.handle(Name("vcpu.%u", vcpu)); }
    timers.add_client(client, vcpus, state);
}

} // namespace
} // namespace timer

int main() {
    using namespace timer;
    auto const& environment = service::Environment::get();
    const auto clients = environment.property("clients");
    const auto servers = environment.property("cores");
    const auto state = environment.region("state");
    if (clients > max_clients || servers > max_servers || state.size < clients * sizeof(VmState)) {
        refuse("too many clients, or a state region too small for them");
    }
    for (unsigned client = 0; client < clients; ++client) { add_client(client, state.as<VmState>()[client]); }
    for (unsigned server = 0; server < servers; ++server) { timers.look(server, service::now()); }
    static constinit Service service;
    service::serve(service);
}
