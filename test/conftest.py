# SPDX-License-Identifier: MIT
"""Loads Bulkhead's plugin for all tests of the project."""

pytest_plugins = ["bulkhead.pytest_plugin"]
