# SPDX-License-Identifier: MIT
"""Files out of Debian's packages: found through a metapackage, fetched once, and clear words when apt cannot."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from bulkhead.errors import UserError
from bulkhead.pack import plan_system
from bulkhead.pack.debian import debian_file
from bulkhead.pack.debian_program import debian_program
from conftest import guest_image

KERNEL = "debian:linux-image-cloud-arm64/boot/vmlinuz-*"


def make_deb(folder: Path, name: str, depends: str = "", **files: bytes) -> None:
    """A package as Debian's archive has it."""
    root = folder / f"{name}.root"
    (root / "DEBIAN").mkdir(parents=True)
    control = f"Package: {name}\nVersion: 1\nArchitecture: arm64\nMaintainer: none\n"
    control += f"Depends: {depends}\n" if depends else ""
    (root / "DEBIAN" / "control").write_text(control + "Description: none\n")
    for path, content in {"usr/share/doc/x": b"read me", **files}.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
    deb = folder / f"{name}_1_arm64.deb"
    subprocess.run(["dpkg-deb", "--build", root, deb], check=True, stdout=subprocess.DEVNULL)


@pytest.fixture
def apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An archive, and an apt-get that fetches from it and counts its calls; without `lists` it has no network."""
    folder = tmp_path / "archive"
    folder.mkdir()
    (folder / "lists").touch()
    vmlinuz = {"boot/vmlinuz-6.1.0-9": guest_image(), "boot/config-6.1.0-9": b"="}
    make_deb(folder, "linux-image-cloud-arm64", "linux-image-6.1.0-9 (= 1), more")
    make_deb(folder, "linux-image-6.1.0-9", "kmod", **vmlinuz)
    script = tmp_path / "bin" / "apt-get"
    script.parent.mkdir()
    script.write_text(
        f"""#!/bin/sh
