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

/// What VMs (`vm`) and native partitions (`partition`) have in common.
void describe_common(Environment const& e, char const* kind, unsigned i, Supervised& partition) {
    const auto named = [&](char const* rest) {
        Name name("");
        name.put(kind).put_pattern(".%u.", i).put(rest);
        return name;
    };
    partition.name = e.string(named("name"));
    partition.policy = policy_of(e.string_or(named("policy"), "stop"));
    partition.restart_limit = e.property_or(named("restarts"), 0);
    partition.entry = e.property(named("entry"));
    if (e.has(named("fault.signal"))) { partition.fault_signals = 1ull << (e.property(named("fault.signal")) & 63); }
    partition.vcpu_count = count(e, named("vcpus"), max_vcpus);
    for (unsigned j = 0; j < partition.vcpu_count; ++j) {
        const auto of_vcpu = [&](char const* rest) {
            auto name = named("vcpu.");
            name.put_number(j).put(rest);
            return name;
        };
        auto& vcpu = partition.vcpus[j];
        vcpu.handle = e.handle(of_vcpu(""));
        vcpu.mpidr = e.property_or(of_vcpu(".mpidr"), j) & 0xff'00ff'ffff;
        vcpu.core = e.property_or(of_vcpu(".core"), unknown);
        vcpu.stack = e.property_or(of_vcpu(".stack"), 0);
    }
}

void describe_vm(Environment const& e, unsigned i, Vm& vm) {
    describe_common(e, "vm", i, vm);
    vm.autostart = e.property_or(Name("vm.%u.autostart", i), 0) != 0;
    for (auto const& extra : all_extras()) {
        Name name("vm.%u.", i);
        vm.extras.*extra.given = e.property_or(name.put(extra.key), 0) != 0;
    }
    vm.ram = e.handle(Name("vm.%u.ram", i));
    vm.ram_base = e.property(Name("vm.%u.ram.base", i));
    vm.ram_size = e.property(Name("vm.%u.ram.size", i));
    vm.dtb = e.property_or(Name("vm.%u.dtb.address", i), 0);
    vm.payload_count = count(e, Name("vm.%u.loads", i), max_payloads);
    for (unsigned n = 0; n < vm.payload_count; ++n) {
        vm.payloads[n] = {bytes_of(e.region(Name("vm.%u.load.%u", i, n))), e.property(Name("vm.%u.load.%u.address", i, n))};
    }
    vm.seed_count = count(e, Name("vm.%u.seeds", i), max_seeds);
    for (unsigned n = 0; n < vm.seed_count; ++n) {
        vm.seeds[n] = {e.property(Name("vm.%u.seed.%u", i, n)), e.property(Name("vm.%u.seed.%u.size", i, n))};
    }
    vm.service_count = count(e, Name("vm.%u.services", i), max_services);
    for (unsigned n = 0; n < vm.service_count; ++n) {
        const uint64_t client = e.property(Name("vm.%u.service.%u.client", i, n));
        vm.services[n] = {e.handle(Name("vm.%u.service.%u", i, n)), static_cast<uint32_t>(client)};
    }
}

void describe_native(Environment const& e, unsigned k, Native& native) {
    describe_common(e, "partition", k, native);
    native.environment = e.property_or(Name("partition.%u.env", k), 0);
    while (e.has(Name("partition.%u.data.%u", k, native.data_count))) {
        const unsigned n = native.data_count++;
        if (n == max_data) { service::missing("lifecycle.bounds"); }
        native.data[n] = {e.handle(Name("partition.%u.data.%u", k, n)), e.property(Name("partition.%u.data.%u.size", k, n)),
                          bytes_of(e.region_or_none(Name("partition.%u.data.%u.pristine", k, n)))};
    }
}

} // namespace

void describe(Environment const& environment, System& system) {
    system.vm_count = count(environment, "vms", max_vms);
    for (unsigned i = 0; i < system.vm_count; ++i) { describe_vm(environment, i, system.vms[i]); }
    system.native_count = count(environment, "partitions", max_natives);
    for (unsigned k = 0; k < system.native_count; ++k) { describe_native(environment, k, system.natives[k]); }
    const auto tree = environment.region_or_none("machine.tree");
    take_seeds({tree.as<uint8_t>(), tree.size}, system.random);
    system.end_when_idle = environment.property_or("property.end_when_idle", 1) != 0;
}

} // namespace lifecycle
