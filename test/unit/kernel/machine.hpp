// SPDX-License-Identifier: MIT
// The whole core over the fake machine: partitions made as the boot makes them, and what the programs in them do.
#pragma once
#include "entry/trap.hpp"
#include "ipc/ipc.hpp"
#include "ipc/message.hpp"
#include "sched/cross.hpp"
#include "sched/scheduler.hpp"
#include "unit/kernel/status_text.hpp"
#include "vcpu/fault.hpp"
#include "vcpu/switching.hpp"
#include <initializer_list>
#include <map>
#include <string>

namespace Catch {
template <> struct StringMaker<bulkhead::Vcpu*> {
    static std::string convert(const bulkhead::Vcpu* vcpu) { return vcpu ? vcpu->partition->name : "nobody"; }
};
template <> struct StringMaker<bulkhead::FaultReason> {
    static std::string convert(bulkhead::FaultReason reason) { return abi::name(reason); }
};
template <> struct StringMaker<bulkhead::VcpuState> {
    static std::string convert(bulkhead::VcpuState state) {
        static const char* const names[] = {"ready", "off", "waiting", "calling", "paused", "faulted"};
        return names[static_cast<unsigned>(state)];
    }
};
} // namespace Catch

namespace bulkhead::test {

using abi::Action;
using abi::Hypercall;
using abi::Kind;
using abi::no_deadline;
using abi::ReplyTag;
using abi::Tag;

constexpr uint64_t slice = 5'000; ///< the counter ticks once a microsecond here
constexpr uint64_t instruction = 4, start_address = 0x1000;
constexpr uint64_t il = 1u << 25;

/// A load or store of `size` bytes by register rt, as ESR_EL2 says it; with a valid syndrome, at level 3.
constexpr uint64_t access_esr(unsigned size, bool write, unsigned rt, bool sign = false, bool wide = true) {
    const auto log2 = static_cast<uint64_t>(__builtin_ctz(size));
    return ec::data_abort << 26 | il | 1u << 24 | log2 << 22 | uint64_t{sign} << 21 | uint64_t{rt} << 16 | uint64_t{wide} << 15 |
           uint64_t{write} << 6 | 0x07;
}

/// What the program on a core sees of its CPU, beside what hw::in_hardware() holds; its PC is in ELR_EL2, where the
/// exception return leaves it.
struct Cpu {
    Vcpu* runs = nullptr; ///< null: the core sleeps
    uint64_t x[31]{};
};

class Machine {
public:
    explicit Machine(unsigned count = 1);

    // What the boot table makes
    Partition& partition(abi::PartitionKind kind, const char* name);
    Partition& vm(const char* name) { return partition(abi::PartitionKind::vm, name); }
    Partition& native(const char* name, bool confined = true);
    Partition& unconfined(const char* name) { return native(name, false); }
    Vcpu& vcpu(Partition& of, unsigned core = 0, unsigned priority = 10);
    ObjectRef endpoint(std::initializer_list<Vcpu*> servers, uint64_t max_us = 0);
    ObjectRef notification(Vcpu& target);
    /// Returns the handle.
    uint64_t grant(Partition& to, ObjectRef object, uint64_t badge = 0, uint64_t rights = abi::right::all);
    ObjectRef name_of(const Vcpu& vcpu) const { return objects.ref(vcpu.object_index); }
    void device(Partition& of, uint64_t ipa, ObjectRef endpoint, uint32_t badge);
    void trap(Partition& of, abi::Trap trap, ObjectRef endpoint, uint32_t badge) {
        of.traps[static_cast<unsigned>(trap)] = {endpoint, badge};
    }
    void budget(Vcpu& vcpu, uint64_t ticks, uint64_t period) { vcpu.budget_ticks = ticks, vcpu.period_ticks = period; }
    /// Ready to run from start_address, as the boot leaves it.
    void start(Vcpu& vcpu);
    /// Starts a service and lets it come to its first reply_recv.
    void serve(Vcpu& vcpu, uint64_t deadline = no_deadline);