echo "$*" >> {folder}/calls
for last; do :; done
case $last in
update) [ -e {folder}/lists ] || {{ echo "E: Failed to fetch http://x  Could not connect" >&2; exit 100; }}; exit ;;
esac
case $* in
*" install --simulate "*) for deb in {folder}/*.deb; do echo "Inst $(dpkg-deb -f "$deb" Package) (1 x)"; done; exit ;;
esac
while [ "$1" != download ]; do shift; done
shift
for package; do
    cp {folder}/"$package"_*.deb . || {{ echo "E: Unable to locate package $package" >&2; exit 100; }}
done
"""
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{script.parent}:{os.environ['PATH']}")
    return folder


def test_a_file_is_found_through_a_metapackage_and_fetched_once(apt: Path, tmp_path: Path) -> None:
    """A second look needs neither apt nor the network."""
    cache = tmp_path / "cache"
    file = debian_file(KERNEL, cache)
    assert file.name == "vmlinuz-6.1.0-9" and file.read_bytes() == guest_image()
    calls = (apt / "calls").read_text()
    assert calls.count("download") == 2
    assert "APT::Architecture=arm64" in calls and f"Dir::State={cache}" in calls
    assert debian_file(KERNEL, cache) == file
    assert debian_file("debian:linux-image-6.1.0-9/boot/config-*", cache).read_bytes() == b"="
    assert (apt / "calls").read_text() == calls


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "debian:linux-image-6.1.0-9/boot/*",
            "fits several files (config-6.1.0-9, vmlinuz-6.1.0-9)",
        ),
        ("debian:linux-image-6.1.0-9/sbin/init", "'sbin/init' fits no file of it"),
        (
            "debian:nothing/bin/sh",
            "apt cannot fetch the package nothing: E: Unable to locate package",
        ),
        ("debian:-x/bin/sh", "'debian:-x/bin/sh' names no file of a Debian package"),
        ("debian:busybox-static", "names no file of a Debian package"),
    ],
)
def test_what_a_package_has_not_is_named(
    name: str, message: str, apt: Path, tmp_path: Path
) -> None:
    """In one message."""
    with pytest.raises(UserError) as caught:
        debian_file(name, tmp_path / "cache")
    assert caught.value.code == "E047"
    assert message in caught.value.message


def test_without_a_network_the_description_is_named(
    apt: Path, write: Callable[[str], Path], build: Path
) -> None:
    """Its line, what apt said, and that it is needed only once."""
    (apt / "lists").unlink()
    file = write(
        f'[vm.guest]\nram_mib = 16\nuart = false\nimage = "{KERNEL}"\ngic = false\ntimer = false\n'
    )
    with pytest.raises(UserError) as caught:
        plan_system(file, build=build)
    said = caught.value.render()
    assert said.startswith(
        f"{file}:6: error[E047]: apt cannot fetch the package linux-image-cloud-arm64: E: Failed"
    )
    assert "the network, once" in said


def test_a_machine_without_apt_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not Debian."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="apt-get: No such file or directory") as caught:
        debian_file(KERNEL, tmp_path / "cache")
    assert caught.value.code == "E047"


def test_a_damaged_package_is_named(apt: Path, tmp_path: Path) -> None:
    """A download that broke off long ago."""
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / "busybox-static_1_arm64.deb").write_bytes(b"!<arch>")
    with pytest.raises(UserError, match="busybox-static_1_arm64.deb is damaged: delete it"):
        debian_file("debian:busybox-static/bin/busybox", cache)


def link(folder: Path, name: str, *arguments: str) -> bytes:
    """A shared object without code; `name` is what others link with it by."""
    file = folder / name
    gcc = [
        "aarch64-linux-gnu-gcc",
        "-nostdlib",
        "-shared",
        "-xc",
        "/dev/null",
        "-Wl,--no-as-needed",
    ]
    subprocess.run([*gcc, f"-L{folder}", f"-Wl,-soname,{name}", "-o", file, *arguments], check=True)
    return file.read_bytes()


@pytest.fixture
def program(apt: Path, tmp_path: Path) -> Path:
    """In the archive: a program that needs liba, which needs libb; another library, and a text that looks like one."""
    folder = tmp_path / "linked"
    folder.mkdir()
    libraries = "usr/lib/aarch64-linux-gnu"
    make_deb(apt, "b-runtime", **{f"{libraries}/libb.so.2.0": link(folder, "libb.so.2")})
    a = link(folder, "liba.so.1", "-xnone", "-l:libb.so.2")
    other = {
        "lib/aarch64-linux-gnu/libc.so.6": link(folder, "libc.so.6"),
        f"{libraries}/liba.so": b"text",
    }
    make_deb(apt, "liba1", **{f"{libraries}/liba.so.1.5": a}, **other)
    elf = link(folder, "prog", "-xnone", "-l:liba.so.1")
    make_deb(apt, "prog", "liba1", **{"usr/bin/prog": elf, "usr/bin/more": elf})
    return apt


def test_a_program_comes_with_the_libraries_that_it_needs_and_no_others(
    program: Path, tmp_path: Path
) -> None:
    """By the names that the loader looks for; a second look needs no apt."""
    cache = tmp_path / "cache"
    folder = debian_program("prog", "usr/bin/prog", cache)
    files = sorted(
        file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()
    )
    assert files == ["lib/liba.so.1", "lib/libb.so.2", "packages", "usr/bin/prog"]
    linked = tmp_path / "linked"
    assert (folder / "lib" / "libb.so.2").read_bytes() == (linked / "libb.so.2").read_bytes()
    assert (folder / "usr" / "bin" / "prog").read_bytes() == (linked / "prog").read_bytes()
    assert "prog_1_arm64\n" in (folder / "packages").read_text()
    calls = (program / "calls").read_text()
    assert debian_program("prog", "usr/bin/prog", cache) == folder
    assert (program / "calls").read_text() == calls
    assert sorted(file.name for file in cache.iterdir()) == [".lock", "apt", "prog.program"]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("lists", "apt cannot fetch the package prog with its libraries: E: Failed to fetch"),
        (
            "b-runtime_1_arm64.deb",
            "Debian's package prog: no package that it depends on has libb.so.2",
        ),
    ],
)
def test_a_program_that_cannot_be_had_is_named(
    damage: str, message: str, program: Path, tmp_path: Path
) -> None:
    """Nothing is left in the cache that would look complete."""
    (program / damage).unlink()
    with pytest.raises(UserError) as caught:
        debian_program("prog", "usr/bin/prog", tmp_path / "cache")
    assert caught.value.code == "E047" and message in caught.value.message
    assert not (tmp_path / "cache" / "prog.program").exists()


def test_a_package_without_the_program_is_named(program: Path, tmp_path: Path) -> None:
    """The path is a mistake of ours."""
    with pytest.raises(UserError, match="package liba1 has no program usr/bin/a"):
        debian_program("liba1", "usr/bin/a", tmp_path / "cache")
