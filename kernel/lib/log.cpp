// SPDX-License-Identifier: MIT
// The core's log lines: formatting, the ring to the console, and the PL011 when there is no console.
#include "lib/log.hpp"
#include "abi/ring.hpp"
#include "hw.hpp"
#include "ipc/ipc.hpp"
#include "lib/lock.hpp"

namespace bulkhead {

namespace {

struct Sink {
    abi::RingHeader* ring = nullptr;
    uint32_t capacity = 0;
    uint16_t object = 0;
    unsigned signal = 0;
};
constinit Sink sink;
constinit SpinLock ring_lock;
constexpr PhysAddr pl011{0x0900'0000}; // boards/qemu-virt

void write_ring(const char* text, unsigned length) {
    ring_lock.lock();
    uint32_t head = sink.ring->head;
    uint32_t used = head - __atomic_load_n(&sink.ring->tail, __ATOMIC_ACQUIRE);
    if (used > sink.capacity || length > sink.capacity - used) { length = 0; }
    char* data = reinterpret_cast<char*>(sink.ring + 1);
    for (unsigned i = 0; i < length; ++i) { data[(head + i) & (sink.capacity - 1)] = text[i]; }
    __atomic_store_n(&sink.ring->head, head + length, __ATOMIC_RELEASE);
    ring_lock.unlock();
}

void write_uart(const char* text, unsigned length) {
    constexpr uint64_t flags = 0x18;
    constexpr uint32_t full = 1u << 5;
    for (unsigned i = 0; i < length; ++i) {
        if (text[i] == '\n') { hw::store32(pl011, '\r'); }
        for (unsigned n = 0; n < 1'000'000 && (hw::load32(pl011 + flags) & full); ++n) { hw::yield(); }
        hw::store32(pl011, static_cast<uint8_t>(text[i]));
    }
}

} // namespace

namespace log {

[[gnu::section(".text.boot")]] void init(PhysAddr ring, uint64_t size, uint16_t object, unsigned signal) {
    sink = {hw::pointer<abi::RingHeader>(ring), abi::ring_capacity(size), object, signal};
}

void leave_console() {
    sink.ring = nullptr;
    char nothing[300] = {}; // ends a frame that console may have begun
    nothing[sizeof(nothing) - 1] = '\n';
    write_uart(nothing, sizeof(nothing));
}

} // namespace log

LogLine::LogLine(const char* source, const char* event, const char* suffix) {
    uint64_t ticks = hw::read<hw::Cntpct>().bits, frequency = hw::read<hw::Cntfrq>().bits;
    uint64_t seconds = ticks / frequency;
    put("[");
    for (uint64_t limit = 1000; limit > seconds && limit > 1; limit /= 10) { put(" "); }
    decimal(seconds).put(".").decimal(ticks % frequency * 1'000'000 / frequency, 6);
    put("] ").put(source).put(": ").put(event).put(suffix);
}

LogLine::~LogLine() {
    put("\n");
    text_[length_ - 1] = '\n';
    if (!sink.ring) {
        write_uart(text_, length_);
        return;
    }
    write_ring(text_, length_);
    Slot* slot = sink.object ? objects.find(objects.ref(sink.object)) : nullptr;
    if (slot && slot->type == ObjectType::notification) { notify(Core::self(), slot->notification, 1ull << sink.signal); }
}

LogLine& LogLine::put(const char* text) {
    while (*text && length_ < sizeof(text_)) { text_[length_++] = *text++; }
    return *this;
}

LogLine& LogLine::hexadecimal(uint64_t value) {
    char digits[] = "0x0000000000000000";
    unsigned n = 2;
    for (unsigned shift = value ? (63 - static_cast<unsigned>(__builtin_clzll(value))) & ~3u : 0; shift < 64; shift -= 4) {
        digits[n++] = "0123456789abcdef"[value >> shift & 15];
    }
    digits[n] = 0;
    return put(digits);
}

LogLine& LogLine::decimal(uint64_t value, unsigned width) {
    char digits[21];
    char* first = digits + sizeof(digits) - 1;
    *first = 0;
    do {
        *--first = static_cast<char>('0' + value % 10);
        value /= 10;
    } while (value != 0 || first > digits + sizeof(digits) - 1 - width);
    return put(first);
}

} // namespace bulkhead
