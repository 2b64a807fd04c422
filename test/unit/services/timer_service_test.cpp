// SPDX-License-Identifier: MIT
// Who looks after a timer and when, its interrupt line, and virtual time across a pause.
#include "services/timer/timers.hpp"
#include <algorithm>
#include <catch2/catch.hpp>
#include <memory>
#include <utility>
#include <vector>

using timer::cntp_ctl;
using timer::cntp_cval;
using timer::cntp_tval;

namespace {

struct Line {
    unsigned client, vcpu;
    bool level;
    bool operator==(const Line&) const = default;
};
std::ostream& operator<<(std::ostream& out, const Line& l) {
    return out << "{client " << l.client << " vcpu " << l.vcpu << (l.level ? " high" : " low") << "}";
}
using Lines = std::vector<Line>;

struct Log {
    Lines lines;
    uint64_t offsets[2][2] = {};
    abi::Status status = abi::Status::ok;
};
struct Core {
    Log* log;
    void line(unsigned client, unsigned vcpu, bool level) const { log->lines.push_back({client, vcpu, level}); }
    abi::Status offset(unsigned client, unsigned vcpu, uint64_t value) const {
        if (log->status == abi::Status::ok) { log->offsets[client][vcpu] = value; }
        return log->status;
    }
};
using Timers = timer::Timers<Core>;

/// Two VMs of two vCPUs each, two server vCPUs.
struct Machine {
    Log log;
    timer::VmState states[2] = {};
    std::unique_ptr<Timers> timers;

    Machine() { restart(0); }
    /// The service starts, for the first time or again.
    void restart(uint64_t now) {
        timers = std::make_unique<Timers>(Core{&log});
        for (unsigned client = 0; client < 2; ++client) { timers->add_client(client, 2, states[client]); }
        for (unsigned server = 0; server < 2; ++server) { timers->look(server, now); }
    }
    Lines take() { return std::exchange(log.lines, {}); }
    void arm(unsigned server, unsigned client, unsigned vcpu, uint64_t cval, uint64_t now) {
        REQUIRE(timers->write(server, client, vcpu, cntp_cval, cval, now));
        REQUIRE(timers->write(server, client, vcpu, cntp_ctl, 1, now));
    }
};

} // namespace

TEST_CASE("a server wakes for the earliest of its own timers", "[timer][deadline]") {
    Machine m;
    CHECK(m.timers->deadline(0) == abi::no_deadline);
    m.arm(0, 0, 0, 500, 100);
    m.arm(0, 1, 0, 300, 100);
    m.arm(1, 0, 1, 200, 100);
    CHECK(m.timers->deadline(0) == 300);
    CHECK(m.timers->deadline(1) == 200);
    m.take();
    m.timers->look(0, 300);
    CHECK(m.take() == Lines{{1, 0, true}});
    CHECK(m.timers->deadline(0) == 500);
    m.timers->look(0, 600);
    CHECK(m.take() == Lines{{0, 0, true}});
    CHECK(m.timers->deadline(0) == abi::no_deadline);
}

TEST_CASE("the line is a level: it falls when the condition goes away", "[timer][line]") {
    Machine m;
    m.arm(0, 0, 0, 500, 100);
    m.take();
    m.timers->look(0, 500);
    m.timers->look(0, 501);
    CHECK(m.take() == Lines{{0, 0, true}});
    CHECK(m.timers->find(0, 0)->read(cntp_ctl, 501) == 5);
    SECTION("by a later CVAL") {
        m.timers->write(0, 0, 0, cntp_cval, 900, 510);
        CHECK(m.timers->deadline(0) == 900);
    }
    SECTION("by TVAL") {
        m.timers->write(0, 0, 0, cntp_tval, 90, 510);
        CHECK(m.timers->deadline(0) == 600);
    }
    SECTION("by IMASK") {
        m.timers->write(0, 0, 0, cntp_ctl, 3, 510);
        CHECK(m.timers->deadline(0) == abi::no_deadline);
    }
    SECTION("by ENABLE") { m.timers->write(0, 0, 0, cntp_ctl, 0, 510); }
    CHECK(m.take() == Lines{{0, 0, false}});
}

TEST_CASE("a timer that has already expired raises its line at once", "[timer][line]") {
    Machine m;
    m.arm(0, 0, 1, 50, 100);
    CHECK(m.take() == Lines{{0, 1, false}, {0, 1, true}}); // low is told once: nobody knows before
    CHECK(m.timers->deadline(0) == abi::no_deadline);
}

TEST_CASE("a deadline that is put off does not wake the server", "[timer][deadline]") {
    Machine m;
    m.arm(0, 0, 0, 500, 100);
    m.arm(0, 1, 1, 700, 100);
    m.timers->write(0, 0, 0, cntp_cval, 900, 200);
    CHECK(m.timers->deadline(0) == 700);
    m.timers->write(0, 1, 1, cntp_ctl, 0, 200);
    CHECK(m.timers->deadline(0) == 900);
    m.timers->write(0, 0, 0, cntp_ctl, 2, 200);
    CHECK(m.timers->deadline(0) == abi::no_deadline);
}

