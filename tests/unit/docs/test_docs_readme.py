"""README.rst is short, reads as reStructuredText anywhere, and its table of verdicts is the code's."""

import io
from typing import Final

from docutils import nodes
from docutils.core import publish_doctree

from pipelinejobs.core.verdict import EXIT_CODES, EXIT_WRONG_SETTING, STATUSES
from support.built import cells, section
from support.docs import ROOT

TEXT: Final = (ROOT / "README.rst").read_text("utf-8")
LONGEST: Final = 150


def parsed() -> tuple[nodes.document, str]:
    """README.rst as docutils alone reads it, and what it warns of."""
    warnings = io.StringIO()
    settings = {"warning_stream": warnings, "report_level": 1, "halt_level": 5, "syntax_highlight": "none"}
    return publish_doctree(TEXT, settings_overrides=settings), warnings.getvalue()


def test_it_needs_no_sphinx() -> None:
    document, warnings = parsed()
    assert warnings == ""
    assert not list(document.findall(nodes.system_message))


def test_it_is_short() -> None:
    assert len(TEXT.splitlines()) <= LONGEST


def test_its_pictures_are_there_and_small() -> None:
    pictures = [ROOT / one["uri"] for one in parsed()[0].findall(nodes.image)]
    assert pictures
    for picture in pictures:
        assert picture.stat().st_size < 200_000


def test_verdicts() -> None:
    rows = cells(section(parsed()[0], "Verdicts"))
    table = {row[0]: (int(row[1]), int(row[2])) for row in rows}
    assert table == {verdict.value: (code, STATUSES[verdict]) for verdict, code in EXIT_CODES.items()}
    assert f"Exit code {EXIT_WRONG_SETTING} says" in TEXT
