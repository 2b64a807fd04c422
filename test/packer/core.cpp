// SPDX-License-Identifier: MIT
// Stands for the core in the packer's tests: an Image header, and the whole ABI in its debug information.

#include "abi/checksum.hpp"
#include "abi/environment.hpp"
#include "abi/hypercall.hpp"
#include "abi/image.hpp"
#include "abi/message.hpp"
#include "abi/protocol/client.hpp"
#include "abi/protocol/console.hpp"
#include "abi/ring.hpp"
#include "abi/status.hpp"

__asm__(".section .head, \"ax\"\n"
        ".global _start\n"
        "_start: b _start\n"
        ".long 0\n"
        ".quad 0x200000, 0, 0b1010, 0, 0, 0\n"
        ".ascii \"ARM\\x64\"\n"
        ".long 0\n");
char scratch[5000];
