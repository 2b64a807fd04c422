// SPDX-License-Identifier: MIT
// Where lifecycle starts.
#include "services/lib/serve.hpp"
#include "services/lifecycle/lifecycle.hpp"

int main() {
    static lifecycle::Lifecycle service(service::Environment::get());
    service::serve(service);
}
