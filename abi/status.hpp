// SPDX-License-Identifier: MIT
// The one status type of the core and its users: what a hypercall or a service answers in its first word.
#pragma once
#include <cstdint>

namespace abi {

enum class Status : uint64_t {
    ok = 0,
    bad_handle = 1,   ///< no capability at this index, or the object behind it is gone (stale generation)
    bad_type = 2,     ///< the capability names an object of another type
    no_right = 3,     ///< the capability lacks the right that the operation needs
    bad_argument = 4, ///< an argument is out of its documented range or misaligned
    bad_state = 5,    ///< the object is not in a state that allows the operation (mapped, donated, running, ...)
    no_memory = 6,    ///< the donated memory or the partition's table pool is too small
    no_slot = 7,      ///< the destination slot is out of range or taken, or a quota of objects is exhausted
    overlap = 8,      ///< the range is already mapped
    server_fault = 9, ///< the server behind the endpoint faulted or is stopped; nothing was answered
    cycle = 10,       ///< the call would wait for its own caller, or its chain is deeper than max_call_depth
    no_server = 11,   ///< the endpoint has no server vCPU on this core
    unsupported = 12, ///< unknown hypercall, message label or feature
    timeout = 13,     ///< a deadline passed
    again = 14,       ///< a service cannot answer now; ask again
    denied = 15,      ///< a service refuses this client
    io_error = 16,    ///< a device behind a service failed
};

constexpr const char* name(Status status) {
    constexpr const char* names[] = {"ok",          "bad_handle", "bad_type", "no_right",     "bad_argument", "bad_state",
                                     "no_memory",   "no_slot",    "overlap",  "server_fault", "cycle",        "no_server",
                                     "unsupported", "timeout",    "again",    "denied",       "io_error"};
    auto index = static_cast<uint64_t>(status);
    return index < sizeof(names) / sizeof(names[0]) ? names[index] : "unknown";
}

} // namespace abi
