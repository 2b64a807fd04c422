// SPDX-License-Identifier: MIT
// lifecycle's prompt: line editing, commands, messages.
#include "test/unit/services/lifecycle_fake.hpp"
#include <catch2/catch.hpp>

namespace test {
namespace {

std::string typed(std::string_view keys, std::string* echo = nullptr) {
    FakePort port;
    Terminal terminal(port);
    std::string line = "(none)";
    for (const char c : keys) {
        if (const auto done = terminal.key(c)) { line = *done; }
    }
    if (echo != nullptr) { *echo = port.output; }
    return line;
}

std::string answer(Machine& machine, std::string_view command) {
    machine.port.output.clear();
    machine.prompt.execute(command);
    return machine.port.output;
}

} // namespace

TEST_CASE("a line is edited as one expects", "[prompt]") {
    CHECK(typed("list\r") == "list");
    CHECK(typed("list\n") == "list");
    CHECK(typed("lisx\x7ft\r") == "list");
    CHECK(typed("x\b\b\blist\r") == "list");
    CHECK(typed("nonsense\x15list\r") == "list");
    CHECK(typed("nonsense\x03list\r") == "list");
    CHECK(typed("li\x1b[A\x1b[3~\x1bOPst\r") == "list");
    CHECK(typed("li\tst\x01\r") == "list");
    CHECK(typed("list\r\n") == "list"); // one line, not two
    CHECK(typed("list") == "(none)");
    CHECK(typed(std::string(100, 'a') + "\r").size() == 80);
}

TEST_CASE("keys are echoed", "[prompt]") {
    std::string echo;
    typed("ab\x7f\r", &echo);
    CHECK(echo == "bulkhead> ab\b \b\n");
    typed("ab\x15", &echo);
    CHECK(echo == "bulkhead> ab\b \b\b \b");
    typed("a\x03", &echo);
    CHECK(echo == "bulkhead> a^C\nbulkhead> ");
}

TEST_CASE("a line that comes meanwhile does not disturb what is typed", "[prompt]") {
    FakePort port;
    Terminal terminal(port);
    terminal.show_prompt();
    terminal.key('l');
    terminal.print("event");
    CHECK(port.output == "bulkhead> l\nevent\nbulkhead> l");
    port.output.clear();
    terminal.hide_prompt();
    terminal.print("end");
    CHECK(port.output == "\nend\n");
}

TEST_CASE("mistakes are named as they were typed", "[prompt]") {
    Machine machine;
    CHECK(answer(machine, "frob") == "no command 'frob'; try help\n");
    CHECK(answer(machine, "stop x") == "no partition named 'x'; try list\n");
    CHECK(answer(machine, "stop") == "stop whom? type stop NAME; try list\n");
    CHECK(answer(machine, "stop ticker now") == "stop takes one name, not 'now'; try help\n");
    CHECK(answer(machine, "list all") == "list takes no name, not 'all'; try help\n");
    CHECK(answer(machine, "stop ticker") == "'ticker' is off\n");
    CHECK(answer(machine, "pause uart") == "'uart' is a service: it can only be restarted\n");
    CHECK(answer(machine, "").empty());
    CHECK(answer(machine, "   ").empty());
}

TEST_CASE("help names every command", "[prompt]") {
    Machine machine;
    const auto text = answer(machine, "help");
    for (auto command :
         {"help", "list", "start NAME", "stop NAME", "pause NAME", "resume NAME", "restart NAME", "log", "poweroff"}) {
        INFO(command);
        CHECK(text.find(command) != std::string::npos);
    }
}

TEST_CASE("the commands go through a VM's states", "[prompt]") {
    Machine machine;
    machine.prompt.execute("start ticker");
    machine.settle();
    CHECK(machine.ticker.state == VmState::running);
    CHECK(answer(machine, "start ticker") == "'ticker' is running\n");
    machine.prompt.execute("  pause   ticker ");
    CHECK(machine.ticker.state == VmState::paused);
    CHECK(answer(machine, "pause ticker") == "'ticker' is paused\n");
    machine.prompt.execute("resume ticker");
    CHECK(machine.ticker.state == VmState::running);
    machine.prompt.execute("restart ticker");
    CHECK(machine.ticker.state == VmState::loading);
    machine.settle();
    CHECK(machine.port.vcpus.at(machine.ticker.vcpus[0].handle).starts == 2);
    machine.prompt.execute("stop ticker");
    CHECK(machine.ticker.state == VmState::off);
    machine.prompt.execute("restart ticker"); // starts one that is off
    machine.settle();
    CHECK(machine.ticker.state == VmState::running);
    CHECK(machine.ticker.restarts == 1);
    CHECK(machine.ticker.fault_restarts == 0);
}

TEST_CASE("a service can be restarted", "[prompt]") {
    Machine machine;
    machine.prompt.execute("restart uart");
    CHECK(machine.said("partition.restart partition=uart count=1 cause=user"));
    CHECK(machine.state(machine.uart) == VcpuState::ready);
}

TEST_CASE("list shows every partition in columns", "[prompt]") {
    Machine machine;
    machine.run(machine.pair);
    machine.pair.restarts = 3;
    machine.port.vcpus.at(machine.pair.vcpus[0].handle).status.ticks = 1'234'567;
    CHECK(answer(machine, "list") == "name          kind     state     vcpus  cores  time       restarts  exits\n"
                                     "ticker        vm       off       1      0      0.000 s    0         7\n"
                                     "pair          vm       running   2      0,1    1.234 s    3         -\n"
                                     "uart          service  running   2      0,1    0.000 s    0         14\n");
}

TEST_CASE("log shows the last events", "[prompt]") {
    Machine machine;
    machine.run(machine.ticker);
    for (unsigned n = 0; n < 40; ++n) {
        machine.vms.change(machine.ticker, Task::pause, Cause::user);
        machine.vms.resume(machine.ticker);
    }
    const auto text = answer(machine, "log");
    CHECK(std::ranges::count(text, '\n') == 32);
    CHECK(text.find("vm.start") == std::string::npos);
    CHECK(text.find("[1.") == 0);
}

TEST_CASE("poweroff ends the machine and the prompt", "[prompt]") {
    Machine machine;
    machine.type("poweroff\r");
    CHECK(machine.ending.begun());
    const auto end = machine.port.output;
    CHECK(end.find("machine: off reason=poweroff\n") == end.size() - 29);
    machine.type("list\r");
    CHECK(machine.port.output == end);
}

} // namespace test
