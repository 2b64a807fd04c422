# SPDX-License-Identifier: MIT
"""The documents say what the code says: links resolve, the ABI's page has every operation, argument and error."""

import re

import pytest

from bulkhead.paths import CHECKOUT

PAGES = [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").glob("*.md"))]
ABI = (CHECKOUT / "docs" / "abi.md").read_text()
HYPERCALLS = (CHECKOUT / "abi" / "hypercall.hpp").read_text()
FENCE = re.compile(r"^(```.*?^```|    .*?)$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
# A file of the tree that the text names, not a pattern and not a place outside the tree.
FILE = re.compile(
    r"`((?:abi|boards|docs|kernel|partitions|services|test|tools)/[\w./-]+\.\w+|README\.md)`"
)
PAGE = re.compile(r"(?<![\w/.])docs/[\w-]+\.md")


def anchors(text):
    """The names that GitHub gives to headings."""
    titles = re.findall(r"^#+ +(.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_named_files_exist(page):
    text = page.read_text()
    missing = []
    for link in LINK.findall(FENCE.sub("", text)):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if not target.exists() or (anchor and anchor not in anchors(target.read_text())):
            missing.append(link)
    named = FILE.findall(text) + PAGE.findall(text)
    missing += [name for name in named if not (CHECKOUT / name).exists() and "/name/" not in name]
    assert missing == []


def test_pages_that_the_code_names_exist():
    folders = ("abi", "boards", "kernel", "partitions", "services", "test", "tools")
    suffixes = {".cpp", ".hpp", ".h", ".S", ".py", ".toml", ".build"}
    missing = {
        f"{source.relative_to(CHECKOUT)}: {name}"
        for top in folders
        for source in (CHECKOUT / top).rglob("*")
        if source.suffix in suffixes
        for name in PAGE.findall(source.read_text())
        if not (CHECKOUT / name).exists()
    }
    assert missing == set()


def test_every_page_is_reached_from_the_readme():
    readme = PAGES[0].read_text()
    assert [page.name for page in PAGES[1:] if f"docs/{page.name}" not in readme] == []


def enumerators(source, name):
    """The members of an enum with their values and the comments before them."""
    body = re.search(rf"enum class {name} : \w+ {{(.*?)\n?}};", source, re.DOTALL)[1]
    found, comment, value = {}, "", -1
    for line in body.splitlines():
        code, _, said = line.partition("//")
        if not code.strip():
            comment += said
            continue
        for member in code.strip().rstrip(",").split(","):
            label, _, given = member.partition("=")
            value = int(given, 0) if given.strip() else value + 1
            found[label.strip()] = (value, comment + said)
        comment = ""
    return found


def registers(text):
    """x0, x2..x4 as a set; a bare `x3..` counts as its first."""
    found = set()
    for first, last in re.findall(r"\bx(\d+)(?:\.\.x(\d+))?", text):
        found.update(range(int(first), int(last or first) + 1))
    return found


def rows(heading):
    """The table under a heading, without its head."""
    section = ABI.split(f"## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_every_hypercall_is_documented_by_number_and_name():
    stated = {n: name for name, (n, _) in enumerators(HYPERCALLS, "Hypercall").items() if n}
    assert {int(row[0]): row[1].strip("`") for row in rows("Hypercalls")} == stated


def test_every_hypercall_is_documented_with_its_registers():
    stated = enumerators(HYPERCALLS, "Hypercall")
    for _, name, arguments, results, _ in rows("Hypercalls"):
        name = name.strip("`")
        # The status in x0 goes without saying.
        documented = registers(arguments) | registers(results) | {0}
        assert documented == registers(stated[name][1].split("Errors:")[0]) | {0}, name


def test_errors_are_named_as_in_the_code():
    stated = enumerators((CHECKOUT / "abi" / "status.hpp").read_text(), "Status")
    assert {row[1].strip("`"): int(row[0]) for row in rows("Status")} == {
        name: value for name, (value, _) in stated.items()
    }
    named = {name for row in rows("Hypercalls") for name in re.findall(r"`(\w+)`", row[4])}
    assert named <= stated.keys()


@pytest.mark.parametrize(
    "header, enum",
    [("hypercall", name) for name in re.findall(r"enum class (\w+)", HYPERCALLS)]
    + [("message", "Kind"), ("message", "Action")],
)
def test_every_value_of_the_abi_is_documented(header, enum):
    source = (CHECKOUT / "abi" / f"{header}.hpp").read_text()
    members = set(enumerators(source, enum)) - {"smccc"}
    assert {name for name in members if f"`{name}`" not in ABI} == set()


def test_what_handlers_answer_is_documented():
    """Each Status that a handler's source names stands in one of its rows."""
    documented = {row[1].strip("`"): row[4] for row in rows("Hypercalls")}
    looked_up = {"ok", "bad_handle", "bad_type", "no_right"}
    for source in sorted((CHECKOUT / "kernel" / "hypercall").glob("*.cpp")):
        text = source.read_text()
        handled = re.findall(r"^(?:HypercallResult|Status) (\w+)\(Core", text, re.MULTILINE)
        errors = " ".join(documented.get(name, "") for name in handled)
        named = set(re.findall(r"Status::(\w+)", text)) - looked_up
        if handled and source.name != "dispatch.cpp":
            assert {name for name in named if f"`{name}`" not in errors} == set(), source.name
