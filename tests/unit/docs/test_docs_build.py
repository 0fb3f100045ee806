"""`make docs` builds everything, offline, and no warning is let pass."""

from pathlib import Path

from support.built import Built
from support.docs import DOCS, ROOT, built_pages, name_of


def test_nothing_is_warned_of(built: Built) -> None:
    assert built.said == ""
    assert built.exit_code == 0


def test_every_page_is_built(built: Built) -> None:
    sources = built_pages()
    assert len(sources) > 30
    assert not [page for page in sources if not _html(built, page).exists()]


def test_nothing_of_this_machine_is_in_it(built: Built) -> None:
    for page in built_pages():
        assert str(ROOT) not in _html(built, page).read_text("utf-8"), name_of(page)


def test_nothing_is_asked_of_the_network(built: Built) -> None:
    """Scripts, styles, pictures and fonts are all in the build."""
    for page in built_pages():
        html = _html(built, page).read_text("utf-8")
        assert 'src="http' not in html, name_of(page)
        assert not [link for link in html.split("<link ")[1:] if 'href="http' in link.partition(">")[0]], name_of(page)


def _html(built: Built, page: Path) -> Path:
    return built.html / page.relative_to(DOCS).with_suffix(".html")
