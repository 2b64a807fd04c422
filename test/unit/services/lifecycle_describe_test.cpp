// SPDX-License-Identifier: MIT
// lifecycle's environment: the names that docs/environment.md promises are the ones that are read.
#include "services/lifecycle/describe.hpp"
#include <algorithm>
#include <catch2/catch.hpp>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

namespace service {
void missing(std::string_view name) { throw std::runtime_error(std::string(name)); }
} // namespace service

namespace test {
namespace {

/// An environment page, as the packer writes it.
class Page {
public:
    void number(std::string const& name, uint64_t value) { add(name, abi::EntryKind::property, value, 0); }
    void handle(std::string const& name, uint64_t value) { add(name, abi::EntryKind::handle, value, 0); }
    void region(std::string const& name, void const* address, uint64_t size, uint32_t checksum = 0) {
        add(name, abi::EntryKind::region, reinterpret_cast<uint64_t>(address), size);
        entries_.back().checksum = checksum;
    }
    void text(std::string const& name, std::string const& value) {
        add(name, abi::EntryKind::string, strings_.size(), value.size());
        strings_ += value + '\0';
    }
    service::Environment environment() {
        std::ranges::sort(entries_, {}, [](auto& entry) { return std::string(entry.name); });
        const size_t strings = sizeof(abi::EnvironmentHeader) + entries_.size() * 64;
        page_.resize((strings + strings_.size()) / 8 + 1);
        auto* bytes = reinterpret_cast<char*>(page_.data());
        for (auto& entry : entries_) {
            if (entry.kind == abi::EntryKind::string) { entry.value += strings; }
        }
        abi::EnvironmentHeader header{};
        header.count = static_cast<uint32_t>(entries_.size());
        memcpy(bytes, &header, sizeof(header));
        memcpy(bytes + sizeof(header), entries_.data(), entries_.size() * 64);
        memcpy(bytes + strings, strings_.data(), strings_.size());
        return service::Environment(reinterpret_cast<abi::EnvironmentHeader*>(bytes));
    }

private:
    void add(std::string const& name, abi::EntryKind kind, uint64_t value, uint64_t size) {
        abi::EnvironmentEntry entry{};
        REQUIRE(name.size() < sizeof(entry.name));
        memcpy(entry.name, name.data(), name.size());
        entry.kind = kind;
        entry.value = value;
        entry.size = size;
        entries_.push_back(entry);
    }

    std::vector<abi::EnvironmentEntry> entries_;
    std::string strings_;
    std::vector<uint64_t> page_;
};

void common(Page& page, std::string const& prefix, std::string const& name, std::string policy) {
    page.text(prefix + "name", name);
    page.text(prefix + "policy", policy);
    page.number(prefix + "restarts", 3);
    page.number(prefix + "entry", 0x4008'0000);
    page.number(prefix + "fault.signal", 33);
    page.number(prefix + "vcpus", 2);
    page.handle(prefix + "vcpu.0", 10);
    page.handle(prefix + "vcpu.1", 11);
    page.number(prefix + "vcpu.1.core", 1);
}

} // namespace

TEST_CASE("a VM is described by its environment", "[describe]") {
    const uint8_t image[16] = {};
    Page page;
    page.number("vms", 1);
    common(page, "vm.0.", "ticker", "end");
    page.number("vm.0.autostart", 1);
    page.number("vm.0.pmu", 1);
    page.handle("vm.0.ram", 7);
    page.number("vm.0.ram.base", 0x4000'0000);
    page.number("vm.0.ram.size", 1 << 24);
    page.number("vm.0.dtb.address", 0x4010'0000);
    page.number("vm.0.vcpu.1.mpidr", 0x8000'0100);
    page.number("vm.0.loads", 1);
    page.region("vm.0.load.0", image, sizeof(image), 0x1234'5678);
    page.number("vm.0.load.0.address", 0x4008'0000);
    page.text("vm.0.load.0.name", "ticker.kernel");
    page.number("vm.0.services", 1);
    page.handle("vm.0.service.0", 8);
    page.number("vm.0.service.0.client", 2);
    page.number("property.end_when_idle", 0);
    lifecycle::System system;
    lifecycle::describe(page.environment(), system);
    REQUIRE(system.all_vms().size() == 1);
    auto const& vm = system.vms[0];
    CHECK(vm.name == "ticker");
    CHECK(vm.policy == lifecycle::Policy::end);
    CHECK(vm.restart_limit == 3);
    CHECK(vm.fault_signals == 1ull << 33);
    CHECK(vm.autostart);
    CHECK(vm.extras.pmu);
    CHECK(vm.ram == 7);
    CHECK(vm.ram_size == 1 << 24);
    CHECK(vm.dtb == 0x4010'0000);
    REQUIRE(vm.vcpu_count == 2);
    CHECK(vm.vcpus[1].handle == 11);
    CHECK(vm.vcpus[0].mpidr == 0);
    CHECK(vm.vcpus[1].mpidr == 0x100);
    CHECK(vm.vcpus[0].core == lifecycle::unknown);
    CHECK(vm.vcpus[1].core == 1);
    REQUIRE(vm.payload_count == 1);
    CHECK(vm.payloads[0].bytes.data() == image);
    CHECK(vm.payloads[0].address == 0x4008'0000);
    CHECK(vm.payloads[0].checksum == 0x1234'5678);
    CHECK(vm.payloads[0].name == "ticker.kernel");
    REQUIRE(vm.service_count == 1);
    CHECK(vm.services[0].endpoint == 8);
    CHECK(vm.services[0].client == 2);
    CHECK_FALSE(system.end_when_idle);
    CHECK(system.all_natives().empty());
}

TEST_CASE("a native partition is described with the data to restore", "[describe]") {
    const uint8_t data[4] = {};
    Page page;
    page.number("partitions", 1);
    common(page, "partition.0.", "uart", "restart");
    page.number("partition.0.env", 0x9000);
    page.number("partition.0.vcpu.1.stack", 0x7010'1000);
    page.handle("partition.0.data.0", 20);
    page.number("partition.0.data.0.size", 4096);
    page.region("partition.0.data.0.pristine", data, sizeof(data));
    page.handle("partition.0.data.1", 21);
    page.number("partition.0.data.1.size", 8192);
    lifecycle::System system;
    lifecycle::describe(page.environment(), system);
    REQUIRE(system.all_natives().size() == 1);
    auto const& native = system.natives[0];
    CHECK(native.policy == lifecycle::Policy::restart);
    CHECK(native.environment == 0x9000);
    CHECK(native.vcpus[1].stack == 0x7010'1000);
    REQUIRE(native.data_count == 2);
    CHECK(native.data[0].pristine.size() == 4);
    CHECK(native.data[1].memory == 21);
    CHECK(native.data[1].pristine.empty());
    CHECK(system.end_when_idle);
}

TEST_CASE("what lifecycle has no room for is refused, not cut off", "[describe]") {
    Page page;
    page.number("vms", lifecycle::max_vms + 1);
    lifecycle::System system;
    CHECK_THROWS_WITH(lifecycle::describe(page.environment(), system), "lifecycle.bounds");
}

} // namespace test
