# SPDX-License-Identifier: MIT
"""Files out of Debian's arm64 packages ("debian:PACKAGE/PATH"), fetched by apt with a state of its own and kept."""

from __future__ import annotations

import contextlib
import fcntl
import io
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from bulkhead.errors import UserError

PREFIX = "debian:"
_NAME = re.compile(r"debian:([a-z0-9][a-z0-9.+-]+)/([\x21-\x7e]+)", re.ASCII)
_ARCHITECTURE = "arm64"
_CODE = "E047"


def debian_file(name: str, cache: Path) -> Path:
    """The file that `name` means; fetched on first use. PATH may have wildcards, and the package may be a metapackage."""
    found = _NAME.fullmatch(name)
    if not found:
        hint = "write debian:PACKAGE/PATH, for example debian:busybox-static/bin/busybox"
        raise UserError(f"'{name[:200]}' names no file of a Debian package", code=_CODE, hint=hint)
    package, pattern = found.groups()
    cache.mkdir(parents=True, exist_ok=True)
    with _alone(cache):
        archive = _archive(package, cache)
        files = _unpacked(archive, pattern)
        while not files and (dependency := _points_to(archive)):
            archive = _archive(dependency, cache)
            files = _unpacked(archive, pattern)
    if len(files) == 1:
        return files[0]
    listed = ", ".join(sorted(file.name for file in files))
    what = f"fits several files ({listed})" if files else "fits no file of it"
    raise UserError(f"Debian's package {archive.stem}: '{pattern}' {what}", code=_CODE)


@contextlib.contextmanager
def _alone(cache: Path) -> Iterator[None]:
    with (cache / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _archive(package: str, cache: Path) -> Path:
    """The package's .deb in the cache; apt brings it if it is not there."""
    for archive in sorted(cache.glob(f"{package}_*.deb")):
        return archive
    print(f"bulkhead: fetching Debian's {package} ({_ARCHITECTURE})", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix="partial-") as partial:
        _apt(cache, "update", Path(partial), "apt cannot read the lists of Debian's packages")
        _apt(cache, f"download {package}", Path(partial), f"apt cannot fetch the package {package}")
        (archive,) = Path(partial).glob("*.deb")
        return archive.rename(cache / archive.name)


def _apt(cache: Path, what: str, folder: Path, failure: str) -> None:
    """The machine's sources, but a state of our own: its foreign architectures and lists stay as they are."""
    state = cache / "apt"
    (state / "lists" / "partial").mkdir(parents=True, exist_ok=True)
    (state / "archives" / "partial").mkdir(parents=True, exist_ok=True)
    (state / "status").touch()
    options = {
        "Dir::State": state,
        "Dir::State::Lists": state / "lists",
        "Dir::State::status": state / "status",
        "Dir::Cache": state,
        "APT::Architecture": _ARCHITECTURE,
        "APT::Architectures": _ARCHITECTURE,
        "APT::Sandbox::User": "",
        "APT::Update::Error-Mode": "any",
        "Acquire::Languages": "none",
        "Debug::NoLocking": "1",
    }
    settings = [part for key, value in options.items() for part in ("-o", f"{key}={value}")]
    hint = "it needs Debian's apt, its sources and the network, once: the build folder keeps it"
    done = _run(["apt-get", "-q", *settings, *what.split()], folder, failure)
    if done.returncode:
        said = [
            line for line in done.stderr.decode(errors="replace").splitlines() if line[:2] == "E:"
        ]
        raise UserError(f"{failure}: {' '.join(said[:2])[:400]}", code=_CODE, hint=hint)


def _run(
    command: Sequence[str | Path], folder: Path, failure: str
) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True)
    except OSError as error:
        message = f"{failure}: {command[0]}: {error.strerror}"
        raise UserError(message, code=_CODE) from None


@contextlib.contextmanager
def _opened(archive: Path) -> Iterator[tarfile.TarFile]:
    damaged = f"{archive} is damaged: delete it"
    done = _run(["dpkg-deb", "--fsys-tarfile", archive], archive.parent, damaged)
    try:
        with tarfile.open(fileobj=io.BytesIO(done.stdout)) as tar:
            yield tar
    except tarfile.TarError:
        raise UserError(damaged, code=_CODE) from None


def _unpacked(archive: Path, pattern: str) -> list[Path]:
    """Its files that fit, unpacked beside it."""
    folder = archive.with_suffix("")
    found = [file for file in folder.rglob("*") if _fits(file.relative_to(folder), pattern)]
    if found:
        return found
    with _opened(archive) as tar:
        for member in tar:
            path = Path(member.name)
            content = tar.extractfile(member) if member.isfile() else None
            if content is None or ".." in path.parts or not _fits(path, pattern):
                continue
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=archive.parent, prefix="partial-") as partial:
                whole = Path(partial) / file.name
                whole.write_bytes(content.read())
                found.append(whole.rename(file))
    return found


def _fits(path: Path, pattern: str) -> bool:
    return fnmatchcase(path.as_posix(), pattern)


def _points_to(archive: Path) -> str | None:
    """What a metapackage, which has nothing outside of usr/share, depends on first."""
    with _opened(archive) as tar:
        names = [Path(member.name).as_posix() for member in tar if member.isfile()]
    if any(not name.startswith("usr/share/") for name in names):
        return None
    field = _run(["dpkg-deb", "-f", archive, "Depends"], archive.parent, f"cannot read {archive}")
    found = re.match(r"[a-z0-9][a-z0-9.+-]+", field.stdout.decode(errors="replace").strip())
    return found[0] if found else None
