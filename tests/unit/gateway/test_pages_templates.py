"""Templates: values are escaped, names are known, and nothing violates the Content Security Policy."""

import re
from pathlib import Path

import pytest
from jinja2 import TemplateError, UndefinedError

from pipelinejobs.gateway.pages import static, templates

DIRECTORY = Path(templates.__file__).parent / "templates"
TEMPLATES = sorted(DIRECTORY.glob("*.html"))


def test_every_value_is_escaped() -> None:
    made = templates.environment().from_string("{{ a }} <p title='{{ a }}'>")
    assert "<script>" not in made.render(a="<script>'\"&")
    assert made.render(a="'") == "&#39; <p title='&#39;'>"


def test_an_unknown_name_is_an_error() -> None:
    with pytest.raises(UndefinedError):
        templates.environment().from_string("{{ nobody }}").render()


@pytest.mark.parametrize("trick", ["{{ a|safe }}", "{{ a|upper|safe }}"])
def test_no_template_can_insert_unescaped_text(trick: str) -> None:
    with pytest.raises(TemplateError):
        templates.environment().from_string(trick)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_a_template_obeys_the_content_security_policy(path: Path) -> None:
    text = path.read_text("utf-8")
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:|autoescape|Markup|https?://", text)
    assert re.findall(r"<script[^>]*>", text) in ([], ["<script src=\"{{ asset('pages.js') }}\" defer>"])
    templates.environment().get_template(path.name)  # it can be read


@pytest.mark.parametrize("name", ["pages.css", "pages.js"])
def test_nothing_is_loaded_from_elsewhere(name: str) -> None:
    text = static.content(name).decode()
    assert not re.search(r"https?://|@import|url\(|innerHTML|insertAdjacentHTML|document\.write|eval\(", text)


@pytest.mark.parametrize(
    ("reason", "sentence"), [("a reason", "A reason."), ("Nonce does not exist.", "Nonce does not exist."), ("", ".")]
)
def test_a_reason_becomes_a_sentence(reason: str, sentence: str) -> None:
    assert templates.sentence(reason) == sentence
