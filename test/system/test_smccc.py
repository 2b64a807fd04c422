# SPDX-License-Identifier: MIT
"""What a VM's firmware calls beside PSCI give: SMCCC's workarounds by CPU, and TRNG."""

import re

import pytest

from bulkhead.harness import Harness

SMCCC_VERSION, ARCH_FEATURES = 0x8000_0000, 0x8000_0001
WORKAROUNDS = (0x8000_8000, 0x8000_7FFF, 0x8000_3FFF)
UNKNOWN = (0x8000_0002, 0xC000_0000, 0x8400_005F, 0xC400_0050, 0xBF00_FF01)
TRNG_VERSION, TRNG_FEATURES, TRNG_GET_UUID = 0x8400_0050, 0x8400_0051, 0x8400_0052
RND32, RND64 = 0x8400_0053, 0xC400_0053
NOT_SUPPORTED, INVALID_PARAMETERS = -1, -2

Answers = dict[tuple[str, int, int], tuple[int, ...]]


def answers(machine: Harness, vm: str) -> Answers:
    """x0 (signed) to x3 by conduit, function and argument."""
    machine.expect("firmware: ready", vm)
    text = machine.streams[vm].text
    assert "WRONG" not in text
    word = "(0x[0-9a-f]+)"
    line = rf"(hvc|smc) {word} {word} gives {word} {word} {word} {word}"
    found = {}
    for conduit, *words in re.findall(line, text):
        function, argument, x0, *rest = (int(number, 16) for number in words)
        found[conduit, function, argument] = (x0 - (x0 >> 63 << 64), *rest)
    return found


@pytest.mark.parametrize(
    "cpu, workarounds",
    [
        ("cortex-a72", (-1, -1, -1)),  # affected, and the core has no help of its firmware
        ("cortex-a53", (1, -2, 1)),
        ("neoverse-n1", (1, -1, -1)),
        ("max", (1, -1, -1)),
    ],
)
def test_firmware_calls(machine: Harness, cpu: str, workarounds: tuple[int, ...]) -> None:
    machine.boot("firmware", cpu=cpu, timeout=60)
    has_source = cpu == "max"
    for vm in ("with", "without"):
        found = answers(machine, vm)
        for conduit in ("hvc", "smc"):

            def said(function: int, argument: int = 0) -> tuple[int, ...]:
                return found[conduit, function, argument]  # pylint: disable=cell-var-from-loop

            assert said(SMCCC_VERSION)[0] == 0x1_0001
            for workaround, wanted in zip(WORKAROUNDS, workarounds, strict=True):
                assert said(ARCH_FEATURES, workaround)[0] == wanted
                assert said(workaround)[0] == (0 if wanted == 1 else NOT_SUPPORTED)
            assert [said(function)[0] for function in UNKNOWN] == [NOT_SUPPORTED] * len(UNKNOWN)
            if not has_source or vm == "without":
                for function, argument in ((TRNG_VERSION, 0), (TRNG_GET_UUID, 0), (RND64, 192)):
                    assert said(function, argument) == (NOT_SUPPORTED, 0, 0, 0)
                continue
            assert said(TRNG_VERSION)[0] == 0x1_0000
            assert said(TRNG_FEATURES, RND32)[0] == 0
            for function, wrong in ((RND32, 0), (RND32, 97), (RND64, 0), (RND64, 193)):
                assert said(function, wrong) == (INVALID_PARAMETERS, 0, 0, 0)
            assert said(RND32, 1)[0] == 0 and said(RND32, 1)[3] < 2
            assert said(RND32, 40)[:2] == (0, 0) and said(RND32, 40)[2] < 1 << 8
            assert said(RND64, 65)[:2] == (0, 0) and said(RND64, 65)[2] < 2
            assert said(RND64, 192)[0] == 0 and len(set(said(RND64, 192)[1:])) == 3
        assert found["hvc", RND64, 192] != found["smc", RND64, 192] or not (
            has_source and vm == "with"
        )
    events = [event.keys for event in machine.events("vm.without")]
    lacks = {"vm": "with", "key": "trng", "cpu_lacks": "FEAT_RNG"}
    assert events == ([] if has_source else [lacks])
