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
    with alone(cache):
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
def alone(cache: Path) -> Iterator[None]:
    """Only one process at a time changes the cache."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _archive(package: str, cache: Path) -> Path:
    """The package's .deb in the cache; apt brings it if it is not there."""
    for archive in sorted(cache.glob(f"{package}_*.deb")):
        return archive
    with fetching(package, cache) as apt:
        (archive,) = apt.download([package])
        return archive.rename(cache / archive.name)


@contextlib.contextmanager
def fetching(package: str, cache: Path) -> Iterator[Apt]:
    """Apt, with today's lists, to fetch `package` and what belongs to it; its folder lives as long as the context."""
    print(f"bulkhead: fetching Debian's {package} ({_ARCHITECTURE})", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix="partial-") as partial:
        yield Apt(package, cache, Path(partial))


class Apt:
    """The machine's sources, but a state of our own: its foreign architectures and lists stay as they are."""

    def __init__(self, package: str, cache: Path, folder: Path) -> None:
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
        self._settings = [
            part for key, value in options.items() for part in ("-o", f"{key}={value}")
        ]
        self._failure = f"apt cannot fetch the package {package}"
        self._folder = folder
        self._call("update")

    def with_dependencies(self, package: str) -> list[str]:
        """The names of the package and of all that it depends on."""
        said = self._call("install", "--simulate", "--no-install-recommends", package)
        return re.findall(r"^Inst (\S+)", said, re.MULTILINE)

    def download(self, packages: Sequence[str]) -> list[Path]:
        """Their archives, in a folder that lives as long as the context."""
        self._call("download", *packages)
        return sorted(self._folder.glob("*.deb"))

    def _call(self, *what: str) -> str:
        done = _run(["apt-get", "-q", *self._settings, *what], self._folder, self._failure)
        if done.returncode:
            said = done.stderr.decode(errors="replace").splitlines()
            errors = " ".join([line for line in said if line[:2] == "E:"][:2])[:400]
            hint = "it needs Debian's apt, its sources and the network, once: the build folder keeps it"
            raise UserError(f"{self._failure}: {errors}", code=_CODE, hint=hint)
        return done.stdout.decode(errors="replace")


def _run(
    command: Sequence[str | Path], folder: Path, failure: str
) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True)
    except OSError as error:
        message = f"{failure}: {command[0]}: {error.strerror}"
        raise UserError(message, code=_CODE) from None


@contextlib.contextmanager
def opened(archive: Path) -> Iterator[tarfile.TarFile]:
    """The files that a .deb installs."""
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
    with opened(archive) as tar:
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
    with opened(archive) as tar:
        names = [Path(member.name).as_posix() for member in tar if member.isfile()]
    if any(not name.startswith("usr/share/") for name in names):
        return None
    field = _run(["dpkg-deb", "-f", archive, "Depends"], archive.parent, f"cannot read {archive}")
    found = re.match(r"[a-z0-9][a-z0-9.+-]+", field.stdout.decode(errors="replace").strip())
    return found[0] if found else None
