# SPDX-License-Identifier: MIT
"""`bulkhead lint`: clang-format, clang-tidy on kernel and services, black, mypy."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import subprocess
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bulkhead.build import build
from bulkhead.errors import UserError
from bulkhead.paths import CHECKOUT, build_folder

_CXX = ("kernel", "abi", "services", "partitions", "test", "tools")
_TIDY = ("kernel", "services")
_JOBS = os.cpu_count() or 1
_SETTINGS = CHECKOUT / "tools" / "pyproject.toml"
# GCC's options that clang does not know; the rest of the compile command is passed on.
_UNKNOWN_TO_CLANG = (
    "-fno-eliminate-unused-debug-symbols",
    "-fno-eliminate-unused-debug-types",
    "-fno-var-tracking",
    "-fconserve-stack",
    "-no-pie",
    "-Werror",
)


def _files(folders: Iterable[str], *suffixes: str) -> list[Path]:
    found = (path for top in folders for path in (CHECKOUT / top).rglob("*"))
    return sorted(path for path in found if path.suffix in suffixes and path.is_file())


def _check(name: str, command: list[str]) -> bool:
    started = time.monotonic()
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, errors="replace")
    _say(name, done.returncode == 0, started)
    if done.returncode != 0:
        print((done.stdout + done.stderr).strip(), flush=True)
    return done.returncode == 0


def _say(name: str, passed: bool, started: float, what: str = "") -> None:
    seconds = time.monotonic() - started
    print(f"lint: {name}: {'ok' if passed else 'FAILED'} ({what}{seconds:.0f} s)", flush=True)


def clang_format() -> bool:
    """Every header and source is formatted as .clang-format says."""
    files = [str(path) for path in _files(_CXX, ".hpp", ".cpp", ".h")]
    return not files or _check("clang-format", ["clang-format", "--dry-run", "-Werror", *files])


def black() -> bool:
    """The Python files are formatted by black, 100 columns."""
    folders = [str(CHECKOUT / "tools"), str(CHECKOUT / "test")]
    return _check("black", ["black", "--check", "--config", str(_SETTINGS), *folders])


def mypy() -> bool:
    """The tools' package is typed strictly."""
    cache = build_folder() / "mypy"
    options = ["--config-file", str(_SETTINGS), "--cache-dir", str(cache)]
    return _check("mypy", ["mypy", *options, str(CHECKOUT / "tools" / "lib" / "bulkhead")])


def clang_tidy() -> bool:
    """Every source of kernel and services, compiled as the cross build does, passes .clang-tidy."""
    started = time.monotonic()
    folder = build() / "tidy"
    folder.mkdir(exist_ok=True)
    database = _database(json.loads((build_folder() / "compile_commands.json").read_text()))
    (folder / "compile_commands.json").write_text(json.dumps(database, indent=1))
    settings = _digest([CHECKOUT / ".clang-tidy", *_files((*_TIDY, "abi"), ".hpp")])
    with ThreadPoolExecutor(_JOBS) as pool:
        results = list(pool.map(lambda entry: _tidy_one(folder, entry, settings), database))
    bad = [text for text in results if text]
    _say("clang-tidy", not bad, started, f"{len(database)} files, ")
    for text in bad:
        print(text, flush=True)
    return not bad


def _database(entries: list[dict[str, str]]) -> list[dict[str, str]]:
    kept = {}
    tops = [CHECKOUT / top for top in _TIDY]
    for entry in entries:
        path = (Path(entry["directory"]) / entry["file"]).resolve()
        words = shlex.split(entry["command"])
        cross = "aarch64" in words[0] or any("aarch64" in word for word in words[:2])
        if path.suffix == ".cpp" and cross and any(top in path.parents for top in tops):
            options = [word for word in words[1:] if word not in _UNKNOWN_TO_CLANG]
            command = [
                "clang++",
                "--target=aarch64-linux-gnu",
                "-Wno-unknown-warning-option",
                *options,
            ]
            kept[str(path)] = {
                "directory": entry["directory"],
                "file": str(path),
                "command": shlex.join(command),
            }
    return [kept[path] for path in sorted(kept)]


def _digest(paths: Iterable[Path]) -> str:
    whole = hashlib.sha256()
    for path in paths:
        if path.is_file():
            whole.update(str(path).encode() + b"\0" + path.read_bytes())
    return whole.hexdigest()


def _tidy_one(folder: Path, entry: dict[str, str], settings: str) -> str:
    """The complaints about one file. A file that passed is not looked at again until something changes."""
    key = f"{settings} {entry['command']} {_digest([Path(entry['file'])])}"
    passed = folder / (hashlib.sha256(key.encode()).hexdigest() + ".ok")
    if passed.exists():
        return ""
    command = ["clang-tidy", "--quiet", "-p", str(folder), entry["file"]]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace")
    if done.returncode == 0:
        passed.touch()
        return ""
    return (done.stdout + done.stderr).strip() or f"{entry['file']}: clang-tidy failed"


def lint() -> bool:
    """All of them, also after one has failed; True if all passed."""
    steps: list[Callable[[], bool]] = [clang_format, black, mypy, clang_tidy]
    try:
        return all([step() for step in steps])
    except FileNotFoundError as error:
        hint = "run `tools/bulkhead setup`"
        raise UserError(f"there is no {error.filename} on the PATH", hint=hint) from None
