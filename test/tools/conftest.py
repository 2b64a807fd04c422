# SPDX-License-Identifier: MIT
"""Lets the programs that these tests start import the tools."""

import pytest

from bulkhead.paths import CHECKOUT


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(CHECKOUT / "tools" / "lib"))
