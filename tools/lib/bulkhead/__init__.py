# SPDX-License-Identifier: MIT
"""The Python side of Bulkhead: the command, the packer, and the pytest plugin."""
