/* SPDX-License-Identifier: MIT */
/* Numbers that assembly shares with C++; every one is checked by a static_assert in entry/offsets.cpp. */
#pragma once
#define VCPU_NATIVE 280
#define CORE_AREA_BYTES 16384
#define CORE_OFFSET 14336
