// SPDX-License-Identifier: MIT
// A plugin for QEMU's TCG: counts the instructions that the core executes at EL2 between two looks for an interrupt, and writes the
// longest such stretches, with the way they took, to a file that is right at any moment (docs/benchmark.md). What a CPU executes while
// it waits for another one, in a short loop around a YIELD, is counted apart: how long that is, is the host's choice.
//
//     -plugin stretch.so,core=FILE,out=FILE
//
// `core`: little-endian words: the address of the core's .text, that of its vectors, and .text itself.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <map>
#include <mutex>
#include <string_view>
#include <unistd.h>
#include <utility>
#include <vector>

// What is used of QEMU's plugin interface, version 1; Debian does not package its header.
extern "C" {
using qemu_plugin_id_t = uint64_t;
struct qemu_info_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
using TranslateCallback = void (*)(qemu_plugin_id_t, qemu_plugin_tb*);
using ExecuteCallback = void (*)(unsigned cpu, void* data);
enum qemu_plugin_cb_flags { QEMU_PLUGIN_CB_NO_REGS };
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t, TranslateCallback);
void qemu_plugin_register_vcpu_insn_exec_cb(qemu_plugin_insn*, ExecuteCallback, qemu_plugin_cb_flags, void* data);
size_t qemu_plugin_tb_n_insns(const qemu_plugin_tb*);
qemu_plugin_insn* qemu_plugin_tb_get_insn(const qemu_plugin_tb*, size_t);
const void* qemu_plugin_insn_data(const qemu_plugin_insn*);
uint64_t qemu_plugin_insn_vaddr(const qemu_plugin_insn*);

[[gnu::visibility("default")]] extern const int qemu_plugin_version = 1;
[[gnu::visibility("default")]] int qemu_plugin_install(qemu_plugin_id_t, const qemu_info_t*, int argc, char** argv);
}

