# SPDX-License-Identifier: MIT
from bulkhead.errors import UserError
from bulkhead.pack.description import System


def check_description(system: System) -> list[UserError]:
    return []
