// SPDX-License-Identifier: MIT
// Parses a command line and does it. A message names what the user typed and what can be done
// instead.
#include "services/lifecycle/prompt.hpp"
#include <algorithm>

namespace lifecycle {
namespace {

using Message = service::Text<160>;

constexpr VmState off_states[] = {VmState::off};
constexpr VmState running_states[] = {VmState::running};
constexpr VmState paused_states[] = {VmState::paused};
constexpr VmState live[] = {VmState::loading, VmState::running, VmState::changing, VmState::paused};

/// Takes the next word off the line; empty at its end.
std::string_view next_word(std::string_view& line) {
    while (line.starts_with(' ')) { line.remove_prefix(1); }
    size_t size = 0;
    while (size < line.size() && line[size] != ' ') { ++size; }
    const auto word = line.substr(0, size);
    line.remove_prefix(size);
    return word;
}

} // namespace

std::string_view name(VmState state) {
    switch (state) {
    case VmState::off: return "off";
    case VmState::loading: return "loading";
    case VmState::running: return "running";
    case VmState::changing: return "changing";
    case VmState::paused: return "paused";
    }
    return "unknown";
}

constinit Prompt::Command const Prompt::commands[] = {
    {"help", false, &Prompt::help, "help            what can be typed here"},
    {"list", false, &Prompt::list, "list            partitions, their state, time and restarts"},
    {"start", true, &Prompt::start, "start NAME      load a VM afresh and start it"},
    {"stop", true, &Prompt::stop, "stop NAME       turn a VM off"},
    {"pause", true, &Prompt::pause, "pause NAME      freeze a VM; its virtual time stands still"},
    {"resume", true, &Prompt::resume, "resume NAME     let a paused VM go on"},
    {"restart", true, &Prompt::restart, "restart NAME    start a VM or a service from its image"},
    {"log", false, &Prompt::log, "log             the last events of lifecycle"},
    {"poweroff", false, &Prompt::poweroff, "poweroff        end the machine"},
};

void Prompt::key(char c) {
    if (ending_.begun()) { return; }
    const auto line = terminal_.key(c);
    if (!line) { return; }
    execute(*line);
    if (!ending_.begun()) { terminal_.show_prompt(); }
}

void Prompt::execute(std::string_view line) {
    const auto word = next_word(line);
    if (word.empty()) { return; }
    const auto command = std::ranges::find(commands, word, &Command::name);
    if (command == std::end(commands)) { return terminal_.print(Message().put("no command '").put(word).put("'; try help")); }
    const auto argument = next_word(line);
    const auto excess = command->takes_name ? next_word(line) : argument;
    if (!excess.empty()) {
        Message text;
        text.put(word).put(command->takes_name ? " takes one name" : " takes no name");
        return terminal_.print(text.put(", not '").put(excess).put("'; try help"));
    }
    if (command->takes_name && argument.empty()) {
        Message text;
        return terminal_.print(text.put(word).put(" whom? type ").put(word).put(" NAME; try list"));
    }
    (this->*command->run)(argument);
}

Vm* Prompt::find_vm(std::string_view partition) {
    const auto vms = system_.all_vms();
    const auto found = std::ranges::find(vms, partition, &Supervised::name);
    return found == vms.end() ? nullptr : &*found;
}

Native* Prompt::find_native(std::string_view partition) {
    const auto natives = system_.all_natives();
    const auto found = std::ranges::find(natives, partition, &Supervised::name);
    return found == natives.end() ? nullptr : &*found;
}

Vm* Prompt::vm_that(std::string_view partition, std::span<VmState const> states) {
    Message text;
    auto* vm = find_vm(partition);
    if (vm == nullptr) {
        if (find_native(partition) != nullptr) {
            text.put('\'').put(partition).put("' is a service: it can only be restarted");
        } else {
            text.put("no partition named '").put(partition).put("'; try list");
        }
        terminal_.print(text);
        return nullptr;
    }
    if (std::ranges::find(states, vm->state.load()) != states.end()) { return vm; }
    terminal_.print(text.put('\'').put(partition).put("' is ").put(name(vm->state.load())));
    return nullptr;
}

void Prompt::start(std::string_view partition) {
    if (auto* vm = vm_that(partition, off_states)) { vms_.start(*vm); }
}

void Prompt::stop(std::string_view partition) {
    if (auto* vm = vm_that(partition, live)) { vms_.change(*vm, Task::stop, Cause::user); }
}

void Prompt::pause(std::string_view partition) {
    if (auto* vm = vm_that(partition, running_states)) { vms_.change(*vm, Task::pause, Cause::user); }
}

void Prompt::resume(std::string_view partition) {
    if (auto* vm = vm_that(partition, paused_states)) { vms_.resume(*vm); }
}

void Prompt::restart(std::string_view partition) {
    if (auto* native = find_native(partition)) { return supervisor_.restart(*native, Cause::user); }
    if (auto* vm = find_vm(partition); vm != nullptr && vm->state == VmState::off) { return vms_.start(*vm); }
    if (auto* vm = vm_that(partition, live)) { vms_.change(*vm, Task::restart, Cause::user); }
}

void Prompt::help(std::string_view) {
    for (auto const& command : commands) { terminal_.print(command.help); }
}

void Prompt::log(std::string_view) {
    journal_.for_each([&](std::string_view line) { terminal_.print(line); });
}

void Prompt::poweroff(std::string_view) { ending_.begin(abi::OffReason::poweroff); }

} // namespace lifecycle