namespace {

constexpr unsigned max_cpus = 8;
constexpr uint32_t way_length = 8187; ///< of a longer stretch only the first instructions are written

constexpr uint32_t longest_turn = 16; ///< from a YIELD to itself, if that is all that a loop does

/// What an instruction means for a stretch. Kept below its address.
enum Kind : uintptr_t { plain, look, leave, enter, wait };
constexpr unsigned kind_bits = 3;

struct Record { ///< as in the file
    uint32_t count, start, end, known;
    uint32_t waited; ///< beside `count`; the most of all stretches with this start and end
    std::array<uint32_t, way_length> way;
};

struct Longest {
    uint32_t count, waited;
    unsigned record;
};

struct Cpu {
    bool inside = false; ///< at EL2, since an exception from below
    Record now{};
    uint32_t yield = 0;                                       ///< where the stretch's last YIELD was; 0: there was none
    uint32_t yield_count = 0;                                 ///< the stretch's count then
    std::map<std::pair<uint32_t, uint32_t>, Longest> longest; ///< by start and end
};

std::array<Cpu, max_cpus> cpus;
std::mutex mutex; ///< of the file
int file = -1;
unsigned records = 0;
uint32_t base = 0, vectors = 0;
std::vector<uint32_t> text;

void end_stretch(Cpu& cpu, uint32_t pc) {
    Record& now = cpu.now;
    now.end = pc;
    now.known = now.count < way_length ? now.count : way_length;
    const auto [at, added] = cpu.longest.try_emplace({now.start, pc});
    Longest& most = at->second;
    if (now.count <= most.count && now.waited <= most.waited) { return; }
    const std::scoped_lock lock(mutex);
    if (added) { most.record = records++; }
    now.waited = most.waited = std::max(now.waited, most.waited);
    const auto place = static_cast<off_t>(most.record * sizeof(now));
    bool good = false;
    if (now.count > most.count) {
        most.count = now.count;
        good = pwrite(file, &now, sizeof(now), place) == sizeof(now);
    } else {
        good = pwrite(file, &now.waited, sizeof(now.waited), place + offsetof(Record, waited)) == sizeof(now.waited);
    }
    if (!good) { std::abort(); }
}

void begin_stretch(Cpu& cpu, uint32_t pc) {
    cpu.now.count = cpu.now.waited = 0;
    cpu.now.start = pc;
    cpu.yield = 0;
}

/// After a YIELD: the way from itself to here is not counted if it is short.
void end_turn(Cpu& cpu, uint32_t pc) {
    const uint32_t turn = cpu.now.count - cpu.yield_count;
    if (cpu.yield == pc && turn <= longest_turn) {
        cpu.now.waited += turn;
        cpu.now.count -= turn;
    }
    cpu.yield = pc;
    cpu.yield_count = cpu.now.count;
}

void execute(unsigned number, void* data) {
    const auto tagged = reinterpret_cast<uintptr_t>(data);
    const auto kind = static_cast<Kind>(tagged & ((1u << kind_bits) - 1));
    const auto pc = static_cast<uint32_t>(tagged >> kind_bits);
    Cpu& cpu = cpus[number];
    Record& now = cpu.now;
    if (kind == enter) {
        cpu.inside = true;
        begin_stretch(cpu, pc);
    }
    if (!cpu.inside) { return; }
    if (now.count < way_length) { now.way[now.count] = pc; }
    ++now.count;
    if (kind == wait) { end_turn(cpu, pc); }
    if (kind != look && kind != leave) { return; }
    end_stretch(cpu, pc);
    cpu.inside = kind == look;
    begin_stretch(cpu, pc);
}

/// An exception from a lower exception level begins a stretch; a read of ISR_EL1, and a WFI, which a pending interrupt ends, are looks.
Kind kind_of(uint32_t pc, uint32_t instruction) {
    constexpr uint32_t eret = 0xd69f'03e0, yield = 0xd503'203f, wfi = 0xd503'207f, mrs_isr_el1 = 0xd538'c100, rt = 31,
                       from_below = 0x400, size = 0x800;
    if (pc - vectors >= from_below && pc - vectors < size && pc % 0x80 == 0) { return enter; }
    if (instruction == eret) { return leave; }
    if (instruction == yield) { return wait; }
    return instruction == wfi || (instruction & ~rt) == mrs_isr_el1 ? look : plain;
}

constexpr uint32_t nop = 0xd503'201f, branch = 5; ///< the latter: bits 31..26

void translate(qemu_plugin_id_t, qemu_plugin_tb* block) {
    const size_t count = qemu_plugin_tb_n_insns(block);
    // A guest may have code at the same addresses: the core's is known by its bytes. The boot may have made a branch of a NOP.
    for (size_t n = 0; n < count; ++n) {
        const auto* instruction = qemu_plugin_tb_get_insn(block, n);
        const uint64_t at = (qemu_plugin_insn_vaddr(instruction) - base) / 4;
        uint32_t there = 0;
        std::memcpy(&there, qemu_plugin_insn_data(instruction), sizeof(there));
        if (at >= text.size() || (there != text[at] && !(text[at] == nop && there >> 26 == branch))) { return; }
    }
    for (size_t n = 0; n < count; ++n) {
        auto* instruction = qemu_plugin_tb_get_insn(block, n);
        const auto pc = static_cast<uint32_t>(qemu_plugin_insn_vaddr(instruction));
        const uintptr_t tagged = uintptr_t{pc} << kind_bits | kind_of(pc, text[(pc - base) / 4]);
        qemu_plugin_register_vcpu_insn_exec_cb(instruction, execute, QEMU_PLUGIN_CB_NO_REGS, reinterpret_cast<void*>(tagged));
    }
}

bool read_core(const char* path) {
    std::FILE* from = std::fopen(path, "rb");
    if (from == nullptr) { return false; }
    const bool good = std::fread(&base, 4, 1, from) == 1 && std::fread(&vectors, 4, 1, from) == 1;
    for (uint32_t word = 0; std::fread(&word, 4, 1, from) == 1;) { text.push_back(word); }
    std::fclose(from);
    return good && !text.empty();
}

} // namespace

int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t*, int argc, char** argv) {
    bool good = true;
    for (int n = 0; n < argc; ++n) {
        const std::string_view argument = argv[n];
        if (argument.starts_with("core=")) { good = good && read_core(argv[n] + 5); }
        if (argument.starts_with("out=")) { file = open(argv[n] + 4, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666); }
    }
    if (!good || text.empty() || file < 0) {
        std::fprintf(stderr, "stretch.so: core=FILE and out=FILE are needed, and could not be opened\n");
        return 1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, translate);
    return 0;
}
