# SPDX-License-Identifier: MIT
"""Runs the command as `python3 -m bulkhead`."""

from bulkhead.cli import main

if __name__ == "__main__":
    main()
