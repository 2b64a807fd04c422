// SPDX-License-Identifier: MIT
// Memory: derived, mapped in others, taken away while they use it; zeroed when it comes back; blocks and pages in turn.
#include "test/guests/objects/parts.hpp"

namespace test {
namespace {

using abi::FaultReason;
constexpr unsigned user = 1, far = 7;
constexpr uint64_t there = 0x2000'0000;

void keep_reading(uint64_t address) {
    for (;;) {
        facts().count[0] += *reinterpret_cast<uint64_t volatile*>(address) != 0;
        set_flag(1);
    }
}
void write_once(uint64_t address) {
    *reinterpret_cast<uint64_t volatile*>(address) = 1;
    set_flag(2);
}

bool faulted(unsigned vcpu, FaultReason reason, uint64_t ipa) {
    bool const came = wait_for([=] { return crew.state(vcpu) == abi::VcpuState::faulted; });
    return came && crew.reason(vcpu) == reason && vcpu_read(crew.vcpu(vcpu), abi::VcpuGroup::status).words[3] == ipa;
}

/// A user on either core reads what is then taken away.
void check_taken(unsigned vcpu, unsigned core, Status (*take)(Handle root, Handle derived)) {
    clear_facts();
    static constinit uint64_t ipa = there;
    Handle const root = take_pages(2 * page), derived = take_slot();
    check("taken.derive", Status::ok, derive(root, page, page, derived, right::all));
    uint64_t const one = 1;
    fill(derived, &one, sizeof(one));
    ipa += 16 * page;
    check("taken.map", Status::ok, map(crew.partition(), derived, ipa, access::read));
    crew.run(vcpu, core, 20, keep_reading, ipa);
    check("taken.used", wait_flag(1) && facts().count[0] > 0);
    check("taken.take", Status::ok, take(root, derived));
    check("taken.fault", faulted(vcpu, FaultReason::stage2, ipa));
    drop(derived), destroy(root);
}

void check_taking() {
    auto const by_revoke = [](Handle root, Handle) { return revoke(root); };
    auto const by_unmap = [](Handle, Handle derived) { return unmap(derived); };
    auto const by_destroy = [](Handle, Handle derived) { return destroy(derived); };
    auto const by_donation = [](Handle, Handle derived) {
        Handle const slot = take_slot();
        Status const made = create_vcpu(derived, slot, crew.partition(), 6, 0, 1);
        return made == Status::ok ? destroy(slot) : made;
    };
    check_taken(user, 0, by_revoke);
    check_taken(far, 1, by_revoke);
    check_taken(user, 0, by_unmap);
    check_taken(far, 1, by_unmap);
    check_taken(user, 0, by_destroy);
    check_taken(far, 1, by_destroy);
    check_taken(user, 0, by_donation);
    check_taken(far, 1, by_donation);
}

void check_access() {
    clear_facts();
    Handle const memory = take_pages(page);
    check("access.map", Status::ok, map(crew.partition(), memory, there, access::read));
    crew.run(user, 0, 20, write_once, there);
    check("access.read_only", faulted(user, FaultReason::permission, there));
    unmap(memory);
    check("access.map_rw", Status::ok, map(crew.partition(), memory, there, access::read | access::write));
    crew.run(user, 0, 20, write_once, there);
    check("access.written", wait_flag(2));
    crew.run(user, 0, 20, reinterpret_cast<Body>(there));
    check("access.no_execute", faulted(user, FaultReason::permission, there));
    crew.run(user, 0, 20, write_once, 0x40'0000);
    check("access.text", faulted(user, FaultReason::permission, 0x40'0000));
    crew.run(user, 0, 20, write_once, there + page);
    check("access.nothing_there", faulted(user, FaultReason::stage2, there + page));
    unmap(memory), destroy(memory);
}

/// A donated page comes back zeroed, all of it; so does one that lay in a crew's hands.
void check_zeroed() {
    Handle const memory = take_pages(4 * page), slot = take_slot();
    auto* at = map_window(memory, 4 * page);
    __builtin_memset(at, 0xa5, 4 * page);
    check("zeroed.create", Status::ok, create_vcpu(memory, slot, crew.partition(), 6, 0, 1)); // unmaps it
    check("zeroed.destroy", Status::ok, destroy(slot));
    check("zeroed.stale", Status::bad_handle, destroy(slot));
    at = map_window(memory, 4 * page);
    uint64_t bytes = 0;
    for (uint64_t i = 0; i < 4 * page; ++i) { bytes += at[i] != 0; }
    check("zeroed.bytes", 0, bytes);
    unmap(memory), destroy(memory), give_slot(slot);
}

void check_donation_rules() {
    Handle const memory = take_pages(2 * page), part = take_slot(), other = take_slot(), slot = take_slot();
    derive(memory, 0, page, part, right::all), derive(memory, 0, page, other, right::all);
    auto make = [=](Handle donated) { return create_vcpu(donated, slot, crew.partition(), 6, 0, 1); };
    check("donate.shared", Status::bad_state, make(part));
    check("donate.drop_share", Status::ok, destroy(other));
    map_window(memory, 2 * page);
    check("donate.parent_mapped", Status::bad_state, make(part));
    unmap(memory);
    check("donate.alone", Status::ok, make(part));
    check("donate.parent_map", Status::bad_state, map(own().self, memory, there, access::read));
    check("donate.derive_over", Status::bad_state, derive(memory, 0, 2 * page, other, right::all));
    check("donate.derive_beside", Status::ok, derive(memory, page, page, other, right::all));
    check("donate.revoke", Status::ok, revoke(memory)); // destroys the vCPU that lives there
    check("donate.gone", Status::bad_handle, vcpu_read(slot, abi::VcpuGroup::status).status);
    check("donate.parent_map_again", Status::ok, map(own().self, memory, there, access::read));
    destroy(memory), drop(part), drop(other), drop(slot);
    give_slot(part), give_slot(other), give_slot(slot);
}

/// A chain of derivations to its greatest depth, mapped at its end; one revocation ends it all.
void check_depth() {
    Handle const memory = take_pages(page);
    constexpr unsigned most = 40;
    Handle chain[most];
    unsigned depth = 0;
    Status status = Status::ok;
    for (Handle last = memory; depth < most; ++depth) {
        chain[depth] = take_slot();
        status = derive(last, 0, page, chain[depth], right::all);
        if (status != Status::ok) { break; }
        last = chain[depth];
    }
    check("depth.end", Status::no_slot, status);
    check("depth.depth", 31, depth); // the piece that they are of is at depth 1, the deepest at 32
    check("depth.map", Status::ok, map(own().self, chain[depth - 1], there, access::read));
    check("depth.revoke", Status::ok, revoke(memory));
    uint64_t alive = 0;
    for (unsigned i = 0; i < depth; ++i) { alive += drop(chain[i]) == Status::ok && unmap(chain[i]) == Status::ok; }
    check("depth.alive", 0, alive);
    for (unsigned i = 0; i <= depth && i < most; ++i) { give_slot(chain[i]); }
    check("depth.map_root", Status::ok, map(own().self, memory, there, access::read));
    destroy(memory);
}

/// A wide tree: as many children as the quota allows, gone in one call, and the quota with them.
void check_width() {
    Handle const memory = take_pages(page);
    uint64_t made[2] = {};
    for (auto& count : made) {
        Handle slot[160];
        Status status = Status::ok;
        while (count < 160 && status == Status::ok) {
            slot[count] = take_slot();
            status = derive(memory, 0, page, slot[count], right::read | right::map_memory);
            count += status == Status::ok;
        }
        if (count < 160) { give_slot(slot[count]); }
        check("width.quota", Status::no_slot, status);
        if (count > 1) { check("width.map", Status::ok, map(own().self, slot[count / 2], there, access::read)); }
        check("width.revoke", Status::ok, revoke(memory));
        for (uint64_t i = 0; i < count; ++i) { drop(slot[i]), give_slot(slot[i]); }
    }
    check_range("width.made", 20, 159, made[0]);
    check("width.again", made[0], made[1]);
    destroy(memory);
}

/// The same addresses by single pages, as a block, by pages again: what lies there is seen each time.
void check_blocks() {
    constexpr uint64_t block = 2 << 20;
    Handle const big = take_slot(), small = take_slot();
    check("blocks.derive", Status::ok, derive(own().blocks, 0, block, big, right::all));
    check("blocks.derive_small", Status::ok, derive(big, page, page, small, right::all));
    uint64_t mismatches = 0;
    for (unsigned round = 0; round < 40; ++round) {
        auto* at = map_window(small, page, 2 * page);
        at[0] = static_cast<uint8_t>(round + 1);
        mismatches += unmap(small) != Status::ok;
        at = map_window(big, block);
        mismatches += at[page] != round + 1;
        at[page + 1] = static_cast<uint8_t>(round);
        at[block - 1] = static_cast<uint8_t>(round);
        mismatches += unmap(big) != Status::ok;
        at = map_window(small, page, 0);
        mismatches += at[1] != round;
        mismatches += unmap(small) != Status::ok;
        at = map_window(big, block);
        mismatches += at[block - 1] != round;
        mismatches += unmap(big) != Status::ok;
    }
    check("blocks.mismatches", 0, mismatches);
    destroy(big);
}

} // namespace

void check_memory() {
    crew.prepare(user, 0, 20), crew.prepare(far, 1, 20);
    check_taking();
    check_access();
    check_zeroed();
    check_donation_rules();
    check_depth();
    check_width();
    check_blocks();
}

} // namespace test
