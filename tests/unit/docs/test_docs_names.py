"""What people wrote names only what there is: settings, variables, commands, metrics, paths and files."""

import re
from pathlib import Path
from typing import Final

import pytest

from from_code.gateway import routes
from pipelinejobs.cli.main import COMMANDS
from pipelinejobs.settings import TABLE
from pipelinejobs.settings.table import SECTIONS
from support.docs import DOCS, ROOT, name_of, pages

TEXTS: Final = {page: page.read_text("utf-8") for page in pages()}
LITERALS: Final = {page: set(re.findall(r"``([^`]+)``", text)) for page, text in TEXTS.items()}
OF_ITSELF: Final = {"docs/_build", ".mongodb", ".venv", "secrets.json", "path.mmd", "job.txt", "job.json"}
"""Files that are made, and are in no clone."""
by_page = pytest.mark.parametrize("page", pages(), ids=name_of)


@by_page
def test_settings(page: Path) -> None:
    for name in LITERALS[page]:
        found = re.fullmatch(r"([a-z_]+)\.([a-z_*]+)(: .+)?", name)
        if found is None or found[1] not in SECTIONS:
            continue
        if found[2].endswith("*"):
            assert [one for one in TABLE if one.startswith(f"{found[1]}.{found[2][:-1]}")], name
        else:
            assert f"{found[1]}.{found[2]}" in TABLE, name


@by_page
def test_variables(page: Path) -> None:
    named = set(re.findall(r"_REACTOR_[A-Z_]+", TEXTS[page])) - {"_REACTOR_A_B"}
    assert named <= {setting.variable for setting in TABLE.values()}


@by_page
def test_commands(page: Path) -> None:
    named = set(re.findall(r"-m\s+pipelinejobs\s+([a-z][a-z-]*)", TEXTS[page]))
    assert named <= set(COMMANDS)


@by_page
def test_targets_of_make(page: Path) -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    named = {name.split()[1] for name in LITERALS[page] if re.match(r"make [a-z]", name)}
    assert named <= set(targets)


@by_page
def test_metrics(page: Path) -> None:
    known = set(re.findall(r'"(pipelinejobs_[a-z_]+)"', _code(ROOT / "pipelinejobs" / "gateway")))
    for name in re.findall(r"\bpipelinejobs_[a-z_]+\b", TEXTS[page]):
        assert re.sub(r"_(total|bucket|sum|count)$", "", name) in known, name


@by_page
def test_no_page_names_a_deprecated_metric(page: Path) -> None:
    """A reader copies alerts from a page. Only the changelog names former metrics, to say what they are called now."""
    code = _code(ROOT / "pipelinejobs" / "gateway")
    deprecated = set(re.findall(r'"(pipelinejobs_[a-z_]+)",\s*f?"Deprecated\b', code))
    assert len(deprecated) == code.count('"Deprecated')
    named = {re.sub(r"_(total|bucket|sum|count)$", "", one) for one in re.findall(r"pipelinejobs_[a-z_]+", TEXTS[page])}
    assert page.name == "CHANGELOG.rst" or not named & deprecated


@by_page
def test_paths_of_the_gateway(page: Path) -> None:
    known = [re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(one.path)) for one in routes()] + ["/openapi\\.json"]
    for name in LITERALS[page]:
        found = re.fullmatch(r"(?:GET|POST|PUT|DELETE) (/[^ ?]*)(\?.*)?", name)
        if found is not None:
            assert any(re.fullmatch(path, found[1]) for path in known), name


@by_page
def test_files(page: Path) -> None:
    """What looks like a file of the repository is one."""
    tops = {path.name for path in ROOT.iterdir()} - OF_ITSELF
    for name in LITERALS[page]:
        top = name.partition("/")[0]
        if re.fullmatch(r"[\w./-]+", name) and "/" in name and top in tops and name not in OF_ITSELF:
            assert name.startswith(("docs/_build", "deploy/secrets", "deploy/.env")) or (ROOT / name).exists(), name
        if re.fullmatch(r"[\w-]+\.(py|rst|yml|toml|txt|jsonschema)", name) and name not in OF_ITSELF:
            assert list(ROOT.glob(name)) or _somewhere(name), name


@by_page
def test_nothing_of_one_machine(page: Path) -> None:
    assert not re.search(r"/(home|root|work|Users)/", TEXTS[page])


@by_page
def test_links(page: Path) -> None:
    """Of README.rst, which is read where it is; those in docs/ are Sphinx's to find."""
    for target in re.findall(r"<([^<>` ]+)>`_", TEXTS[page]):
        assert target.startswith("https://") or (page.parent / target).exists(), target


def test_the_code_names_pages_that_exist() -> None:
    """Error messages and comments that lead a reader into the documentation."""
    shown = (
        _code(ROOT / "pipelinejobs")
        + _code(ROOT / "fsm")
        + "".join((ROOT / name).read_text("utf-8") for name in ("reactor.py", "config.yml", "Dockerfile", "Makefile"))
    )
    for name in re.findall(r"\b(docs/[\w/-]+\.rst)\b", shown):
        assert (ROOT / name).exists(), name


def _code(directory: Path) -> str:
    return "\n".join(file.read_text("utf-8") for file in sorted(directory.rglob("*.py")))


def _somewhere(name: str) -> bool:
    return any(DOCS.rglob(name)) or any((ROOT / "pipelinejobs").rglob(name)) or any((ROOT / "tools").rglob(name))
