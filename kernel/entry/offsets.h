/* SPDX-License-Identifier: MIT */
/* Numbers that assembly shares with C++; every one is checked by a static_assert in entry/offsets.cpp. */
#pragma once
#define VCPU_NATIVE 280
#define VCPU_PARTITION 456
#define VCPU_BADGE 976
#define VCPU_ENDPOINT 984
#define PARTITION_TABLE 32
#define PARTITION_SLOTS 40
#define SLOT_SHIFT 7
#define SLOT_TYPE 4
#define TYPE_ENDPOINT 4
#define TYPE_NOTIFICATION 5
#define HYPERCALLS 24
#define CORE_AREA_BYTES 16384
#define CORE_OFFSET 14336
