# SPDX-License-Identifier: MIT
"""Loads Bulkhead's plugin for all tests of the project; keeps their names, and hypothesis, steady and out of the tree."""

import tempfile
from pathlib import Path

import hypothesis
import hypothesis.configuration

pytest_plugins = ["bulkhead.pytest_plugin"]

# A slow machine is no failure, and CI is to say the same every time.
hypothesis.settings.register_profile("bulkhead", deadline=None, database=None, derandomize=True)
hypothesis.settings.load_profile("bulkhead")
hypothesis.configuration.set_hypothesis_home_dir(
    Path(tempfile.gettempdir()) / "bulkhead-hypothesis"
)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Names bytes by their argument: contents say nothing, and workers may make them differently (a gzip file's time)."""
    return argname if isinstance(val, bytes) else None
