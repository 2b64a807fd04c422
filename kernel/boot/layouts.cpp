// SPDX-License-Identifier: MIT
// Puts all of abi/ into the core's debug information, where the packer reads layouts and constants.
#include "abi/environment.hpp"
#include "abi/hypercall.hpp"
#include "abi/image.hpp"
#include "abi/message.hpp"
#include "abi/protocol/client.hpp"
#include "abi/protocol/console.hpp"
#include "abi/ring.hpp"
#include "abi/status.hpp"
