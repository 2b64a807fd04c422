# SPDX-License-Identifier: MIT
"""The commands pack, check and inspect, as they are typed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bulkhead import commands_pack
from bulkhead.errors import UserError
from bulkhead.pack.inspect import inspect_image

SYSTEM = """
[service.block]
[partition.probe]
calls = ["block"]
devices = ["rtc"]
"""
Run = Callable[..., Result]


@pytest.fixture
def run(build: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command on the tests' build folder."""
    monkeypatch.setenv("BULKHEAD_BUILD", str(build))
    monkeypatch.setattr(commands_pack, "_ready", lambda: None)

    def command(name: str, *arguments: object) -> Result:
        chosen = next(one for one in commands_pack.COMMANDS if one.name == name)
        return CliRunner(mix_stderr=False).invoke(chosen, [str(argument) for argument in arguments])

    return command


@pytest.fixture
def image(run: Run, write: Callable[[str], Path], tmp_path: Path) -> Path:
    """An image of SYSTEM."""
    output = tmp_path / "system.img"
    result = run("pack", write(SYSTEM), "-o", output)
    assert result.exit_code == 0, result.output
    assert f"-smp 1 -m 1024M -nographic -nic none -kernel {output}" in result.output
    return output


def test_check_says_that_all_is_well(run: Run, write: Callable[[str], Path]) -> None:
    """Or what is not, as an exception that the command line turns into exit status 2."""
    result = run("check", write(SYSTEM))
    assert result.output.endswith("2 partitions, no mistake found\n")
    result = run("check", write(SYSTEM + "[partition.probe]\n"))
    assert isinstance(result.exception, UserError) and result.exception.status == 2


def test_who_is_not_confined_is_said(
    run: Run, write: Callable[[str], Path], tmp_path: Path
) -> None:
    """By pack and by check, on stderr, and it is no mistake."""
    file = write("[service.block]\n[service.unconfined]\n")
    for result in (run("pack", file, "-o", tmp_path / "system.img"), run("check", file)):
        assert result.exit_code == 0
        assert result.stderr == (
            "bulkhead: note: 'unconfined' is not confined (msr tpidr_el0 at 0x1000c, in reach, and 1 more): "
            "its requests take the longer way\n"
        )


def test_inspect_shows_names(run: Run, image: Path) -> None:
    """Memory, partitions, capabilities, interrupts, hashes."""
    result = run("inspect", image)
    assert result.exit_code == 0, result.output
    for text in (
        "boot table",
        "call.block",
        "endpoint.block",
        "device.rtc",
        "interrupt.rtc",
        "SHA-256",
    ):
        assert text in result.output


def test_inspect_speaks_json(run: Run, image: Path) -> None:
    """For programs."""
    report = json.loads(run("inspect", image, "--json").output)
    probe = next(one for one in report["partitions"] if one["name"] == "probe")
    call = next(one for one in probe["capabilities"] if one["name"] == "call.block")
    assert (call["object"], call["rights"], call["badge"]) == ("endpoint.block", ["call"], 1)
    assert report["interrupts"][0]["bound_to"] == "notification.probe"
    assert report["damaged"] == []


def test_inspect_finds_a_damaged_payload(run: Run, image: Path) -> None:
    """By its hash; the exit status says so."""
    data = bytearray(image.read_bytes())
    report = inspect_image(image)
    base = next(one["base"] for one in report["memory"] if one["kind"] == "core")
    rodata = next(one for one in report["payloads"] if one["name"] == "probe.rodata")
    data[rodata["base"] - base] ^= 1
    image.write_bytes(data)
    result = run("inspect", image)
    assert result.exit_code == 1
    assert "DAMAGED" in result.output
    assert result.stderr == f"bulkhead: {image}: damaged: probe.rodata\n"
    assert json.loads(run("inspect", image, "--json").output)["damaged"] == ["probe.rodata"]


@pytest.mark.parametrize(
    ("cut", "message"),
    [
        (slice(0, 100), "not an image that Bulkhead's packer made: it has no manifest at its end"),
        (slice(4096, None), "its manifest is cut off"),
        (slice(0, 0), "not an image that Bulkhead's packer made: it has no manifest at its end"),
    ],
)
def test_inspect_refuses_what_is_no_image(
    cut: slice, message: str, image: Path, tmp_path: Path
) -> None:
    """Files of another kind, and pieces."""
    piece = tmp_path / "piece.img"
    piece.write_bytes(image.read_bytes()[cut])
    with pytest.raises(UserError) as caught:
        inspect_image(piece)
    assert (caught.value.code, caught.value.message) == ("E702", message)


def test_packing_into_a_folder_that_is_not_there_is_refused(
    run: Run, write: Callable[[str], Path], tmp_path: Path
) -> None:
    """And leaves nothing behind."""
    result = run("pack", write(SYSTEM), "-o", tmp_path / "no" / "system.img")
    assert isinstance(result.exception, UserError)
    assert result.exception.code == "E007"


def test_two_packings_are_the_same_to_the_byte(
    run: Run, write: Callable[[str], Path], image: Path, tmp_path: Path
) -> None:
    """Nothing of time or chance is in an image."""
    again = tmp_path / "again.img"
    run("pack", write(SYSTEM), "-o", again)
    assert again.read_bytes() == image.read_bytes()