    // Cores
    void on(unsigned core) { hw::this_core = core; }
    Core& core() { return *cores[hw::this_core]; }
    Cpu& cpu() { return cpus_[hw::this_core]; }
    Vcpu* running() { return cpu().runs; }
    uint64_t x(unsigned n) { return cpu().x[n]; }
    uint64_t pc() const { return hw::read<hw::ElrEl2>().bits; }
    /// The core chooses anew.
    Vcpu* go();
    /// Requests to a vCPU of this core (namespace request), as an interrupt would bring them.
    Vcpu* control(Vcpu& vcpu, uint32_t requests);
    /// Takes this core's interrupts while there are any.
    Vcpu* interrupts();
    /// All cores take theirs.
    void settle();
    /// The counter moves, and every core takes its timer interrupts at their time.
    void pass(uint64_t ticks);

    // What the program that runs does. Each returns who runs afterwards.
    Vcpu* hvc(Hypercall number, std::initializer_list<uint64_t> x);
    Vcpu* call(uint64_t handle, uint16_t label = 0, uint64_t word = 0) { return hvc(Hypercall::call, {handle, label, word}); }
    Vcpu* reply(uint64_t tag = 0, std::initializer_list<uint64_t> words = {}, uint64_t deadline = no_deadline);
    Vcpu* answer(Action action, std::initializer_list<uint64_t> words = {}) { return reply(ReplyTag::make(action).bits, words); }
    Vcpu* signal_recv(uint64_t handle, uint64_t set, uint64_t deadline = no_deadline);
    Vcpu* sync(uint64_t esr, uint64_t far = 0, uint64_t ipa = 0);
    Vcpu* serror(uint64_t esr);
    Vcpu* load(uint64_t ipa, unsigned rt = 0, unsigned size = 4) { return sync(access_esr(size, false, rt), ipa, ipa); }
    Vcpu* store(uint64_t ipa, unsigned rt = 0, unsigned size = 4) { return sync(access_esr(size, true, rt), ipa, ipa); }
    void exception(); ///< of a native partition's at EL1; its next step fetches from VBAR_EL1, an interrupt may come before it
    Vcpu* wfi() { return sync(ec::wfx << 26 | il); }
    Status status() { return static_cast<Status>(x(0)); } ///< that a hypercall has returned

    // What a server has received
    uint64_t badge() { return x(0); }
    Tag tag() { return {x(1)}; }
    uint64_t word(unsigned n) { return x(2 + n); }
    uint64_t sequence() { return x(8); }

    /// It starts afresh: nothing of what it left in its registers is to be there.
    void forget(Vcpu& vcpu) { marks_[&vcpu] = {}; }
    bool in_exception() { return marks_[running()].in_exception; }

    /// Every rule that holds whenever a core is not in EL2.
    void check();

    std::vector<Vcpu*> vcpus;

private:
    template <class Handler> Vcpu* into_kernel(Handler handler);
    void save_registers(); ///< as entry code does
    Vcpu* hypercall(uint64_t number);
    void entered(Vcpu* next);
    void mark(Vcpu& vcpu);

    Cpu cpus_[abi::max_cores];
    uint16_t next_object_ = 1;
    uint16_t supervisor_ = 0;
    struct Marks {
        uint64_t eager = 0, lazy = 0, x19 = 0;
        uint64_t sctlr = native_sctlr, vbar = 0, cntv_ctl = 0; ///< a VM's
        bool in_exception = false;
    };
    std::map<Vcpu*, Marks> marks_;         ///< what it left in its registers
    std::map<uint64_t, Vcpu*> whose_mark_; ///< in x19
    uint64_t last_mark_ = 0x1'0000;
};

/// Programs that only compute.
struct Spinners : Machine {
    explicit Spinners(unsigned cores = 1) : Machine(cores) {}
    Vcpu& spinner(const char* name, unsigned priority = 10, unsigned core = 0) {
        Vcpu& made = vcpu(native(name), core, priority);
        start(made);
        return made;
    }
};

/// What the core has written to the PL011 since hw::log was cleared.
std::string printed();

} // namespace bulkhead::test
