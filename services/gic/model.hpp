// SPDX-License-Identifier: MIT
// What the service knows of a VM: its description, and the little state that the core does not keep
// for it.
#pragma once
#include "registers.hpp"
#include <atomic>

namespace gic {

/// From the environment.
struct Vm {
    uint64_t distributor;   ///< IPA
    uint64_t redistributor; ///< IPA of the first one
    unsigned vcpus;
    unsigned spis;                ///< a multiple of 32
    uint32_t affinity[max_vcpus]; ///< Aff3.Aff2.Aff1.Aff0
    /// If each vCPU's affinity is its index, as the packer has it: the bits of an SGI whose target list is vCPUs. Else none.
    uint64_t by_index = 0;

    void note_affinities() {
        bool same = true;
        for (unsigned vcpu = 0; vcpu < vcpus; ++vcpu) { same = same && affinity[vcpu] == vcpu; }
        by_index = same ? sgir::intids | ((1u << vcpus) - 1) : 0;
    }
};

/// What 32 INTIDs are configured to, as the guest wrote it.
struct Block {
    std::atomic<uint32_t> group;
    std::atomic<uint32_t> config[2];
    std::atomic<uint32_t> priority[8];
};

/// In the service's state region, where it survives a restart: all zero is the reset state. The
/// core has the same configuration, and alone has what changes by itself (enabled, pending,
/// active); what only a guest changes is read here, without a hypercall. Atomic, because reads take
/// no lock.
struct VmState {
    std::atomic<uint64_t> router[max_spis]; ///< GICD_IROUTER as written; the core knows a vCPU's index
    Block spis[max_spis / 32];
    Block own[max_vcpus];                  ///< SGIs and PPIs
    std::atomic<uint64_t> done[max_vcpus]; ///< sequence number of each vCPU's last write, plus one
    std::atomic<uint32_t> ctlr;            ///< GICD_CTLR: the enables
    uint32_t reserved;
    std::atomic<uint8_t> awake[max_vcpus]; ///< GICR_WAKER.ProcessorSleep, inverted

    /// Whether a request that is delivered again was done before.
    bool was_done(unsigned vcpu, bool repeated, uint64_t sequence) const {
        return repeated && done[vcpu].load(std::memory_order_relaxed) == sequence + 1;
    }
    /// The last step of a write. A kill between its hypercall and this one has it done again: only
    /// an SGI or a pending bit can show that, as one interrupt too many.
    void note_done(unsigned vcpu, uint64_t sequence) { done[vcpu].store(sequence + 1, std::memory_order_relaxed); }
};
static_assert(sizeof(VmState) % 8 == 0);

/// MPIDR_EL1 or GICD_IROUTER to Aff3.Aff2.Aff1.Aff0.
constexpr uint32_t affinity_of(uint64_t mpidr) { return static_cast<uint32_t>((mpidr >> 8 & 0xff00'0000) | (mpidr & 0x00ff'ffff)); }

/// Every word is independent of the others: order comes from the lock, or from the guest's own
/// barriers.
template <typename T> T load(const std::atomic<T>& word) { return word.load(std::memory_order_relaxed); }
template <typename T> void store(std::atomic<T>& word, uint64_t value) {
    word.store(static_cast<T>(value), std::memory_order_relaxed);
}

} // namespace gic
