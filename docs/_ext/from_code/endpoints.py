"""The gateway's endpoints, from its routes and its openapi.json.

Why not sphinxcontrib-openapi (0.10.0): it prints the type of an optional parameter as a Python set, in random order
(`{'null', 'date-time'}`), and leaves out allowed values, limits and defaults; it lists each endpoint twice, for
/actors/v2 and /v3/actors, and cannot list the pages, which openapi.json does not have. It would also add five packages
(picobox, deepmerge, sphinx-mdinclude, mistune, sphinxcontrib-httpdomain).
"""

import inspect
from http import HTTPStatus
from typing import Any, Final

from from_code.gateway import Path, openapi, routes
from from_code.rst import definitions, literal, plain, section, table
from pipelinejobs.core.verdict import STATUSES, Verdict
from pipelinejobs.gateway.http.http_errors import HttpError

_OF_ITSELF: Final = "/openapi.json"
"""The endpoint that describes all others; the page names it in its introduction."""


def page() -> str:
    """A section for each group of routes, with a subsection for each route."""
    shown = [one for one in routes() if not one.path.startswith("/v3/actors") and one.path != _OF_ITSELF]
    groups: dict[str, list[Path]] = {}
    for one in shown:
        groups.setdefault(_group(one), []).append(one)
    return "".join(section(group.capitalize(), "".join(map(_route, some))) for group, some in groups.items())


def names(one: Path) -> list[str]:
    """The route's methods and path, such as `GET /jobs`."""
    return [f"{method} {one.path}" for method in one.methods if method != "HEAD"]


def _group(one: Path) -> str:
    tags = getattr(one.route, "tags", None)
    return str(tags[0]) if tags else "pages"


def _route(one: Path) -> str:
    text = ""
    for name in names(one):
        about = openapi()["paths"].get(one.path, {}).get(name.partition(" ")[0].lower(), {})
        summary = about.get("summary") or getattr(one.route, "summary", "") or ""
        said = about.get("description") or (inspect.getdoc(one.route.endpoint) or "").partition("\n")[0]
        text += section(literal(name), f"{_sentences(summary, said)}{_parameters(about)}", "~")
        answered = ", ".join(about.get("responses", {}))
        text += f"Answers: {answered}.\n\n" if answered else ""
    return text


def _sentences(summary: str, said: str) -> str:
    """Summary and description; only one of them if they are equal."""
    sentences = [text.strip().rstrip(".") for text in (summary, said) if text.strip()]
    if not sentences:
        return ""
    return plain(". ".join(dict.fromkeys(" ".join(text.split()) for text in sentences))) + ".\n\n"


def _parameters(about: dict[str, Any]) -> str:
    rows = [
        (literal(one["name"]), one["in"], _kind(one.get("schema", {})), plain(one.get("description", "")))
        for one in about.get("parameters", [])
    ]
    return table(("parameter", "in", "kind", "meaning"), rows, "20 12 28 40") if rows else ""


def _kind(about: dict[str, Any]) -> str:
    kinds = about.get("anyOf", [about])
    words = [_one_kind(kind) for kind in kinds if kind.get("type") != "null"]
    default = f"; default {literal(about['default'])}" if "default" in about else ""
    return " or ".join(words) + default


def _one_kind(about: dict[str, Any]) -> str:
    if "enum" in about:
        return ", ".join(map(literal, about["enum"]))
    limits = [str(about[limit]) for limit in ("minimum", "maximum") if limit in about]
    return str(about.get("format", about.get("type", ""))) + (f" {' to '.join(limits)}" if limits else "")


def problems() -> str:
    """The HTTP statuses other than 200, and which verdict each stands for in the answer to a message."""
    used = {int(code) for paths in openapi()["paths"].values() for one in paths.values() for code in one["responses"]}
    items = []
    for status in sorted(used - {HTTPStatus.OK, HTTPStatus.UNPROCESSABLE_ENTITY}):
        error = HttpError(HTTPStatus(status), "")
        refused = Verdict.UNAUTHORISED if status == HTTPStatus.UNAUTHORIZED else Verdict.MALFORMED
        verdict = next((one for one, own in STATUSES.items() if own == status), refused)
        headers = "".join(f" Header: {literal(f'{name}: {value}')}." for name, value in error.headers.items())
        said = f"For a message, the verdict is {literal(verdict.value)}.{headers}"
        items.append((f"{status} {HTTPStatus(status).phrase}", said))
    return definitions(items)
