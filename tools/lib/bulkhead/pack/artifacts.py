# SPDX-License-Identifier: MIT
"""The files that a system is made of: the core, native programs, guest images, found and judged."""

from __future__ import annotations

import gzip
import io
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from bulkhead.errors import UserError
from bulkhead.pack.confined import Breach, find_breach
from bulkhead.pack.debian import PREFIX, debian_file
from bulkhead.pack.description import Native, System, Vm
from bulkhead.pack.initramfs import initramfs
from bulkhead.pack.source import Path_
from bulkhead.symbols import Functions, demangled

PAGE = 4096
_LARGEST = 1 << 30
_LARGEST_PROGRAM = 64 << 20
_SEGMENTS = 64
_PROGRAMS = ("services/{0}/{0}.elf", "partitions/{0}/{0}.elf", "test/guests/{0}/{0}.elf")
_IMAGES = ("partitions/{0}/{0}.img", "test/guests/{0}/{0}.img", "test/guests/{0}/{0}.bin")
_FILES = ("test/guests/linux/{0}",)  # programs for an initramfs
IMAGE_MAGIC = b"ARM\x64"


@dataclass(frozen=True, slots=True)
class Segment:
    """A PT_LOAD segment: `data` first, zeros up to `size`."""

    address: int
    size: int
    data: bytes
    access: str


@dataclass(frozen=True, slots=True)
class Program:
    """A native partition's program."""

    file: Path
    entry: int
    segments: tuple[Segment, ...]
    breach: Breach | None


@dataclass(frozen=True, slots=True)
class Blob:
    """A guest's kernel, initrd or device tree."""

    file: Path
    data: bytes
    text_offset: int = 0
    size: int = 0


@dataclass(frozen=True, slots=True)
class Core:
    """The core's bytes from its first to `core_end`."""

    file: Path
    data: bytes


def find_file(
    system: System, build: Path, name: str, path: Path_, kind: str, folder: Path | None = None
) -> Path:
    """The file that a description means.

    "@artifact" of the build, "debian:PACKAGE/PATH", or a path relative to the description (or to `folder`).
    """
    if name.startswith(PREFIX):
        try:
            return debian_file(name, build / "debian")
        except UserError as error:
            raise system.source.error(error.code, error.message, path, error.hint) from None
    if not name.startswith("@"):
        file = (folder or system.source.file.parent) / name
        if is_file(file):
            return file
        hint = "paths are relative to the description; '@name' is an artifact of Bulkhead's build"
        if name == "/usr/lib/u-boot/qemu_arm64/u-boot.bin":
            hint = "apt-get install u-boot-qemu, or run `tools/bulkhead setup`"
        raise system.source.error("E007", f"there is no file '{name[:200]}'", path, hint)
    places = {"program": _PROGRAMS, "image": _IMAGES, "file": _FILES}[kind]
    for place in places if "/" not in name else ():
        file = build / place.format(name[1:])
        if is_file(file):
            return file
    tried = ", ".join(place.format(name[1:60]) for place in places)
    hint = f"build it (`ninja -C {build}`; `tools/bulkhead run` does so); looked for {tried}"
    raise system.source.error("E007", f"Bulkhead's build has no {kind} '{name[:60]}'", path, hint)


def is_file(file: Path) -> bool:
    """Whether there is such a file; a name that no file can have is none."""
    try:
        return file.is_file()
    except OSError:
        return False


def read_file(system: System, file: Path, path: Path_) -> bytes:
    """A file's bytes."""
    try:
        if file.stat().st_size > _LARGEST:
            raise system.source.error("E045", f"{file} has more than 1 GiB", path)
        return file.read_bytes()
    except OSError as error:
        message = f"cannot read {file}: {error.strerror}"
        raise system.source.error("E007", message, path) from None


