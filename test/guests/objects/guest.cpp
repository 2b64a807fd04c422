// SPDX-License-Identifier: MIT
// A VM made at run time: its RAM, a device page, its traps routed to a service of the crew; `hvc #n` is undefined in it.
#include "test/guests/objects/parts.hpp"

extern "C" const uint8_t guest_image[], guest_image_end[];

namespace test {
namespace {

using abi::Kind;
constexpr uint64_t ram = 0x4000'0000, device = 0x900'0000;
constexpr unsigned service_vcpu = 3;

/// Writes every message down; reads give 0x80, SMCCC calls their x0 + 1, registers 0x55.
void serve_guest(uint64_t) {
    LongAnswer answer;
    for (;;) {
        auto const m = receive(abi::no_deadline, answer);
        facts().message[facts().messages++ % 64] = m;
        answer = Answer::advance();
        if (m.tag.kind() == Kind::mmio_read) { answer = Answer::advance(0xabcd'ef80); }
        if (m.tag.kind() == Kind::sysreg_read) { answer = Answer::advance(0x55); }
        if (m.tag.kind() == Kind::smccc) { answer = LongAnswer::smccc(m.words[0] + 1, 2, 3, 4); }
        if (m.tag.kind() == Kind::mmio_write && (m.words[0] & 0xff) == 0x70) { answer = Answer::off(), set_flag(1); }
    }
}

struct Expected {
    std::string_view name;
    Kind kind;
    uint64_t badge, word0, word1, size;
};
constexpr Expected expected[] = {
    {"write", Kind::mmio_write, 7, device + 0x10, 0x1234, 8},
    {"read", Kind::mmio_read, 7, device + 0x21, 0, 1},
    {"read_value", Kind::mmio_write, 7, device + 0x30, 0xffff'ff80, 8},
    {"hvc_0", Kind::smccc, 8, 0x77, 0x78, 0},
    {"hvc_0_value", Kind::mmio_write, 7, device + 0x40, 0x78, 8},
    {"wfi", Kind::wfx, 9, ~0ull, 0, 0},
    {"sysreg", Kind::sysreg_read, 10, abi::sysreg(3, 3, 14, 2, 2), 0, 8},
    {"sysreg_value", Kind::mmio_write, 7, device + 0x50, 0x55, 8},
    {"hvc_5_elr", Kind::mmio_write, 7, device + 0x68, 0, 8},
    {"hvc_5_esr", Kind::mmio_write, 7, device + 0x60, 1u << 25, 8},
    {"hvc_ffff_elr", Kind::mmio_write, 7, device + 0x68, 0, 8},
    {"hvc_ffff_esr", Kind::mmio_write, 7, device + 0x60, 1u << 25, 8},
    {"end", Kind::mmio_write, 7, device + 0x70, 1, 8},
};

void check_messages() {
    auto const* m = facts().message;
    for (auto const& e : expected) {
        Text<64> name;
        name.put("guest.").put(e.name);
        bool const elr = e.word0 == device + 0x68;
        check(name, static_cast<uint64_t>(e.kind), static_cast<uint64_t>(m->tag.kind()));
        check(name, e.badge, m->badge);
        check(name, e.word0, m->words[0]);
        if (!elr) { check(name, e.word1, m->words[1]); }
        check(name, e.size, m->tag.size());
        check(name, !m->tag.repeated());
        ++m;
    }
    uint64_t const distance = facts().message[10].words[1] - facts().message[8].words[1];
    check("guest.hvc_elr", 8, distance); // taken at the instruction: hvc, str, hvc
}

} // namespace

void check_guest() {
    clear_facts();
    Handle const home = take_pages(12 * page), body = take_pages(page), memory = take_pages(4 * page);
    Handle const vm = take_slot(), vcpu = take_slot(), endpoint = take_slot();
    fill(memory, guest_image, static_cast<uint64_t>(guest_image_end - guest_image));
    crew.prepare(service_vcpu, 0, 30);
    check("guest.endpoint", Status::ok, create_endpoint(nothing_donated, endpoint, 0));
    check("guest.bind", Status::ok, bind(endpoint, crew.vcpu(service_vcpu)));
    crew.run(service_vcpu, 0, 30, serve_guest);
    check("guest.create", Status::ok, create_partition(home, vm, abi::PartitionKind::vm, 16, own().notification, 3));
    check("guest.vcpu", Status::ok, create_vcpu(body, vcpu, vm, 0, 0, 20));
    check("guest.ram", Status::ok, map(vm, memory, ram, access::read | access::execute));
    Handle const stack = take_pages(page);
    check("guest.stack", Status::ok, map(vm, stack, ram + 16 * page, access::read | access::write));
    check("guest.device", Status::ok, map_device(vm, device, 1, endpoint, 7));
    check("guest.smccc", Status::ok, route(vm, abi::Trap::smccc, endpoint, 8));
    check("guest.wfi", Status::ok, route(vm, abi::Trap::wfi, endpoint, 9));
    check("guest.timer", Status::ok, route(vm, abi::Trap::timer, endpoint, 10));
    check("guest.start", Status::ok, vcpu_start(vcpu, ram, device, ram, ram + 17 * page));
    check("guest.ran", wait_flag(1));
    check_messages();
    check("guest.off", static_cast<uint64_t>(abi::VcpuState::off), vcpu_read(vcpu, abi::VcpuGroup::status).words[0]);
    check("guest.unroute", Status::ok, destroy(endpoint));
    check("guest.start_again", Status::ok, vcpu_start(vcpu, ram, device, ram, ram + 17 * page));
    check("guest.no_endpoint", wait_for([=] { return vcpu_read(vcpu, abi::VcpuGroup::status).words[0] == 5; }));
    check("guest.reason", static_cast<uint64_t>(abi::FaultReason::no_endpoint), vcpu_read(vcpu, abi::VcpuGroup::status).words[1]);
    check("guest.destroy", Status::ok, destroy(vm));
}

} // namespace test
