# SPDX-License-Identifier: MIT
"""Builds the core, the services, the guests and the host tests: meson once, then ninja; quiet unless it fails."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console

from bulkhead.errors import UserError
from bulkhead.paths import CHECKOUT, build_folder

FRESH = "BULKHEAD_FRESH"  # set for the tests: the build has just been done, once, for all of them


def build(host_tests: bool = False) -> Path:
    """Brings the build folder up to date and returns it; a failed build is a UserError with the compiler's text.

    The host tests take longer than all the rest: they are built only on request.
    """
    folder = build_folder()
    if os.environ.get(FRESH) == str(folder):
        return folder
    if not (CHECKOUT / "meson.build").is_file():
        raise UserError(
            f"{CHECKOUT} has no meson.build", code="build", hint="is the checkout whole?"
        )
    folder.mkdir(parents=True, exist_ok=True)
    console = Console(stderr=True)
    new = not (folder / "build.ninja").is_file()
    text = "building; the first time takes a minute or two" if new else "building"
    if new and not console.is_terminal:
        print(f"bulkhead: {text}", file=sys.stderr, flush=True)
    with _alone(folder), _status(console, text):
        if not (folder / "build.ninja").is_file():
            cross = CHECKOUT / "tools" / "meson" / "aarch64.ini"
            _call(["meson", "setup", str(folder), str(CHECKOUT), "--cross-file", str(cross)])
        ninja = ["ninja", "-C", str(folder)]
        _call([*ninja, "build.ninja"])  # meson's list of targets is as new as its input
        _call([*ninja, "all"] if host_tests else [*ninja, *_all_but_host_tests(folder)])
    return folder


def _all_but_host_tests(folder: Path) -> list[str]:
    """Meson (1.0) has every test in `all`, whatever build_by_default says."""
    targets = json.loads((folder / "meson-info" / "intro-targets.json").read_text())
    files = [Path(file) for target in targets for file in target["filename"]]
    unit = folder / "test" / "unit"
    return sorted(str(file.relative_to(folder)) for file in files if unit not in file.parents)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Two tools at once (the tests' workers) build one after the other."""
    with (folder / ".bulkhead.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _status(console: Console, text: str) -> Iterator[None]:
    if not sys.stderr.isatty():
        yield
        return
    with console.status(text):
        yield


def _call(command: Sequence[str]) -> None:
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace"
        )
    except FileNotFoundError:
        raise UserError(
            f"there is no {command[0]} on the PATH", code="build", hint="run `tools/bulkhead setup`"
        ) from None
    if done.returncode != 0:
        text = (done.stdout + done.stderr).strip()
        raise UserError(f"the build failed: {' '.join(command)}\n{text}", code="build")
