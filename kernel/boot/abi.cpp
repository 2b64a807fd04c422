// SPDX-License-Identifier: MIT
// Puts the whole ABI into the core's debug information: the packer reads every layout and constant from there.
#include "abi/checksum.hpp"
#include "abi/environment.hpp"
#include "abi/hypercall.hpp"
#include "abi/image.hpp"
#include "abi/message.hpp"
#include "abi/protocol/client.hpp"
#include "abi/protocol/console.hpp"
#include "abi/ring.hpp"
#include "abi/status.hpp"

namespace bulkhead {
/// Something to keep (core.ld names it): the linker drops the debug information of a file of which nothing stays.
[[gnu::section(".abi")]] extern const uint32_t core_abi_version;
const uint32_t core_abi_version = abi::abi_version;
} // namespace bulkhead
