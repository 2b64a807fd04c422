// SPDX-License-Identifier: MIT
// What is done to whole VMs: load and start, stop, restart, pause, resume. Only vCPU 0 of lifecycle
// calls it.
#pragma once
#include "services/lifecycle/ending.hpp"
#include "services/lifecycle/journal.hpp"
#include "services/lifecycle/loader.hpp"
#include "services/lifecycle/port.hpp"
#include "services/lifecycle/system.hpp"

namespace lifecycle {

class Vms {
public:
    Vms(Port& port, System& system, Journal& journal, Ending& ending)
        : port_(port), system_(system), journal_(journal), ending_(ending), loader_(port, system.random) {}

    /// Of a VM that is off: loads it afresh (in steps of work()), then starts it.
    void start(Vm& vm);
    /// Does the task now, or in work() once no CPU_ON is underway. The VM is not off.
    void change(Vm& vm, Task task, Cause cause);
    /// Of a paused VM.
    void resume(Vm& vm);

    /// Serves what the guests' calls asked for (Vm::requests).
    void take_requests();
    /// One step of what is underway. Returns when to call it again: 0 at once, abi::no_deadline
    /// when there is nothing.
    uint64_t work();
    /// Frees the window for another use; the loader takes it again when it goes on.
    void release_window() { loader_.release(); }

private:
    void settle(Vm& vm);
    void stop_vcpus(Vm& vm);
    void do_stop(Vm& vm);
    void do_pause(Vm& vm);
    void load_step();
    void finish_load();
    void load_failed(Loader::Failure const& why);
    bool start_underway(Vm const& vm);
    void log_undefined(Vm& vm);
    void end_if_idle();
    void tell_services(Vm& vm, abi::client::Label label);

    static constexpr uint64_t start_us = 500; ///< that a VM gets before another one is loaded, whatever the services do meanwhile

    Port& port_;
    System& system_;
    Journal& journal_;
    Ending& ending_;
    Loader loader_;
    uint64_t load_next_ = 0; ///< when the loader's next step is due, in ticks; 0: at once
};

std::string_view name(Cause cause);

} // namespace lifecycle