TEST_CASE("a vCPU that moved takes its timer along", "[timer][move]") {
    Machine m;
    m.arm(0, 0, 0, 500, 100);
    m.take();
    m.timers->write(1, 0, 0, cntp_cval, 600, 200); // now seen by server 1
    CHECK(m.timers->deadline(1) == 600);
    m.timers->look(0, 650); // server 0 wakes for nothing
    CHECK(m.take().empty());
    CHECK(m.timers->deadline(0) == abi::no_deadline);
    m.timers->look(1, 650);
    CHECK(m.take() == Lines{{0, 0, true}});
}

TEST_CASE("after a restart the timers go on and the lines are told again", "[timer][restart]") {
    Machine m;
    m.arm(0, 0, 0, 500, 100);
    m.arm(1, 1, 1, 900, 100);
    m.take();
    m.restart(600); // 500 passed while the service was away
    const auto lines = m.take();
    CHECK(std::count(lines.begin(), lines.end(), Line{0, 0, true}) == 1);
    CHECK(std::count(lines.begin(), lines.end(), Line{1, 1, false}) == 1);
    CHECK(m.timers->deadline(0) == abi::no_deadline);
    CHECK(m.timers->deadline(1) == 900);
    CHECK(m.timers->find(0, 0)->read(cntp_cval, 600) == 500);
}

TEST_CASE("virtual time starts at zero and stands still in a pause", "[timer][virtual]") {
    Machine m;
    REQUIRE(m.timers->reset(0, 1000) == abi::Status::ok);
    CHECK(m.log.offsets[0][0] == 1000);
    CHECK(m.log.offsets[0][1] == 1000);
    CHECK(m.log.offsets[1][0] == 0); // another VM's
    m.timers->pause(0, 5000);        // virtual 4000
    REQUIRE(m.timers->resume(0, 7000) == abi::Status::ok);
    CHECK(7000 - m.log.offsets[0][0] == 4000);
    CHECK(m.log.offsets[0][1] == m.log.offsets[0][0]);
    m.timers->pause(0, 8000); // virtual 5000
    REQUIRE(m.timers->resume(0, 20'000) == abi::Status::ok);
    CHECK(20'000 - m.log.offsets[0][0] == 5000);
}

TEST_CASE("pause and resume can be repeated", "[timer][virtual]") {
    Machine m;
    REQUIRE(m.timers->reset(0, 1000) == abi::Status::ok);
    m.timers->pause(0, 5000);
    m.timers->pause(0, 6000); // already paused: the first counts
    m.restart(6500);
    REQUIRE(m.timers->resume(0, 7000) == abi::Status::ok);
    REQUIRE(m.timers->resume(0, 9000) == abi::Status::ok); // already runs
    CHECK(m.log.offsets[0][0] == 3000);
}

TEST_CASE("a resume that the core refuses leaves the VM paused", "[timer][virtual]") {
    Machine m;
    m.timers->pause(0, 5000);
    m.log.status = abi::Status::bad_state;
    CHECK(m.timers->resume(0, 7000) == abi::Status::bad_state);
    m.log.status = abi::Status::ok;
    CHECK(m.timers->resume(0, 8000) == abi::Status::ok);
    CHECK(m.log.offsets[0][0] == 3000);
}

TEST_CASE("a pause at virtual time zero is a pause", "[timer][virtual]") {
    Machine m;
    REQUIRE(m.timers->reset(0, 1000) == abi::Status::ok);
    m.timers->pause(0, 1000);
    REQUIRE(m.timers->resume(0, 3000) == abi::Status::ok);
    CHECK(m.log.offsets[0][0] == 3000);
}

TEST_CASE("physical time goes on in a pause", "[timer][virtual]") {
    Machine m;
    m.arm(0, 0, 0, 500, 100);
    m.take();
    m.timers->pause(0, 200);
    m.timers->look(0, 500);
    CHECK(m.take() == Lines{{0, 0, true}});
    REQUIRE(m.timers->resume(0, 700) == abi::Status::ok);
    CHECK(m.timers->find(0, 0)->read(cntp_ctl, 700) == 5);
}

TEST_CASE("reset switches the timers off and lowers their lines", "[timer][reset]") {
    Machine m;
    m.arm(0, 0, 0, 500, 600);
    m.arm(0, 0, 1, 900, 600);
    m.arm(0, 1, 0, 950, 600);
    m.take();
    m.timers->pause(0, 650);
    REQUIRE(m.timers->reset(0, 700) == abi::Status::ok);
    CHECK(m.take() == Lines{{0, 0, false}});
    CHECK(m.timers->find(0, 0)->read(cntp_ctl, 700) == 0);
    CHECK(m.timers->find(0, 1)->read(cntp_cval, 700) == 0);
    REQUIRE(m.timers->resume(0, 800) == abi::Status::ok); // it was not paused any more
    CHECK(m.log.offsets[0][0] == 700);
    m.timers->look(0, 900);
    CHECK(m.take().empty());
    CHECK(m.timers->deadline(0) == 950);
}

TEST_CASE("only clients and vCPUs of the description are known", "[timer][client]") {
    Machine m;
    CHECK(m.timers->has(1, 1));
    CHECK_FALSE(m.timers->has(1, 2));
    CHECK_FALSE(m.timers->has(2, 0));
    CHECK_FALSE(m.timers->has(abi::no_deadline, 0));
}
