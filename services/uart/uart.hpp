// SPDX-License-Identifier: MIT
// The uart service: a PL011 for each client VM, its bytes in rings to and from the console.
#pragma once
#include "services/lib/alarm.hpp"
#include "services/lib/environment.hpp"
#include "services/lib/serve.hpp"
#include "services/uart/pl011.hpp"

namespace uart {

using service::Answer;
using service::Handle;

constexpr unsigned max_clients = 32;
constexpr unsigned max_client_vcpus = 16; ///< the journal's size

struct alignas(128) Client {
    service::SpinLock lock;
    pl011::Pl011 device;
    Handle vm = 0;
    uint32_t intid = 0;
    uint64_t wake = 0; ///< its signal at the console
};

class Uart {
public:
    explicit Uart(service::Environment const& environment);

    [[gnu::always_inline]] bool quick(service::MmioRead const& m, uint64_t& value) {
        return m.badge < count_ && clients_[m.badge].device.peek(offset(m.address), value);
    }

    [[gnu::always_inline]] bool quick(service::MmioWrite const& m) {
        static_assert(pl011::offset(pl011::Register::dr) == 0);
        if ((m.badge | m.address << 52) >= max_clients) { return false; } // one comparison for the badge and the offset
        Client& client = clients_[m.badge];
        if (!client.lock.try_once()) { return false; }
        auto const sent = client.device.send(m, static_cast<uint32_t>(m.value));
        client.lock.unlock();
        if (sent == pl011::Pl011::Sent::done_wake_console) { service::signal(console_, client.wake); }
        return sent != pl011::Pl011::Sent::not_done;
    }

    Answer on(service::MmioRead const& m);
    Answer on(service::MmioWrite const& m);
    service::LongAnswer on(service::Call const& m);
    void on(service::Signals signals);
    void on(service::Deadline);
    uint64_t deadline() const { return service::load_once(alarm_.ticks()); }

private:
    static uint32_t offset(uint64_t address) { return address & 0xfff; }
    void add_client(service::Environment const& environment, unsigned index, service::Region state);
    void poll(Client& client);
    template <typename Access> Answer serve(service::Request const& m, Access const& access);
    bool settle(Client& client, uint32_t effects);

    Client clients_[max_clients];
    uint64_t count_ = 0;
    Handle console_ = 0;
    service::Alarm alarm_; ///< the earliest of the clients' receive time-outs
};

} // namespace uart
