// SPDX-License-Identifier: MIT
// How a failed check prints a status.
#pragma once
#include "abi/status.hpp"
#include <catch2/catch.hpp>

template <> struct Catch::StringMaker<abi::Status> {
    static std::string convert(abi::Status status) { return abi::name(status); }
};
