// SPDX-License-Identifier: MIT
// Where a native partition starts: every vCPU enters _start at the same time with x0 = environment,
// x1 = its index, and a stack. vCPU 0 runs main(), the others wait until it serves, then serve with
// it.
#include "services/lib/start.hpp"
#include "services/lib/cpu.hpp"
#include "services/lib/log.hpp"

int main(); // NOLINT: the service's

namespace service {
namespace {
constinit Environment own{nullptr};
constinit Loop published = nullptr;
} // namespace

Environment const& Environment::get() { return own; }

void publish_loop(Loop loop) { __atomic_store_n(&published, loop, __ATOMIC_RELEASE); }

void missing(std::string_view name) {
    log("environment.missing", {{"name", name}});
    __builtin_trap();
}

extern "C" [[noreturn]] void _start(abi::EnvironmentHeader const* environment, uint64_t index) {
    if (index == 0) {
        own = Environment(environment);
        start_log(own);
        main();
        log("main.returned");
        __builtin_trap();
    }
    Loop loop = nullptr;
    while ((loop = __atomic_load_n(&published, __ATOMIC_ACQUIRE)) == nullptr) { yield(); }
    loop();
    __builtin_unreachable();
}

} // namespace service

extern "C" [[noreturn]] void __cxa_pure_virtual() { __builtin_trap(); }
