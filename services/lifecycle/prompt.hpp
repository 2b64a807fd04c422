// SPDX-License-Identifier: MIT
// The commands of lifecycle's prompt.
#pragma once
#include "services/lifecycle/ending.hpp"
#include "services/lifecycle/supervisor.hpp"
#include "services/lifecycle/vms.hpp"

namespace lifecycle {

class Prompt {
public:
    Prompt(Port& port, System& system, Terminal& terminal, Journal& journal, Ending& ending, Vms& vms, Supervisor& supervisor)
        : port_(port), system_(system), terminal_(terminal), journal_(journal), ending_(ending), vms_(vms),
          supervisor_(supervisor) {}

    /// Takes a byte from the keyboard, and does what a completed line says.
    void key(char c);
    void execute(std::string_view line);

private:
    struct Command {
        std::string_view name;
        bool takes_name;
        void (Prompt::*run)(std::string_view partition);
        std::string_view help;
    };
    static Command const commands[];

    void help(std::string_view);
    void list(std::string_view);
    void start(std::string_view partition);
    void stop(std::string_view partition);
    void pause(std::string_view partition);
    void resume(std::string_view partition);
    void restart(std::string_view partition);
    void log(std::string_view);
    void poweroff(std::string_view);

    void row_of(Supervised const& partition, std::string_view kind, std::string_view state);
    std::string_view state_of(Native const& native);
    Vm* find_vm(std::string_view partition);
    Native* find_native(std::string_view partition);
    /// The VM if it is in one of these states; else says why not.
    Vm* vm_that(std::string_view partition, std::span<VmState const> states);

    Port& port_;
    System& system_;
    Terminal& terminal_;
    Journal& journal_;
    Ending& ending_;
    Vms& vms_;
    Supervisor& supervisor_;
};

std::string_view name(VmState state);

} // namespace lifecycle
