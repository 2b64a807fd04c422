// SPDX-License-Identifier: MIT
// Virtual interrupts under thousands of random steps on two cores: every word agrees with the queues, parked sets and
// list registers, and in the end nothing is lost.
#include "interrupt_world.hpp"
#include <map>
#include <random>

using namespace bulkhead;
using namespace bulkhead::test;
using VI = VirtualInterrupt;

namespace {

constexpr unsigned begin = 32, finish = 56, level_end = 44; ///< SPIs below level_end are level-sensitive

struct Machine : World {
    std::mt19937 random{1};
    Guest guests[2];
    std::vector<unsigned> taken[2];
    std::map<unsigned, unsigned> pulses, deliveries;
    std::map<unsigned, bool> owed; ///< an edge that no guest has seen
    bool b_runs = false;           ///< on core 0, instead of A's vCPU 0

    unsigned pick(unsigned end) { return static_cast<unsigned>(random() % end); }
    unsigned some() { return begin + pick(finish - begin); }

    void settle() {
        while (!inbox.empty()) {
            for (unsigned core : {0u, 1u}) {
                on(core);
                for (Vcpu* vcpu : std::exchange(inbox, {})) {
                    if (vcpu->core == core) {
                        answer_interrupt_request(here(), *vcpu);
                    } else {
                        inbox.push_back(vcpu);
                    }
                }
                enter();
            }
        }
    }
    void acknowledge(unsigned core) {
        if (core == 0 && b_runs) { return; }
        on(core);
        unsigned intid = guests[core].acknowledge();
        if (intid == spurious) { return; }
        taken[core].push_back(intid);
        ++deliveries[intid];
        owed[intid] = false;
        if (intid < level_end) { line(intid, Line::lower), enter(); }
    }
    void end(unsigned core) {
        if (taken[core].empty() || (core == 0 && b_runs)) { return; }
        on(core);
        guests[core].end(taken[core].back());
        taken[core].pop_back();
    }
    void change_line() {
        unsigned intid = some();
        if (intid < level_end) { return line(intid, pick(2) ? Line::raise : Line::lower); }
        ++pulses[intid];
        owed[intid] = true;
        line(intid, Line::pulse);
    }
    void switch_vm() {
        on(0);
        b_runs = !b_runs;
        run(*(b_runs ? b : a).vcpus[0]);
    }
    void configure() {
        unsigned intid = some();
        switch (pick(4)) {
        case 0: state(Register::route, 0, intid, pick(2)); break;
        case 1: state(Register::enable_clear, 0, intid / 32 * 32, 1u << intid % 32); break;
        case 2: state(Register::enable_set, 0, intid / 32 * 32, 1u << intid % 32); break;
        default: state(Register::ctlr, 0, 0, pick(8) ? 2 : 0);
        }
    }
    void step() {
        on(pick(2));
        switch (pick(8)) {
        case 0:
        case 1: change_line(); break;
        case 2:
        case 3: acknowledge(pick(2)); break;
        case 4:
        case 5: end(pick(2)); break;
        case 6: configure(); break;
        default:
            if (pick(4) == 0) { switch_vm(); }
        }
        if (pick(3)) { settle(); } // else the other core has yet to look
    }

    void check(unsigned intid) {
        Word w = a.interrupts.spi[intid - 32];
        unsigned places = is(w, VI::queued) + is(w, VI::parked) + is(w, VI::listed);
        REQUIRE(places <= 1);
        unsigned queued = 0, parked = 0, listed = 0;
        for (unsigned n = 0; n < 2; ++n) {
            const auto& own = a.vcpus[n]->interrupts;
            parked += own.parked.next(intid) == intid;
            for (unsigned i = 0; i < own.used; ++i) { listed += own.listed[i] == intid; }
            const auto& queue = own.queue;
            queued += !queue.empty() && queue.best() == intid;
            if (is(w, VI::listed) && w.get(VI::holder) == n) { REQUIRE(own.used > 0); }
        }
        REQUIRE(parked == is(w, VI::parked));
        REQUIRE(listed == is(w, VI::listed));
        REQUIRE(queued <= is(w, VI::queued));
        REQUIRE(is(w, VI::queued) == (!is(w, VI::active) && !is(w, VI::listed) && is_open(w) && is_pending(w)));
    }
};

} // namespace

TEST_CASE("random interrupts, routes, enables and switches: nothing is lost or doubled", "[irq]") {
    Machine machine;
    for (unsigned intid = begin; intid < finish; ++intid) {
        machine.open(machine.a, 0, intid, machine.pick(30) * 8, intid >= level_end);
    }
    for (unsigned i = 0; i < 20'000; ++i) {
        machine.step();
        for (unsigned intid = begin; intid < finish; ++intid) { machine.check(intid); }
    }
    // All enabled, everything is taken and ended.
    if (machine.b_runs) { machine.switch_vm(); }
    machine.state(Register::ctlr, 0, 0, 2);
    machine.state(Register::enable_set, 0, 32, ~0u);
    for (unsigned i = 0; i < 1'000; ++i) {
        for (unsigned core : {0u, 1u}) {
            machine.acknowledge(core), machine.settle();
            machine.end(core), machine.settle();
        }
    }
    for (unsigned core : {0u, 1u}) { // what the list registers hold, into the words
        World::on(core);
        machine.a.vcpus[core]->interrupts.fold_wanted = true;
        answer_interrupt_request(World::here(), *machine.a.vcpus[core]);
    }
    for (unsigned intid = begin; intid < finish; ++intid) {
        Word w = machine.a.interrupts.spi[intid - 32];
        CAPTURE(intid);
        CHECK_FALSE(is_pending(w));
        CHECK_FALSE(is_active(w));
        CHECK_FALSE(machine.owed[intid]);
        if (intid >= level_end) { CHECK(machine.deliveries[intid] <= machine.pulses[intid]); }
        CHECK(machine.deliveries[intid] > 5);
    }
}
