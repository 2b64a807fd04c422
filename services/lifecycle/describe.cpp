// SPDX-License-Identifier: MIT
// The environment's names, one by one (docs/environment.md).
#include "services/lifecycle/describe.hpp"
#include "services/lifecycle/machine_tree.hpp"

namespace lifecycle {
namespace {

using service::Environment;
using service::Name;

Policy policy_of(std::string_view text) {
    if (text == "restart") { return Policy::restart; }
    return text == "end" ? Policy::end : Policy::stop;
}

std::span<const uint8_t> bytes_of(service::Region region) { return {region.as<const uint8_t>(), region.size}; }

/// A count that the environment names, within the bound.
unsigned count(Environment const& environment, std::string_view name, unsigned bound) {
    const uint64_t value = environment.property_or(name, 0);
    if (value > bound) { service::missing("lifecycle.bounds"); }
    return static_cast<unsigned>(value);
}

/// What VMs and native partitions have in common.
void describe_common(Environment const& e, Supervised& partition) {
    partition.entry = e.property("entry");
    const uint64_t none = 64, signal = e.property_or("fault.signal", none);
    if (signal < none) { partition.fault_signals = 1ull << signal; }
    partition.name = e.string("name");
    partition.policy = policy_of(e.string_or("policy", "stop"));
    partition.restart_limit = e.property_or("restarts", 0);
    partition.vcpu_count = count(e, "vcpus", max_vcpus);
    for (unsigned j = 0; j < partition.vcpu_count; ++j) {
        auto& vcpu = partition.vcpus[j];
        const auto of_vcpu = e.within(Name("vcpu.%u", j));
        vcpu.handle = of_vcpu.handle("");
        vcpu.core = of_vcpu.property_or(".core", unknown);
        vcpu.mpidr = of_vcpu.property_or(".mpidr", j) & 0xff'00ff'ffff;
        vcpu.stack = of_vcpu.property_or(".stack", 0);
    }
}

void describe_vm(Environment const& e, Vm& vm) {
    vm.autostart = e.property_or("autostart", 0) != 0;
    vm.dtb = e.property_or("dtb.address", 0);
    describe_common(e, vm);
    for (auto const& extra : all_extras()) { vm.extras.*extra.given = e.property_or(extra.key, 0) != 0; }
    vm.ram = e.handle("ram");
    vm.ram_base = e.property("ram.base");
    vm.ram_size = e.property("ram.size");
    vm.payload_count = count(e, "loads", max_payloads);
    for (unsigned n = 0; n < vm.payload_count; ++n) {
        const auto load = e.within(Name("load.%u", n));
        const auto region = load.region("");
        vm.payloads[n] = {bytes_of(region), load.property(".address"), region.checksum, load.string_or(".name", "")};
    }
    vm.seed_count = count(e, "seeds", max_seeds);
    for (unsigned n = 0; n < vm.seed_count; ++n) {
        const auto seed = e.within(Name("seed.%u", n));
        vm.seeds[n] = {seed.property(""), seed.property(".size")};
    }
    vm.service_count = count(e, "services", max_services);
    for (unsigned n = 0; n < vm.service_count; ++n) {
        const auto service = e.within(Name("service.%u", n));
        vm.services[n] = {service.handle(""), static_cast<uint32_t>(service.property(".client"))};
    }
}

void describe_native(Environment const& e, Native& native) {
    describe_common(e, native);
    native.environment = e.property_or("env", 0);
    for (; e.has(Name("data.%u", native.data_count)); ++native.data_count) {
        if (native.data_count == max_data) { service::missing("lifecycle.bounds"); }
        const auto data = e.within(Name("data.%u", native.data_count));
        native.data[native.data_count] = {data.handle(""), bytes_of(data.region_or_none(".pristine")), data.property(".size")};
    }
}

} // namespace

void describe(Environment const& environment, System& system) {
    const bool scrub = environment.property_or("property.scrub", 0) != 0;
    system.vm_count = count(environment, "vms", max_vms);
    for (unsigned i = 0; i < system.vm_count; ++i) {
        describe_vm(environment.within(Name("vm.%u.", i)), system.vms[i]);
        system.vms[i].used = scrub;
    }
    system.native_count = count(environment, "partitions", max_natives);
    for (unsigned k = 0; k < system.native_count; ++k) {
        describe_native(environment.within(Name("partition.%u.", k)), system.natives[k]);
    }
    const auto tree = environment.region_or_none("machine.tree");
    take_seeds({tree.as<uint8_t>(), tree.size}, system.random);
    system.end_when_idle = environment.property_or("property.end_when_idle", 1) != 0;
}

} // namespace lifecycle
