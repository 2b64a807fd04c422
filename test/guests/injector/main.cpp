// SPDX-License-Identifier: MIT
// Owns the injector: a native partition that gives a VM's vCPU one virtual SError, 20 ms after its start.
#include "services/lib/cpu.hpp"
#include "services/lib/environment.hpp"
#include "services/lib/hypercall.hpp"
#include "services/lib/log.hpp"
#include "services/lib/serve.hpp"

using namespace service;

namespace {

class Injector {
public:
    explicit Injector(Environment const& environment) : vcpu_(environment.handle("vcpu.hit.0")), at_(now() + frequency() / 50) {}
    uint64_t deadline() const { return at_; }
    void on(Deadline) {
        using abi::VcpuOperation;
        at_ = abi::no_deadline;
        auto const running = vcpu_control(vcpu_, VcpuOperation::inject_serror, 0x155);
        auto const pause = vcpu_control(vcpu_, VcpuOperation::pause);
        auto const inject = vcpu_control(vcpu_, VcpuOperation::inject_serror, 0x155);
        auto const resume = vcpu_control(vcpu_, VcpuOperation::resume);
        log("injected", {{"running", abi::name(running)},
                         {"pause", abi::name(pause)},
                         {"inject", abi::name(inject)},
                         {"resume", abi::name(resume)}});
    }

private:
    abi::Handle vcpu_;
    uint64_t at_;
};

} // namespace

int main() {
    static Injector injector{Environment::get()};
    serve(injector);
}
