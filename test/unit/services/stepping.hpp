// SPDX-License-Identifier: MIT
// What is left of a service that is killed behind each single instruction of an operation: another process makes it step by step.
#pragma once
#include <catch2/catch.hpp>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <functional>
#include <span>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

/// Memory that outlives the service: its state, rings, a guest's RAM.
using Regions = std::vector<std::span<uint8_t>>;

template <typename T> std::span<uint8_t> region(T& object) { return {reinterpret_cast<uint8_t*>(&object), sizeof(T)}; }
inline std::span<uint8_t> region(std::vector<uint64_t>& memory) {
    return {reinterpret_cast<uint8_t*>(memory.data()), memory.size() * sizeof(uint64_t)};
}

/// The regions' bytes at one instant.
class Remains {
public:
    static Remains of(Regions const& regions, pid_t process) {
        Remains copy;
        std::vector<iovec> here, there;
        size_t size = 0;
        for (auto const& bytes : regions) { copy.bytes_.emplace_back(bytes.size()); }
        for (size_t n = 0; n < regions.size(); size += regions[n].size(), ++n) {
            here.push_back({copy.bytes_[n].data(), regions[n].size()});
            there.push_back({regions[n].data(), regions[n].size()});
        }
        REQUIRE(process_vm_readv(process, here.data(), here.size(), there.data(), there.size(), 0) == static_cast<ssize_t>(size));
        return copy;
    }
    void leave_to(Regions const& regions) const {
        for (size_t n = 0; n < regions.size(); ++n) { std::memcpy(regions[n].data(), bytes_[n].data(), bytes_[n].size()); }
    }
    bool operator==(Remains const& other) const = default;

private:
    std::vector<std::vector<uint8_t>> bytes_;
};

/// What is left behind each instruction of `operation`, from before the first one on, without repetitions. This process does nothing.
inline std::vector<Remains> step_through(Regions const& regions, std::function<void()> const& operation) {
    pid_t const other = fork();
    if (other == 0) {
        if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) { _exit(1); }
        raise(SIGSTOP);
        operation();
        _exit(0);
    }
    std::vector<Remains> found;
    int status = 0;
    while (waitpid(other, &status, 0) == other && WIFSTOPPED(status)) {
        auto now = Remains::of(regions, other);
        if (found.empty() || !(now == found.back())) { found.push_back(std::move(now)); }
        REQUIRE(ptrace(PTRACE_SINGLESTEP, other, nullptr, nullptr) == 0);
    }
    INFO("a process that this test steps through (ptrace) did not come to its end: is that allowed here?");
    REQUIRE((WIFEXITED(status) && WEXITSTATUS(status) == 0));
    return found;
}
