"""Renders pages from templates. All values are escaped; an unknown name in a template is an error."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import HTMLResponse

from fsm.lifecycle import STATES
from pipelinejobs import __version__
from pipelinejobs.gateway.pages import safe_text, static, times
from pipelinejobs.gateway.pages.visitor import BASE, Visitor
from pipelinejobs.util.plural import counted

if TYPE_CHECKING:
    from jinja2 import Environment

_DIRECTORY: Final = Path(__file__).parent / "templates"


def page(
    name: str,
    content: Mapping[str, Any],
    *,
    visitor: Visitor | None,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> HTMLResponse:
    """Renders a page as an answer.

    Args:
        name: the template's file.
        content: the values for the template, by name.
        visitor: the user who is signed in; None on pages that need no sign-in.
        status: the HTTP status.
        headers: further header fields.
    """
    now = datetime.now(UTC)
    known = {"visitor": visitor, "now": now, "base": BASE, "version": __version__, "here": ""}
    return HTMLResponse(environment().get_template(name).render({**known, **content}), status, dict(headers or {}))


@cache
def environment() -> "Environment":
    """The environment of the templates. Jinja2 is imported with the first page, so that it does not delay the start."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader(_DIRECTORY),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters |= {
        "ago": times.ago,
        "exact": times.exact,
        "when": times.words,
        "safe_text": safe_text.safe,
        "counted": counted,
    }
    made.globals |= {"known_states": STATES, "asset": lambda name: f"{BASE}/static/{name}?v={static.version(name)}"}
    del made.filters["safe"]  # no template may put a value into a page unescaped
    return made


def sentence(reason: str) -> str:
    """A reason as a sentence: with a capital letter and a full stop."""
    return reason[:1].upper() + reason[1:] + ("" if reason.endswith((".", "!", "?")) else ".")
