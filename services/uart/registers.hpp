// SPDX-License-Identifier: MIT
// The PL011's registers and bits (PrimeCell UART PL011 TRM r1p5, ARM DDI 0183), as the device's
// model and a driver see them.
#pragma once
#include <cstdint>

namespace pl011 {

/// Offsets, divided by four: the registers are words.
enum class Register : uint32_t {
    dr = 0,
    rsr = 1, ///< ECR when written
    fr = 6,
    ilpr = 8,
    ibrd = 9,
    fbrd = 10,
    lcr_h = 11,
    cr = 12,
    ifls = 13,
    imsc = 14,
    ris = 15,
    mis = 16,
    icr = 17,
    dmacr = 18,
    count = 19,
    first_id = 0xfe0 / 4, ///< PeriphID0-3, PCellID0-3
};
constexpr uint32_t offset(Register reg) { return static_cast<uint32_t>(reg) * 4; }

/// PeriphID: part 0x011, designer 0x41, revision 3 (r1p5: FIFOs of 32); PCellID.
constexpr uint8_t ids[8] = {0x11, 0x10, 0x34, 0x00, 0x0d, 0xf0, 0x05, 0xb1};
constexpr uint32_t fifo_depth = 32;

namespace data { // DR; RSR has the errors in bits 0..3
constexpr uint32_t frame_error = 1 << 8, parity_error = 1 << 9, break_error = 1 << 10, overrun = 1 << 11;
constexpr uint32_t error_shift = 8, errors = 0xf;
constexpr uint32_t overrun_status = 1 << 3; // in RSR
} // namespace data

namespace flag { // FR
constexpr uint32_t cts = 1 << 0, dsr = 1 << 1, dcd = 1 << 2, busy = 1 << 3, rx_empty = 1 << 4, tx_full = 1 << 5, rx_full = 1 << 6,
                   tx_empty = 1 << 7, ri = 1 << 8;
} // namespace flag

namespace line { // LCR_H
constexpr uint32_t send_break = 1 << 0, fifos = 1 << 4, eight_bits = 3 << 5;
} // namespace line

namespace control { // CR
constexpr uint32_t enable = 1 << 0, loopback = 1 << 7, transmit = 1 << 8, receive = 1 << 9, dtr = 1 << 10, rts = 1 << 11,
                   out1 = 1 << 12, out2 = 1 << 13;
} // namespace control

namespace interrupt { // IMSC, RIS, MIS, ICR
constexpr uint32_t ri = 1 << 0, cts = 1 << 1, dcd = 1 << 2, dsr = 1 << 3, rx = 1 << 4, tx = 1 << 5, rx_timeout = 1 << 6,
                   frame = 1 << 7, parity = 1 << 8, break_ = 1 << 9, overrun = 1 << 10, all = 0x7ff;
} // namespace interrupt

} // namespace pl011
