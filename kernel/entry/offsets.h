/* SPDX-License-Identifier: MIT */
/* Numbers that assembly shares with C++; every one is checked by a static_assert in entry/offsets.cpp. */
#pragma once
#define VCPU_PARTITION 408
#define VCPU_HYPERCALL 420
#define PARTITION_TABLE 32
#define PARTITION_SLOTS 40
#define SLOT_SHIFT 7
#define SLOT_TYPE 4
#define TYPE_NOTIFICATION 5
#define HYPERCALLS 24
#define CORE_AREA_BYTES 16384
#define CORE_OFFSET 14336
