// SPDX-License-Identifier: MIT
// What kernel/boot gives the core on a real machine: the cores, the mutation lock, the end of everything.
#include "lib/lock.hpp"
#include "sched/core.hpp"
#include <string>

namespace bulkhead {

namespace {
Core all_cores[abi::max_cores];
}

Core* cores[abi::max_cores] = {&all_cores[0], &all_cores[1], &all_cores[2], &all_cores[3],
                               &all_cores[4], &all_cores[5], &all_cores[6], &all_cores[7]};
uint32_t core_count = 2;
std::atomic<bool> mutation{false};

/// A test sees a panic as an exception.
void panic(const char* violated, const char* file, unsigned line) {
    throw std::logic_error(std::string(violated) + " at " + file + ":" + std::to_string(line));
}

} // namespace bulkhead
