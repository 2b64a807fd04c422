// SPDX-License-Identifier: MIT
// Makes crews: copies the program once, maps the copy into each, with one stack per vCPU in the shared region.
#include "test/guests/native/crew.hpp"
#include "services/lib/environment.hpp"

extern "C" char rodata_start[], data_start[], data_end[]; // service.ld

namespace test {
namespace {

constexpr uint64_t page = 4096, text_base = 0x40'0000, stack_size = 4 * page;
constexpr uint64_t stacks_at = 16 * page; ///< in the shared region, behind the facts
constexpr unsigned most_crews = 2;        ///< at a time; there are stacks for as many
constexpr uint64_t slots_in_crew = 64;

struct State {
    Handles own;
    uint64_t window, next_page;
    Handle next_slot, image;
    bool used[1024];
    bool crew[most_crews];
};
constinit State the{};
constinit Facts* shared = nullptr;
static_assert(sizeof(Facts) <= stacks_at);

uint64_t up(uint64_t value) { return (value + page - 1) & ~(page - 1); }
uint64_t address(void const* pointer) { return reinterpret_cast<uint64_t>(pointer); }

/// Where the copy's parts lie; the crews' data are one copy that they share.
struct Part {
    uint64_t base, size, access;
};
void parts(Part (&out)[3]) {
    out[0] = {text_base, address(rodata_start) - text_base, access::read | access::execute};
    out[1] = {address(rodata_start), address(data_start) - address(rodata_start), access::read};
    out[2] = {address(data_start), up(address(data_end)) - address(data_start), access::read | access::write};
}

void need(std::string_view what, Status status) {
    if (status == Status::ok) { return; }
    log("setup.failed", {{"what", what}, {"status", abi::name(status)}});
    __builtin_trap();
}

/// The copy, made once. Data: whoever runs on it has nothing to do with the log.
Handle image() {
    if (the.image != 0) { return the.image; }
    facts(); // known in the copy, too
    uint64_t const size = up(address(data_end)) - text_base;
    Handle const made = take_pages(size);
    fill(made, reinterpret_cast<void const*>(text_base), size);
    return the.image = made;
}

[[gnu::noreturn]] void crew_start(Body body, uint64_t argument) {
    body(argument);
    for (;;) { receive(abi::no_deadline); }
}

} // namespace

Facts& facts() {
    if (shared == nullptr) { shared = Environment::get().region("region.shared").as<Facts>(); }
    return *shared;
}

void clear_facts() { __builtin_memset(static_cast<void*>(&facts()), 0, sizeof(Facts)); }

uint64_t place_of(uint64_t what) {
    uint64_t const end = __atomic_load_n(&facts().notes, __ATOMIC_ACQUIRE);
    for (uint64_t i = 0; i < end && i < 200; ++i) {
        if (facts().note[i].what == what) { return i; }
    }
    return ~0ull;
}

Handles const& own() {
    if (the.own.self == 0) {
        auto const& e = Environment::get();
        the.own = {e.handle("partition.self"),    e.handle("memory.pages"),        e.handle("memory.shared"),
                   e.handle("notification.self"), e.handle_or_none("vcpu.self.0"), e.handle_or_none("memory.blocks")};
        the.window = e.property("window");
        the.next_slot = e.property("slots.free");
    }
    return the.own;
}

Handle take_slot() {
    own();
    Handle slot = the.next_slot;
    while (the.used[slot]) { ++slot; }
    the.used[slot] = true;
    return slot;
}

void give_slot(Handle slot) { the.used[slot] = false; }

Handle take_pages(uint64_t size) {
    Handle const slot = take_slot();
    need("derive", derive(own().pages, the.next_page, up(size), slot, right::all));
    the.next_page += up(size);
    return slot;
}

uint8_t* map_window(Handle memory, uint64_t, uint64_t offset, uint64_t rights) {
    own();
    uint64_t const at = the.window + offset;
    need("map", map(own().self, memory, at, rights));
    return reinterpret_cast<uint8_t*>(at);
}

void fill(Handle memory, void const* from, uint64_t size) {
    auto* to = map_window(memory, up(size));
    __builtin_memcpy(to, from, size);
    for (uint64_t at = 0; at < size; at += 64) { asm volatile("dc cvau, %0" : : "r"(to + at) : "memory"); }
    asm volatile("dsb ish" ::: "memory");
    need("unmap", unmap(memory));
}

void Crew::make(unsigned signal) {
    number_ = 0;
    while (number_ < most_crews && the.crew[number_]) { ++number_; }
    need("stacks", number_ < most_crews ? Status::ok : Status::no_memory);
    the.crew[number_] = true;
    if (join()) { return; }
    partition_ = take_slot();
    home_ = take_pages(16 * page);
    need("crew", create_partition(home_, partition_, abi::PartitionKind::native, slots_in_crew, own().notification, signal));
    Handle const whole = image();
    Part part[3];
    parts(part);
    for (unsigned i = 0; i < 3; ++i) {
        if (part[i].size == 0) { continue; }
        segment_[i] = take_slot();
        need("part", derive(whole, part[i].base - text_base, part[i].size, segment_[i], right::all));
        need("part.map", map(partition_, segment_[i], part[i].base, part[i].access));
    }
    segment_[3] = take_slot();
    auto const region = Environment::get().region("region.shared");
    need("shared", derive(own().shared, 0, region.size, segment_[3], right::all));
    need("shared.map", map(partition_, segment_[3], address(region.address), access::read | access::write));
    need("give", give(slot_main_notification, own().notification, right::signal));
}

bool Crew::join() {
    auto const& e = Environment::get();
    partition_ = e.handle_or_none(Name("partition.crew-%u", number_));
    if (partition_ == 0) { return false; }
    vcpu_[0] = e.handle(Name("vcpu.crew-%u.0", number_));
    bool const waits = wait_for([this] { return state(0) != abi::VcpuState::ready; });
    need("crew", waits ? Status::ok : Status::timeout);
    need("give", give(slot_main_notification, own().notification, right::signal));
    return true;
}

Handle Crew::notification(unsigned index) const {
    if (is_of_system() && index == 0) { return Environment::get().handle(Name("notification.crew-%u", number_)); }
    Handle const made = take_slot();
    need("notification", create_notification(nothing_donated, made, vcpu_[index]));
    return made;
}

Status Crew::prepare(unsigned index, unsigned core, unsigned priority) {
    if (vcpu_[index] != 0) { return Status::ok; }
    vcpu_[index] = take_slot();
    page_[index] = take_pages(page);
    return create_vcpu(page_[index], vcpu_[index], partition_, index, core, priority);
}

Status Crew::start(unsigned index, Body body, uint64_t argument) {
    auto const top = address(&facts()) + stacks_at + (number_ * crew_size + index + 1) * stack_size;
    auto const entry = reinterpret_cast<uint64_t>(&crew_start);
    return hypercall<Hypercall::vcpu_control>(vcpu_[index], abi::VcpuOperation::start, entry, reinterpret_cast<uint64_t>(body),
                                              argument, top)
        .status;
}

Status Crew::run(unsigned index, unsigned core, unsigned priority, Body body, uint64_t argument) {
    need("prepare", prepare(index, core, priority));
    vcpu_control(vcpu_[index], abi::VcpuOperation::stop);
    need("schedule", vcpu_schedule(vcpu_[index], priority, 0, 0));
    return start(index, body, argument);
}

Status Crew::give(Handle slot, Handle what, uint16_t rights, uint64_t badge) {
    drop_from(partition_, slot);
    return delegate(partition_, slot, what, rights, badge);
}

Status Crew::unmake() {
    Status const status = is_of_system() ? Status::ok : destroy(partition_);
    for (auto& segment : segment_) {
        if (segment != 0) { destroy(segment), drop(segment), give_slot(segment); }
        segment = 0;
    }
    for (unsigned i = 0; i < crew_size; ++i) {
        if (page_[i] != 0) { remove(i); }
    }
    if (vcpu_[0] != 0) { vcpu_control(vcpu_[0], abi::VcpuOperation::stop); }
    vcpu_[0] = 0;
    if (!is_of_system()) { destroy(home_), drop(home_), drop(partition_), give_slot(home_), give_slot(partition_); }
    home_ = 0;
    the.crew[number_] = false;
    return status;
}

Status Crew::remove(unsigned index) {
    Status const status = destroy(vcpu_[index]);
    destroy(page_[index]), drop(page_[index]), drop(vcpu_[index]), give_slot(vcpu_[index]), give_slot(page_[index]);
    vcpu_[index] = page_[index] = 0;
    return status;
}

abi::VcpuState Crew::state(unsigned index) const {
    return static_cast<abi::VcpuState>(vcpu_read(vcpu_[index], abi::VcpuGroup::status).words[0]);
}

abi::FaultReason Crew::reason(unsigned index) const {
    return static_cast<abi::FaultReason>(vcpu_read(vcpu_[index], abi::VcpuGroup::status).words[1]);
}

} // namespace test