def read_program(system: System, build: Path, native: Native) -> Program:
    """A native partition's ELF file."""
    path = (*native.path, "program")
    file = find_file(system, build, native.program, path, "program")

    def refuse(code: str, message: str, hint: str = "") -> UserError:
        return system.source.error(code, f"{file}: {message}", path, hint)

    data = read_file(system, file, path)
    try:
        elf = ELFFile(io.BytesIO(data))
        segments, entry = _parse(elf, refuse)
    except UserError:
        raise
    except Exception as error:  # pyelftools raises whatever a damaged file makes it stumble over
        raise refuse("E040", f"not an ELF file, or a damaged one ({error})") from None
    _judge(segments, entry, refuse)
    code = ((part.address, part.data) for part in segments if "x" in part.access)
    return Program(
        file, entry, segments, find_breach(code, lambda address: _function(elf, address))
    )


def _function(elf: ELFFile, address: int) -> str:
    """By the symbol table, which need not be there, nor be whole."""
    try:
        found = Functions(elf).find(address)
        return demangled(found[1], "--no-params") if found else ""
    except Exception:  # as above
        return ""


def _parse(elf: ELFFile, refuse: Callable[..., UserError]) -> tuple[tuple[Segment, ...], int]:
    if elf["e_machine"] != "EM_AARCH64" or elf.elfclass != 64 or not elf.little_endian:
        raise refuse("E040", "not a little-endian AArch64 program")
    if elf["e_type"] != "ET_EXEC":
        hint = "link it with -static -no-pie and services/lib's linker script"
        raise refuse("E040", "not a static executable", hint)
    if elf.num_segments() > _SEGMENTS:
        raise refuse("E040", f"more than {_SEGMENTS} segments")
    parts = [part for part in elf.iter_segments() if part["p_memsz"]]
    if any(part["p_type"] in ("PT_INTERP", "PT_DYNAMIC", "PT_TLS") for part in parts):
        raise refuse("E040", "needs a dynamic loader or thread-local storage")
    loads = [part for part in parts if part["p_type"] == "PT_LOAD"]
    if sum(part["p_memsz"] for part in loads) > _LARGEST_PROGRAM:
        raise refuse("E040", "more than 64 MiB")
    return tuple(_segment(part) for part in loads), int(elf["e_entry"])


def _segment(part: object) -> Segment:
    flags = part["p_flags"]  # type: ignore[index]
    access = "".join(name for bit, name in ((4, "r"), (2, "w"), (1, "x")) if flags & bit)
    header = {key: int(part[key]) for key in ("p_vaddr", "p_memsz")}  # type: ignore[index]
    return Segment(
        header["p_vaddr"], header["p_memsz"], part.data(), access  # type: ignore[attr-defined]
    )


