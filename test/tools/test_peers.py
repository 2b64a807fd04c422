# SPDX-License-Identifier: MIT
"""A peer's machine: the guest's lines among the host's, and an end that is not the guest's own is told at once."""

import pytest

from bulkhead.bench.peers import DONE, PeerError, Running


class Machine:
    """Prints what it is given, piece by piece, and has ended then."""

    def __init__(self, *pieces, complaints=""):
        self.pieces = list(pieces)
        self.said = complaints

    @property
    def closed(self):
        return not self.pieces

    def read(self, timeout):
        return self.pieces.pop(0)

    def complaints(self):
        return self.said


def test_the_guests_lines_are_those_with_the_prefix():
    machine = Machine(
        b"(XEN) Xen 4.17\r\n(XEN) DOM1: [0.000001] bench: op a=1\r\r\n(XEN) DOM1: [0.00",
        b"0002] bench: done\r\r\n(XEN) DOM1: later\r\n",
    )
    lines = Running("xen", "(XEN) DOM1: ", machine).until(DONE)
    assert lines == ["[0.000001] bench: op a=1", "[0.000002] bench: done"]


def test_an_exception_of_the_guest_is_its_end():
    fault = b"[0.000001] bench: fault: data abort at address 0x24\n[0.000002] bench: fault: powering off\n"
    with pytest.raises(PeerError) as caught:
        Running("kvm", "", Machine(fault, *[b""] * 1000)).until(DONE)
    assert caught.value.message.startswith("peer kvm did not come to the end of its guest")
    assert "  | [0.000001] bench: fault: data abort at address 0x24" in caught.value.message


def test_a_machine_that_ends_is_told_with_what_qemu_said():
    machine = Machine(b"Kernel panic - not syncing\n", complaints="qemu: no such file")
    with pytest.raises(PeerError, match="qemu: no such file\n  | Kernel panic"):
        Running("kvm", "", machine).until(DONE)


def test_a_machine_that_waits_for_nothing_says_so():
    warning = "qemu: warning: icount sleep disabled and no active timers"
    assert Running("xen", "", Machine(complaints=warning)).sleeps_for_ever()
    assert not Running("xen", "", Machine()).sleeps_for_ever()
