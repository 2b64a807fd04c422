// SPDX-License-Identifier: MIT
// A crew: a native partition whose vCPUs run functions of this same program, in a copy of it. They share one page of facts with the
// partition that made them; what they break is theirs alone. It is made at run time, and so not confined; or it is one of the
// system's, `crew-0` or `crew-1`, that runs this program and waits.
#pragma once
#include "test/guests/native/check.hpp"

namespace test {

constexpr unsigned crew_size = 8;

/// Handles in a crew's own table.
constexpr Handle slot_self = 1, slot_main_notification = 2, slot_free = 8;

/// What a crew's vCPU writes down, in order; `what` is the test's own.
struct Note {
    uint64_t what, value;
};
/// In memory that all of them see at the same address.
struct Facts {
    uint64_t flag[32];
    uint64_t count[32];
    uint64_t notes;
    Note note[200];
    uint64_t messages;
    abi::Message message[64];
};

/// The region "region.shared": facts, then stacks.
Facts& facts();
void clear_facts();
inline void put_note(uint64_t what, uint64_t value = 0) {
    uint64_t const at = __atomic_fetch_add(&facts().notes, 1, __ATOMIC_ACQ_REL);
    if (at < 200) { facts().note[at] = {what, value}; }
}
/// Where the first note of this kind stands; ~0 if there is none.
uint64_t place_of(uint64_t what);
inline void set_flag(unsigned n, uint64_t value = 1) { __atomic_store_n(&facts().flag[n], value, __ATOMIC_RELEASE); }
inline uint64_t flag(unsigned n) { return __atomic_load_n(&facts().flag[n], __ATOMIC_ACQUIRE); }
inline bool wait_flag(unsigned n, uint64_t us = 2'000'000) {
    return wait_for([=] { return flag(n) != 0; }, us);
}

/// The own capability table: slots that nobody uses.
Handle take_slot();
void give_slot(Handle slot);
/// A new Memory of so many bytes out of "memory.pages", all rights.
Handle take_pages(uint64_t size);

struct Handles {
    Handle self, pages, shared, notification, vcpu, blocks;
};
/// The grants of the test systems.
Handles const& own();

/// Maps a piece of own memory for a moment, copies or looks, unmaps it.
void fill(Handle memory, void const* from, uint64_t size);
uint8_t* map_window(Handle memory, uint64_t size, uint64_t offset = 0, uint64_t rights = access::read | access::write);

/// A body runs with its argument on its own stack; when it returns, the vCPU waits for ever.
using Body = void (*)(uint64_t argument);

class Crew {
public:
    /// Its faults are bit `signal` of the own notification; one of the system's must have none.
    void make(unsigned signal = 0);
    bool is_of_system() const { return home_ == 0; }
    /// vCPU `index` (made if there is none) runs `body`.
    Status run(unsigned index, unsigned core, unsigned priority, Body body, uint64_t argument = 0);
    Status start(unsigned index, Body body, uint64_t argument = 0);
    Status prepare(unsigned index, unsigned core, unsigned priority);
    Status give(Handle slot, Handle what, uint16_t rights, uint64_t badge = 0);
    Status unmake();
    /// vCPU `index`, made here, is no more.
    Status remove(unsigned index);
    /// One for its vCPU `index`, in a slot of one's own.
    Handle notification(unsigned index) const;
    Handle vcpu(unsigned index) const { return vcpu_[index]; }
    Handle partition() const { return partition_; }
    abi::VcpuState state(unsigned index) const;
    abi::FaultReason reason(unsigned index) const;

private:
    bool join(); ///< one of the system's, if there is one

    Handle partition_ = 0, home_ = 0;
    Handle vcpu_[crew_size] = {}, page_[crew_size] = {};
    Handle segment_[4] = {};
    unsigned number_ = 0; ///< whose stacks it has; no other crew has it at the same time
};

} // namespace test
