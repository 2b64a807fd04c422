// SPDX-License-Identifier: MIT
// Puts the whole ABI into the core's debug information: the packer reads every layout and constant from there.
#include "abi/environment.hpp"
#include "abi/hypercall.hpp"
#include "abi/image.hpp"
#include "abi/message.hpp"
#include "abi/protocol/client.hpp"
#include "abi/protocol/console.hpp"
#include "abi/ring.hpp"
#include "abi/status.hpp"
