# SPDX-License-Identifier: MIT
"""The rules that a description must keep (docs/system-description.md lists their codes), before anything is packed."""

from __future__ import annotations

from bulkhead.errors import UserError
from bulkhead.pack.description import System
from bulkhead.pack.rules import calls, cores, devices, guests, limits, names, references

# A later group may rely on what an earlier one has found to be right.
_GROUPS = (
    (names.check, limits.check),
    (references.check, cores.check),
    (cores.check_services, calls.check, devices.check, guests.check),
)


def check_description(system: System) -> list[UserError]:
    """All that is wrong, as far as it can be told."""
    for group in _GROUPS:
        errors = [error for rule in group for error in rule(system)]
        if errors:
            return errors
    return []