def _judge(segments: tuple[Segment, ...], entry: int, refuse: Callable[..., UserError]) -> None:
    if not segments:
        raise refuse("E040", "has nothing to load")
    hint = "use services/lib's linker script, or start each segment on a page: `. = ALIGN(4096);`"
    end = 0
    for segment in sorted(segments, key=lambda part: part.address):
        where = f"the segment at {segment.address:#x}"
        if "w" in segment.access and "x" in segment.access:
            raise refuse("E041", f"{where} is writable and executable", hint)
        if "r" not in segment.access:
            raise refuse("E041", f"{where} is not readable", hint)
        if segment.address % PAGE:
            raise refuse("E042", f"{where} does not begin on a page", hint)
        if segment.address < end:
            raise refuse("E042", f"{where} shares a page with the one before it", hint)
        end = -(-(segment.address + segment.size) // PAGE) * PAGE
        if len(segment.data) > segment.size:
            raise refuse("E040", f"{where} has more bytes than memory")
    if end > 0x6000_0000:
        raise refuse("E042", f"ends at {end:#x}; 0x60000000 and up is the environment's")
    code = [part for part in segments if "x" in part.access]
    if entry % 4 or not any(part.address <= entry < part.address + part.size for part in code):
        raise refuse("E040", f"its entry {entry:#x} is not in an executable segment")


def read_image(system: System, build: Path, vm: Vm) -> Blob:
    """A guest's kernel, unpacked if it is gzipped."""
    path = (*vm.path, "image")
    file = find_file(system, build, vm.image, path, "image")
    data = read_file(system, file, path)
    if data[:2] == b"\x1f\x8b":
        data = _gunzip(system, file, data, path)
    if not data:
        raise system.source.error("E043", f"{file} is empty", path)
    if vm.raw:
        return Blob(file, data, 0, len(data))
    if len(data) < 64 or data[56:60] != IMAGE_MAGIC:
        hint = "if it is a raw binary that starts at its first byte, say `raw = true`"
        if data[:4] == b"\x7fELF":
            hint = (
                "it is an ELF file: make a binary of it with `aarch64-linux-gnu-objcopy -O binary`"
            )
        raise system.source.error("E043", f"{file} is not an arm64 Image", path, hint)
    text_offset, size, flags = struct.unpack_from("<QQQ", data, 8)
    if flags & 1:
        raise system.source.error("E043", f"{file} is a big-endian Image", path)
    if size == 0:
        text_offset, size = 0x80000, len(data)  # before Linux 3.17
    if text_offset >= 2 << 20 or size > _LARGEST:
        raise system.source.error("E043", f"{file} has a damaged Image header", path)
    return Blob(file, data, text_offset, max(size, len(data)))


def read_initrd(system: System, build: Path, vm: Vm) -> Blob:
    """A guest's initrd; a `.list` is the list of an initramfs, which is made of it."""
    path = (*vm.path, "initrd")
    file = find_file(system, build, vm.initrd, path, "image")
    data = read_file(system, file, path)
    if file.suffix != ".list":
        return Blob(file, data)

    def read(location: str, line: int) -> bytes:
        try:
            found = find_file(system, build, location, path, "file", file.parent)
            return read_file(system, found, path)
        except UserError as error:
            place = system.source.place(path, "names this list")
            raise UserError(
                error.message, code=error.code, file=file, line=line, hint=error.hint, also=[place]
            ) from None

    text = data.decode("utf-8", errors="replace")
    return Blob(file, initramfs(file, text, read))


def _gunzip(system: System, file: Path, data: bytes, path: Path_) -> bytes:
    try:
        unpacker = zlib.decompressobj(31)
        out = unpacker.decompress(data, _LARGEST)
        if not unpacker.eof:
            raise gzip.BadGzipFile("it ends too early, or is larger than 1 GiB")
        return out
    except (zlib.error, gzip.BadGzipFile) as error:
        message = f"{file}: damaged gzip file ({error})"
        raise system.source.error("E045", message, path) from None


def read_core(file: Path, base: int) -> Core:
    """The core's memory, bss included, as it lies from `base` to its symbol core_end."""
    try:
        with file.open("rb") as stream:
            elf = ELFFile(stream)
            table = elf.get_section_by_name(".symtab")
            symbols = table.get_symbol_by_name("core_end") if table else None
            if not symbols:
                raise ValueError("it has no symbol core_end")
            end = int(symbols[0]["st_value"])
            if not 64 <= end - base <= 64 << 20 or end % PAGE:
                raise ValueError(f"core_end {end:#x} is not a page shortly behind {base:#x}")
            out = bytearray(end - base)
            for part in elf.iter_segments():
                offset, size = int(part["p_paddr"]) - base, int(part["p_filesz"])
                if part["p_type"] != "PT_LOAD" or not size:
                    continue
                if offset < 0 or size > len(out) - offset:
                    raise ValueError("it has bytes outside of the image")
                out[offset : offset + size] = part.data()
    except OSError as error:
        hint = "build Bulkhead first: `tools/bulkhead run` does so, or meson setup and ninja"
        message = f"there is no core: {error.strerror}"
        raise UserError(message, code="E007", file=file, hint=hint) from None
    except (ELFError, KeyError, ValueError, struct.error) as error:
        raise UserError(f"not Bulkhead's core: {error}", code="E701", file=file) from None
    if bytes(out[56:60]) != IMAGE_MAGIC:
        raise UserError("it does not begin with an arm64 Image header", code="E701", file=file)
    return Core(file, bytes(out))
