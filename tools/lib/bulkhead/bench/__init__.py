# SPDX-License-Identifier: MIT
"""`bulkhead bench`: what Bulkhead's operations cost, in instructions (docs/benchmark.md)."""
