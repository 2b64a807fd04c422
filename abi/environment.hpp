// SPDX-License-Identifier: MIT
// The environment page: what a native partition finds at the address in x0 when it starts. Names to handles, regions, properties.
// Read-only. Written by the packer. The names in use are listed in docs/environment.md.
#pragma once
#include <cstdint>

namespace abi {

enum class EntryKind : uint32_t {
    handle = 1,   ///< value: an index into the capability table; size: the object's type
    region = 2,   ///< value: IPA; size: bytes
    property = 3, ///< value: a number
    string = 4,   ///< value: offset of the text from the start of the environment; size: its length without the NUL
};

struct EnvironmentEntry {
    char name[40]; ///< NUL-terminated, e.g. "client.0.tx"
    EntryKind kind;
    uint32_t checksum; ///< of a region: what abi/checksum.hpp makes of its contents as packed; 0: nobody has to check them
    uint64_t value;
    uint64_t size;
};
static_assert(sizeof(EnvironmentEntry) == 64);

struct EnvironmentHeader {
    uint64_t magic;   ///< environment_magic
    uint32_t version; ///< abi_version
    uint32_t count;   ///< of entries, which follow at offset 64, sorted by name (byte order): look-up is a binary
                      ///< search
    uint64_t size;    ///< bytes of the whole environment, pages
    uint64_t reserved[5];
};
static_assert(sizeof(EnvironmentHeader) == 64);
constexpr uint64_t environment_magic = 0x31564e45'4b4c4842; ///< "BHLKENV1"

constexpr uint32_t abi_version = 2;

} // namespace abi
