// SPDX-License-Identifier: MIT
// Owns the burglar: a native partition that touches the addresses that are typed, its own memory in ways that it must not among them.
#include "services/lib/environment.hpp"
#include "services/lib/serve.hpp"
#include "test/guests/touch.hpp"

using namespace service;

namespace {

class Burglar {
public:
    explicit Burglar(Environment const& environment) : input_(environment.region("input").consumer()) { log("ready"); }

    void on(Signals) {
        while (!input_.empty()) {
            char const key = static_cast<char>(input_.peek()[0]);
            input_.consume(1);
            if (key != '\r') {
                line_.put(key);
                continue;
            }
            LogLine const line = line_;
            line_ = {};
            log(touch(line.view()) ? "done" : "no_such_way", {{"line", line.view()}});
        }
    }

private:
    RingConsumer input_;
    LogLine line_;
};

} // namespace

int main() {
    static Burglar burglar{Environment::get()};
    serve(burglar);
}
