# SPDX-License-Identifier: MIT
"""The pytest plugin: the fixtures `machine` and `record_figure`; for Bulkhead's tests and a user's own (docs/testing.md)."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import pytest
from _pytest.terminal import TerminalReporter

from bulkhead import packing
from bulkhead.build import build
from bulkhead.harness import Harness
from bulkhead.paths import SYSTEMS, core_elf, find_system
from bulkhead.qemu import Packed
from bulkhead.stretches import Watch

Figure = tuple[str, float, str, float | None]
RecordFigure = Callable[..., None]
_FIGURE = "bulkhead-figure"
_figures: list[Figure] = []
_machine = pytest.StashKey[Harness]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Where the names of systems are looked up, beside Bulkhead's own partitions/; and `bulkhead test --stretch`."""
    parser.addoption("--bulkhead-stretch", type=Path, metavar="FOLDER", help="keep stretches there")
    parser.addini(
        "bulkhead_systems", "folders that hold NAME/system.toml, relative to the ini", type="paths"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Knows the marker `slow`, and begins with no figures."""
    config.addinivalue_line("markers", "slow: left out by `bulkhead test --quick`")
    _figures.clear()


class Images:
    """The session's packed images: each system is packed once, and again if its description changes."""

    def __init__(self, folder: Path, systems: Sequence[Path]) -> None:
        self._folder = folder
        self._systems = systems
        self._packed: dict[tuple[Path, int, int, int | None], Packed] = {}
        self._built = False

    def pack(self, system: str | Path, cores: int | None = None) -> Packed:
        """The packed image of `system`, a name or a path; `cores`: for another number of cores."""
        path = find_system(system, self._systems).absolute()
        stat = path.stat()
        key = (path, stat.st_mtime_ns, stat.st_size, cores)
        if key not in self._packed:
            if not self._built:
                build()
                self._built = True
            output = self._folder / f"{len(self._packed)}-{path.parent.name}-{path.stem}.img"
            other = {} if cores is None else {"cores": cores}
            packed = self._packed[key] = packing.pack(path, output, **other)
            print(*packed.notes, sep="\n", end="\n" if packed.notes else "")
        return self._packed[key]


@pytest.fixture(scope="session")
def bulkhead_images(
    tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Images:
    """Packs and remembers images."""
    own = [Path(path) for path in pytestconfig.getini("bulkhead_systems")]
    return Images(tmp_path_factory.mktemp("images"), [*own, SYSTEMS])


@pytest.fixture
def machine(request: pytest.FixtureRequest, bulkhead_images: Images) -> Iterator[Harness]:
    """A machine to boot; it is stopped at the end, and its log is attached to a failure."""
    folder = request.config.getoption("--bulkhead-stretch")
    watch = Watch(folder, core_elf()) if folder is not None else None
    harness = Harness(bulkhead_images.pack, request.node.name, watch)
    request.node.stash[_machine] = harness
    yield harness
    harness.stop()
    if harness.unexpected_panic:
        pytest.fail("the core panicked: " + harness.transcript.panic[0], pytrace=False)


@pytest.fixture
def record_figure(request: pytest.FixtureRequest) -> RecordFigure:
    """`record_figure(name, value, unit, bar=None)`: a number for the summary's table."""

    def record(name: str, value: float, unit: str, bar: float | None = None) -> None:
        request.node.user_properties.append((_FIGURE, [name, value, unit, bar]))

    return record


@pytest.hookimpl(hookwrapper=True)  # type: ignore[misc]
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, None]:
    """Attaches every stream to the report of a failure."""
    outcome = yield
    report = outcome.get_result()
    harness = item.stash.get(_machine, None)
    if report.failed and harness is not None:
        report.sections += harness.sections()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Collects the figures; with xdist this runs in the controller, too."""
    if report.when == "teardown":
        for name, value in report.user_properties:
            if name == _FIGURE:
                _figures.append(cast(Figure, tuple(cast(Sequence[object], value))))


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """Prints the figures as a table."""
    if not _figures:
        return
    terminalreporter.section("figures")
    width = max(len(name) for name, _, _, _ in _figures)
    for name, value, unit, bar in sorted(_figures, key=lambda figure: figure[0]):
        text = f"{name:<{width}}  {value:>12,.10g} {unit}"
        if bar is not None:
            text += f"  (bar {bar:,.10g}: {'met' if value <= bar else 'NOT met'})"
        terminalreporter.line(text)
