// SPDX-License-Identifier: MIT
// From the first C++ instruction to the first vCPU: what a core needs before it can schedule, on the boot core and the others.
#include "boot/core_area.hpp"
#include "boot/machine.hpp"
#include "boot/table.hpp"
#include "irq/gic.hpp"
#include "lib/log.hpp"
#include "mm/el2_map.hpp"
#include "sched/cross.hpp"
#include <new>

namespace bulkhead {

extern "C" {
CoreArea core_areas[abi::max_cores] __attribute__((section(".stacks")));
extern char image_start[], init_end[], text_end[], rodata_end[], data_end[], core_end[];
void secondary_start();
[[noreturn]] void boot_main(uint64_t device_tree);
[[noreturn]] void secondary_main(uint64_t index);
}

Core* cores[abi::max_cores];
uint32_t core_count = 0;
constinit std::atomic<bool> mutation{false};

namespace {

PhysAddr at(const char* symbol) { return hw::physical(symbol); }

void add(const char* from, const char* to, el2_map::Permission permission) {
    el2_map::add(at(from), static_cast<uint64_t>(to - from), permission);
}

/// EL2's own address space: what the core needs, and nothing of any partition.
void map_core(const abi::BootHeader& header) {
    using enum el2_map::Permission;
    constexpr uint64_t gicd_size = 0x1'0000;
    add(image_start, text_end, text);
    add(text_end, rodata_end, rodata);
    add(rodata_end, data_end, data);
    for (auto& area : core_areas) { el2_map::add(hw::physical(area.stack), sizeof(CoreArea) - sizeof(area.guard), data); }
    el2_map::add(at(core_end), (header.size + page_mask) & ~page_mask, rodata);
    el2_map::add({header.pool_base}, header.pool_size, data);
    el2_map::add({header.gicd_base}, gicd_size, device);
    el2_map::add({header.gicr_base}, header.gicr_stride * header.cores, device);
    el2_map::add({header.uart_base}, page_size, device);
}

/// The registers that are the same for every partition of this core (docs/registers.md).
void init_controls(const Core& core) {
    constexpr auto vtcr =
        VtcrEl2::t0sz(25) | VtcrEl2::sl0(1) | VtcrEl2::irgn0(1) | VtcrEl2::orgn0(1) | VtcrEl2::sh0(3) | VtcrEl2::res1(1);
    constexpr auto debug = MdcrEl2::tda(1) | MdcrEl2::tdosa(1) | MdcrEl2::tdra(1) | MdcrEl2::tpms(1) | MdcrEl2::ttrf(1);
    uint64_t closed = !core.open_pmu, counters = hw::has_pmu() ? hw::read<hw::PmcrEl0>().bits >> 11 & 31 : 0;
    auto pmu = debug.with(MdcrEl2::tpm, closed).with(MdcrEl2::tpmcr, closed).with(MdcrEl2::hpmd, closed);
    uint64_t range = hw::read<hw::IdAa64Mmfr0>().bits & 15; // 2: forty bits
    hw::write<VtcrEl2>(vtcr.with(VtcrEl2::ps, range < 2 ? range : 2));
    hw::write<MdcrEl2>(pmu.with(MdcrEl2::hpmn, counters));
    if (hw::has_pmu()) { hw::write<hw::PmcrEl0>({}); }
    hw::write<CnthctlEl2>(CnthctlEl2::el1pcten(1));
    hw::write<hw::HstrEl2>({0});
    hw::write<hw::ActlrEl2>({0});
    hw::refuse_new_features();
    hw::write<hw::VpidrEl2>({hw::read<hw::MidrEl1>().bits});
    hw::write<hw::CntvCtl>({0});
    hw::write<hw::CnthpCval>({~0ull});
    hw::write<hw::CnthpCtl>({1});
    hw::write<hw::MdscrEl1>({0});
    hw::tlbi_alle1();
    hw::dsb_nsh();
    hw::isb(); // before anything of a partition
}

/// The other cores start when everything that they can see is in place.
void start_secondaries(const abi::BootHeader& header) {
    constexpr uint64_t psci_cpu_on = 0xc400'0003;
    for (uint64_t i = 1; i < header.cores; ++i) {
        if (hw::smc(psci_cpu_on, i, hw::physical(reinterpret_cast<const void*>(secondary_start)).value, i) != 0) {
            refuse("\"fewer CPUs than the system was packed for\"", "cores", header.cores, "\"raise -smp, or pack for fewer\"");
        }
    }
}

} // namespace

void boot_main(uint64_t device_tree) {
    auto& header = *hw::pointer<abi::BootHeader>(at(core_end));
    for (unsigned i = 0; i < abi::max_cores; ++i) { cores[i] = new (&core_areas[i].core) Core{.index = i}; }
    boot_table::check(header);
    if (!hw::has_gic()) { refuse("\"no GICv3\"", "gicd", header.gicd_base, "\"start QEMU with -M ...,gic-version=3\""); }
    core_count = header.cores;
    core_pool.init({header.pool_base}, header.pool_size / page_size);
    map_core(header);
    boot_table::prepare(header, device_tree);
    el2_map::enable();
    gic::init_distributor({header.gicd_base}, {header.gicr_base}, header.gicr_stride);
    Core& core = Core::self();
    boot_table::instantiate(core, header);
    init_controls(core);
    gic::init_core(core);
    start_secondaries(header);
    LogLine("core", "boot").field("cores", header.cores).field("objects", header.objects).hex("image", at(image_start).value);
    begin_scheduling(core, at(image_start), at(init_end));
}

void secondary_main(uint64_t index) {
    el2_map::enable();
    Core& core = *cores[index];
    init_controls(core);
    gic::init_core(core);
    begin_scheduling(core, at(image_start), at(init_end));
}

} // namespace bulkhead
