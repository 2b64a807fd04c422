# SPDX-License-Identifier: MIT
from bulkhead.errors import UserError
from bulkhead.pack.plan import Plan


def check_plan(plan: Plan) -> list[UserError]:
    return []
