"""Hides what is secret in a text: what is known to be, and what looks like it.

The second line of defence, for what others put into a text. Linear in the length of the text, whatever it holds.
"""

import json
import re
from collections.abc import Iterable
from functools import cache
from threading import Lock
from typing import Final

REMEMBERED: Final = 256
"""How many of the texts given to `add_secret` are remembered, the newest. A gateway sees tokens without end."""

HIDDEN: Final = "***"
"""What is shown in place of a secret."""

_WORDS: Final = ("token", "nonce", "password", "passwd", "secret", "authorization", "salt")
"""What the names of secrets end with; of a job's salt its token can be computed."""
_NAMES: Final = f"(?:{'|'.join(_WORDS)})"

_MARKS: Final = (*_WORDS, "bearer", "//", "_", "pj-", "\\u")
"""Of these each of the patterns below needs one, as JSON writes it. Most lines have none."""

SECRET_NAME: Final = re.compile(rf"(?i){_NAMES}$")
"""The end of the name of a field whose value is not shown."""

_SHORTEST_SECRET: Final = 4

_TOKEN: Final = re.compile(r"(?i)(?<![0-9a-z])[0-9a-f]{16}(?![0-9a-z])")


@cache
def _looks_secret() -> tuple[tuple[re.Pattern[str], str], ...]:
    """What looks like a secret, and what is put in its place. Made when first needed: it takes its time.

    Every repetition is possessive or bounded, so that no text takes more than linear time.
    """
    return (
        # "token": "...", as JSON, and 'token': '...', as Python writes it; with or without an end
        (re.compile(rf"(?is)(\"[^\"\\]{{0,32}}?{_NAMES}\"\s{{0,8}}:\s{{0,8}}\")(?:[^\"\\]|\\.)*+"), rf"\1{HIDDEN}"),
        (re.compile(rf"(?is)('[^'\\]{{0,32}}?{_NAMES}'\s{{0,8}}:\s{{0,8}}['\"])(?:[^'\\]|\\.)*+"), rf"\1{HIDDEN}"),
        # the first again, as a text inside JSON
        (re.compile(rf"(?i)({_NAMES}\\{{1,8}}\"\s{{0,8}}:\s{{0,8}}\\{{1,8}}\")[^\"\\]*+"), rf"\1{HIDDEN}"),
        # Authorization: Basic ..., and token=... in a query, also where the query is a value in another one
        (re.compile(r"(?i)(authorization:\s{0,8}(?:\w{1,20}\s{1,8})?)[^\s\"',]++"), rf"\1{HIDDEN}"),
        (re.compile(rf"(?i)({_NAMES}(?:=|%3D))[^&\s\"'<>]++"), rf"\1{HIDDEN}"),
        (re.compile(r"(?i)\b(bearer\s{1,8})[^\s\"',]++"), rf"\1{HIDDEN}"),
        # user:password@ in front of a host
        (re.compile(r"//[^/\s\"'<>]+@"), f"//{HIDDEN}@"),
        # an Abaco nonce, TENANT_hashid, or one of the gateway's, which is longer: small letters and capitals
        (
            re.compile(
                r"(?<=[A-Za-z0-9])_(?=[a-z0-9]{0,23}[A-Z])(?=[A-Z0-9]{0,23}[a-z])[A-Za-z0-9]{10,24}(?![A-Za-z0-9_])"
            ),
            f"_{HIDDEN}",
        ),
        # a static token of the gateway
        (re.compile(r"\bpj-[A-Za-z0-9]{16,64}+"), f"pj-{HIDDEN}"),
    )


class _Known:
    """The secrets that are known by their text: those of the settings, and the newest of those met later."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._lasting: dict[str, frozenset[str]] = {}
        self._met: dict[str, frozenset[str]] = {}
        self.spellings: tuple[str, ...] = ()

    def keep(self, texts: Iterable[str]) -> None:
        """Remembers these for good, besides all others."""
        with self._lock:
            self._lasting |= {text: _spelt(text) for text in texts if len(text) >= _SHORTEST_SECRET}
            self._gather()

    def meet(self, text: str) -> None:
        """Remembers this one for a while."""
        if len(text) < _SHORTEST_SECRET or text in self._lasting:
            return
        with self._lock:
            self._met.pop(text, None)  # the newest comes last
            self._met[text] = _spelt(text)
            if len(self._met) > REMEMBERED:
                del self._met[next(iter(self._met))]
            self._gather()

    def _gather(self) -> None:
        spelt: frozenset[str] = frozenset().union(*self._lasting.values(), *self._met.values())
        # The longest first: a shorter one in it would leave the rest of it to be seen.
        self.spellings = tuple(sorted(spelt, key=len, reverse=True))


def _spelt(text: str) -> frozenset[str]:
    """A text as it is, and as it looks in a URL, in JSON and in what Python writes."""
    from urllib.parse import quote, quote_plus  # here, since most refusals hide nothing that is known

    in_url = (quote(text, safe="", errors="replace"), quote_plus(text, errors="replace"))
    return frozenset({text, *in_url, json.dumps(text)[1:-1], repr(text)[1:-1]})


_known: Final = _Known()


def keep(texts: Iterable[str]) -> None:
    """Hides these from now on, for good; those shorter than four characters are too common to be hidden."""
    _known.keep(texts)


def add_secret(text: str) -> None:
    """One more text that must not be written, such as the token of the event at hand."""
    _known.meet(text)


def is_suspicious(text: str) -> bool:
    """Whether there may be anything to hide in a line of JSON. Quick, and never wrongly no."""
    folded = text.lower()
    return any(mark in folded for mark in _MARKS) or any(secret in text for secret in _known.spellings)


def redacted(text: str) -> str:
    """The text with every known secret, and everything that looks like one, hidden."""
    for secret in _known.spellings:
        text = text.replace(secret, HIDDEN)
    return without_lookalikes(text)


def without_lookalikes(text: str) -> str:
    """The text with everything that looks like a secret hidden; always the same for the same text."""
    for pattern, replacement in _looks_secret():
        text = pattern.sub(replacement, text)
    return text


def without_tokens(reason: str) -> str:
    """A reason without what may be a job's token: somebody may have put it where a word of theirs is repeated."""
    return _TOKEN.sub(HIDDEN, reason)
