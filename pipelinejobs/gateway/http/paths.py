"""Paths: extra slashes are ignored, and the answer to a misspelt path suggests the right one.

python-datacatalog builds callback URLs with two slashes (`//actors/v2/...`), since its TACC_API_SERVER ends with one.
A redirect would not help: a job system may not follow it, and many clients repeat a redirected POST as a GET.
"""

import re
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, Final
from urllib.parse import quote, unquote

from starlette.types import ASGIApp, Receive, Scope, Send

from pipelinejobs.util import spelling

_ENCODED_SLASH: Final = re.compile(rb"%2[fF]")
_LONGEST: Final = 200
_PARAMETER: Final = "{"

_MISSPELT: Final = 0.5
_EXCHANGED: Final = 0.4
_MISSING: Final = 1.0
_FARTHEST: Final = 1.0
"""A suggestion may differ by one missing, extra or exchanged part, or by two misspelt parts; not by more."""


class OneSpelling:
    """ASGI middleware that removes extra slashes from the path. Query, method and body are unchanged.

    An encoded slash (`%2F`) is part of a name, not a separator, and stays.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            raw = scope["raw_path"]
            if b"//" in raw or (raw.endswith(b"/") and len(raw) > 1) or (b"%" in raw and _ENCODED_SLASH.search(raw)):
                scope = {**scope, **_spelled(raw)}
        await self._app(scope, receive, send)


def _spelled(raw: bytes) -> dict[str, Any]:
    one = b"/" + b"/".join(part for part in raw.split(b"/") if part)
    return {"raw_path": one, "path": unquote(_ENCODED_SLASH.sub(b"%252F", one).decode("latin-1"))}


def nearest(path: str, known: Iterable[str]) -> str | None:
    """The path that the sender most likely meant, with the sender's values for its parameters.

    Args:
        path: the path of a request, which fits no route.
        known: the paths of the routes, with parameters in braces.

    Returns:
        the path, in ASCII; None if no route is similar.
    """
    if len(path) > _LONGEST:
        return None
    parts = _parts(path)
    least, found = _FARTHEST, None
    for template in dict.fromkeys(known):
        wanted = _parts(template)
        if abs(len(parts) - len(wanted)) * _MISSING > _FARTHEST:
            continue
        mistakes, matched, meant = _fitted(parts, wanted)
        if matched and (mistakes < least or (found is None and mistakes == least)):
            least, found = mistakes, meant
    return f"/{'/'.join(found)}" if found is not None else None


def _parts(path: str) -> tuple[str, ...]:
    return tuple(part for part in path.split("/") if part)


def _fitted(parts: tuple[str, ...], template: tuple[str, ...]) -> tuple[float, int, Sequence[str]]:
    """How many mistakes separate these parts from the template, how many fixed parts match, and the path meant."""

    @cache
    def best(at: int, place: int) -> tuple[float, int, tuple[str, ...]]:
        left, wanted = parts[at:], template[place:]
        if not left or not wanted:
            missing = tuple(wanted)
            return (len(left) + len(missing)) * _MISSING, 0, missing
        choices = [
            _then(_MISSING, 0, (), best(at + 1, place)),
            _then(_MISSING, 0, wanted[:1], best(at, place + 1)),
        ]
        cost = _cost(left[0], wanted[0])
        if cost is not None:
            fixed = not wanted[0].startswith(_PARAMETER)
            own = wanted[:1] if fixed else (quote(left[0], safe=""),)
            choices.append(_then(cost, int(fixed), own, best(at + 1, place + 1)))
        if len(left) > 1 and len(wanted) > 1 and (left[1], left[0]) == wanted[:2]:
            choices.append(_then(_EXCHANGED, 2, wanted[:2], best(at + 2, place + 2)))
        return min(choices, key=lambda choice: (choice[0], -choice[1]))

    return best(0, 0)


def _then(
    mistakes: float, matched: int, own: tuple[str, ...], rest: tuple[float, int, tuple[str, ...]]
) -> tuple[float, int, tuple[str, ...]]:
    return mistakes + rest[0], matched + rest[1], own + rest[2]


def _cost(part: str, wanted: str) -> float | None:
    """The cost of reading a part as this part of a template; None if they are not similar."""
    if wanted.startswith(_PARAMETER) or part == wanted:
        return 0.0
    mistakes = spelling.mistakes(part.lower(), wanted)
    return _MISSPELT if mistakes <= min(spelling.MOST, len(wanted) // 3) else None
