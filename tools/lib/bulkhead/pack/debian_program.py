# SPDX-License-Identifier: MIT
"""A program out of Debian's arm64 packages with the shared libraries that it needs, and nothing else."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile

from bulkhead.errors import UserError
from bulkhead.pack.debian import alone, fetching, opened

VERSIONS = "packages"
_CODE = "E047"
_FOLDER = "aarch64-linux-gnu"


def debian_program(package: str, program: str, cache: Path) -> Path:
    """A folder with `program` (its path in the package) and, in lib/, its libraries by the name that the loader looks for.

    Fetched on first use; the file `packages` beside lib/ names the packages and their versions.
    """
    done = cache / f"{package}.program"
    with alone(cache):
        if not done.is_dir():
            with tempfile.TemporaryDirectory(dir=cache, prefix="partial-") as partial:
                whole = Path(partial) / "whole"
                _fetch(package, program, cache, whole)
                whole.rename(done)
    return done


def _fetch(package: str, program: str, cache: Path, folder: Path) -> None:
    with fetching(f"{package} with its libraries", cache) as apt:
        archives = apt.download(apt.with_dependencies(package))
        elves = {
            path: content for archive in archives for path, content in _elves(archive, program)
        }
    libraries = {_elf(content)[0]: content for path, content in elves.items() if path != program}
    if program not in elves:
        raise UserError(f"Debian's package {package} has no program {program}", code=_CODE)
    files = {program: elves[program]}
    missing = _elf(elves[program])[1]
    while missing:
        name = missing.pop()
        if name not in libraries:
            message = f"Debian's package {package}: no package that it depends on has {name}"
            raise UserError(message, code=_CODE)
        if f"lib/{name}" not in files:
            files[f"lib/{name}"] = libraries[name]
            missing += _elf(libraries[name])[1]
    files[VERSIONS] = "".join(f"{archive.stem}\n" for archive in archives).encode()
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)


def _elves(archive: Path, program: str) -> Iterator[tuple[str, bytes]]:
    """The program, and the shared libraries where the loader looks for them."""
    with opened(archive) as tar:
        for member in tar:
            path = Path(member.name)
            library = path.parent.name == _FOLDER and ".so" in path.name
            if not member.isfile() or not (library or path.as_posix() == program):
                continue
            file = tar.extractfile(member)
            content = file.read() if file else b""
            if content.startswith(b"\x7fELF"):
                yield path.as_posix(), content


def _elf(content: bytes) -> tuple[str, list[str]]:
    """The name that others link with it by ("" if there is none), and the libraries that it needs."""
    sections: Iterable[object] = ELFFile(io.BytesIO(content)).iter_sections()
    tags = [tag for one in sections if isinstance(one, DynamicSection) for tag in one.iter_tags()]
    names = [tag.soname for tag in tags if tag.entry.d_tag == "DT_SONAME"]
    needed = [tag.needed for tag in tags if tag.entry.d_tag == "DT_NEEDED"]
    return (names or [""])[0], needed
