# SPDX-License-Identifier: MIT
"""tools/packages.txt is complete: on an empty machine it brings every module and command that the tools use."""

import ast
import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bulkhead import packages
from bulkhead.errors import UserError
from bulkhead.packages import Package, listed
from bulkhead.paths import CHECKOUT

LIB = CHECKOUT / "tools" / "lib"
# What the tools, the build and the tests call. sh, sed and the like are essential packages.
COMMANDS = """
    aarch64-linux-gnu-gcc aarch64-linux-gnu-g++ aarch64-linux-gnu-objcopy aarch64-linux-gnu-c++filt
    qemu-system-aarch64 meson ninja g++ pkg-config python3 pytest black mypy clang-format clang-tidy cloc
""".split()
FILES = ["/usr/lib/u-boot/qemu_arm64/u-boot.bin", "/usr/include/catch2/catch.hpp"]


def test_each_package_has_a_reason():
    assert len(listed()) > 15
    assert all(package.why for package in listed())
    assert len({package.name for package in listed()}) == len(listed())


def test_missing_packages_are_found():
    assert packages.missing([Package("bulkhead-no-such-package", "")]) != []
    assert packages.missing([Package("dpkg", "")]) == []


def test_a_user_gets_the_exact_line(monkeypatch):
    monkeypatch.setattr(packages, "missing", lambda _: [Package("meson", "builds")])
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(UserError) as caught:
        packages.ensure()
    assert caught.value.hint.endswith("apt-get install -y --no-install-recommends meson")
    assert caught.value.status == 2


def test_root_installs_and_says_so_first(monkeypatch, capfd, tmp_path):
    (tmp_path / "apt-get").write_text('#!/bin/sh\necho "called $*"\n')
    (tmp_path / "apt-get").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(packages, "missing", lambda _: [Package("meson", "builds")])
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert packages.ensure()
    said = capfd.readouterr().err.splitlines()
    assert said[0].startswith("bulkhead: installing") and "meson" in said[1]
    assert said[2:] == ["called update", "called install -y --no-install-recommends meson"]


def imported_modules() -> set[str]:
    """Modules outside of Python's own that the tools and their tests import."""
    found = {"xdist"}  # `test` passes -n
    for path in [*LIB.rglob("*.py"), *(CHECKOUT / "test").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.split(".")[0])
    own = {"bulkhead"} | {path.stem for path in (CHECKOUT / "test").rglob("*.py")}
    return found - set(sys.stdlib_module_names) - own


def resolve_on_an_empty_machine(folder: Path) -> set[str]:
    """The packages that apt-get would install if dpkg had none."""
    for name in ("lists/partial", "cache/archives/partial"):
        (folder / name).mkdir(parents=True)
    (folder / "status").write_text("")
    options = [f"Dir::State::status={folder}/status", f"Dir::Cache={folder}/cache"]
    options += ["Debug::NoLocking=1", "APT::Get::Assume-Yes=true"]
    command = ["apt-get", "-s", "install", "--no-install-recommends"]
    command += [word for option in options for word in ("-o", option)]
    done = subprocess.run(
        [*command, *(package.name for package in listed())], capture_output=True, text=True
    )
    if done.returncode != 0 and "Unable to locate package" in done.stderr:
        pytest.skip("this machine has no package lists: run apt-get update")
    assert done.returncode == 0, done.stdout + done.stderr
    return {line.split()[1] for line in done.stdout.splitlines() if line.startswith("Inst ")}


def package_of(path: str) -> str:
    """The installed package that owns `path`, links followed as dpkg wrote them."""
    for name in (path, str(Path(path).resolve())):
        for candidate in (name, name.removeprefix("/usr")):
            done = subprocess.run(["dpkg", "-S", candidate], capture_output=True, text=True)
            if done.returncode == 0:
                return done.stdout.split(": ")[0].split(",")[0].split(":")[0]
    pytest.fail(f"no package owns {path}")


def module_file(module: str) -> str:
    code = f"import importlib.util as u; print(u.find_spec({module!r}).origin)"
    done = subprocess.run(["/usr/bin/python3", "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, f"/usr/bin/python3 has no {module}"
    return done.stdout.strip()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("apt-get") is None, reason="needs apt-get")
def test_the_list_is_complete_on_an_empty_machine(tmp_path):
    closure = resolve_on_an_empty_machine(tmp_path)
    lacking = {}
    for command in COMMANDS:
        path = shutil.which(command, path="/usr/bin:/bin:/usr/sbin:/sbin")
        assert path is not None, f"{command} is not installed here"
        lacking[command] = package_of(path)
    for module in sorted(imported_modules()):
        lacking[module] = package_of(module_file(module))
    for path in FILES:
        lacking[path] = package_of(path)
    lacking = {what: package for what, package in lacking.items() if package not in closure}
    assert not lacking, "add to tools/packages.txt"


def test_imports_are_found_by_this_python():
    assert all(importlib.util.find_spec(module) for module in imported_modules())
