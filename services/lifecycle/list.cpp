// SPDX-License-Identifier: MIT
// The prompt's table of partitions.
#include "services/lifecycle/prompt.hpp"

namespace lifecycle {
namespace {

using Row = service::Text<160>;

/// Blanks up to the column, at least two.
Row& column(Row& row, size_t position) {
    row.put("  ");
    while (row.size() < position) { row.put(' '); }
    return row;
}

constexpr size_t kind_column = 14, state_column = 23, vcpus_column = 33, cores_column = 40, time_column = 47, restarts_column = 58,
                 exits_column = 68;

void put_cores(Row& row, Supervised const& partition) {
    uint64_t seen = 0;
    for (auto const& vcpu : std::span(partition.vcpus, partition.vcpu_count)) {
        if (vcpu.core == unknown || (seen >> (vcpu.core & 63) & 1) != 0) { continue; }
        if (seen != 0) { row.put(','); }
        seen |= 1ull << (vcpu.core & 63);
        row.put_number(vcpu.core);
    }
    if (seen == 0) { row.put('-'); }
}

} // namespace

void Prompt::list(std::string_view) {
    Row title;
    title.put("name");
    column(title, kind_column).put("kind");
    column(title, state_column).put("state");
    column(title, vcpus_column).put("vcpus");
    column(title, cores_column).put("cores");
    column(title, time_column).put("time");
    column(title, restarts_column).put("restarts");
    column(title, exits_column).put("exits");
    terminal_.print(title);
    for (auto const& vm : system_.all_vms()) { row_of(vm, "vm", name(vm.state.load())); }
    for (auto const& native : system_.all_natives()) { row_of(native, "service", state_of(native)); }
}

std::string_view Prompt::state_of(Native const& native) {
    for (auto const& vcpu : std::span(native.vcpus, native.vcpu_count)) {
        if (port_.status(vcpu.handle).state == abi::VcpuState::faulted) { return "faulted"; }
    }
    return native.stopped ? "off" : "running";
}

void Prompt::row_of(Supervised const& partition, std::string_view kind, std::string_view state) {
    uint64_t ticks = 0, exits = 0;
    bool exits_known = true;
    for (auto const& vcpu : std::span(partition.vcpus, partition.vcpu_count)) {
        ticks += port_.status(vcpu.handle).ticks;
        const auto count = port_.exits(vcpu.handle);
        exits_known = exits_known && count.has_value();
        exits += count.value_or(0);
    }
    const uint64_t ms = port_.microseconds(ticks) / 1000;
    Row row;
    row.put(partition.name);
    column(row, kind_column).put(kind);
    column(row, state_column).put(state);
    column(row, vcpus_column).put_number(partition.vcpu_count);
    put_cores(column(row, cores_column), partition);
    column(row, time_column).put_number(ms / 1000).put('.').put_number(ms % 1000, 3).put(" s");
    column(row, restarts_column).put_number(partition.restarts);
    column(row, exits_column);
    if (exits_known) {
        row.put_number(exits);
    } else {
        row.put('-'); // it runs on another core just now
    }
    terminal_.print(row);
}

} // namespace lifecycle
