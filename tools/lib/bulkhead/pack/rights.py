# SPDX-License-Identifier: MIT
"""The names of rights in descriptions and reports, by type of object; their bits are constants of abi::right."""

from __future__ import annotations

RIGHTS = {
    "memory": {
        "read": "read",
        "write": "write",
        "execute": "execute",
        "map": "map_memory",
        "derive": "derive",
        "donate": "donate",
    },
    "partition": {
        "delegate": "delegate",
        "map": "map_into",
        "create": "create_vcpu",
        "interrupt": "interrupt_line",
        "configure": "configure_interrupts",
    },
    "vcpu": {"control": "control", "inspect": "inspect", "time": "time"},
    "endpoint": {"call": "call", "serve": "serve"},
    "notification": {"signal": "signal", "serve": "serve"},
    "interrupt": {"bind": "bind", "acknowledge": "acknowledge"},
}
for _names in RIGHTS.values():
    _names["destroy"] = "destroy"
