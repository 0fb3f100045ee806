"""Hides secrets in a text: known ones, and parts that look like a secret.

This is the second line of defence, for texts from senders and libraries. It takes linear time for any text.
"""

import json
import re
from collections.abc import Iterable
from functools import cache
from threading import Lock
from typing import Final

REMEMBERED: Final = 256
"""The most texts of `add_secret` that are remembered, the newest, because a gateway sees any number of tokens."""

HIDDEN: Final = "***"
"""What is shown instead of a secret."""

_WORDS: Final = ("token", "nonce", "password", "passwd", "secret", "authorization", "salt")
"""How the names of secret fields end. `salt` is one, because a job's token can be computed from its salt."""
_NAMES: Final = f"(?:{'|'.join(_WORDS)})"

_MARKS: Final = (*_WORDS, "bearer", "//", "_", "pj-", "\\u")
"""A text in JSON without any of these cannot match a pattern below. Most lines have none."""

SECRET_NAME: Final = re.compile(rf"(?i){_NAMES}$")
"""The end of the name of a field whose value is not shown."""

_SHORTEST_SECRET: Final = 4

_TOKEN: Final = re.compile(r"(?i)(?<![0-9a-z])[0-9a-f]{16}(?![0-9a-z])")


@cache
def _looks_secret() -> tuple[tuple[re.Pattern[str], str], ...]:
    """The patterns of texts that look like a secret, with replacements. Compiled at the first use, which is slow.

    Every repetition is possessive or bounded, so that any text takes linear time.
    """
    return (
        # "token": "...", as JSON, and 'token': '...', as Python writes it; with or without an end
        (re.compile(rf"(?is)(\"[^\"\\]{{0,32}}?{_NAMES}\"\s{{0,8}}:\s{{0,8}}\")(?:[^\"\\]|\\.)*+"), rf"\1{HIDDEN}"),
        (re.compile(rf"(?is)('[^'\\]{{0,32}}?{_NAMES}'\s{{0,8}}:\s{{0,8}}['\"])(?:[^'\\]|\\.)*+"), rf"\1{HIDDEN}"),
        # the first pattern again, for a text inside JSON
        (re.compile(rf"(?i)({_NAMES}\\{{1,8}}\"\s{{0,8}}:\s{{0,8}}\\{{1,8}}\")[^\"\\]*+"), rf"\1{HIDDEN}"),
        # Authorization: Basic ..., and token=... in a query, also in a query that is a value of another one
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


class _KnownSecrets:
    """The known secrets: those of the settings for good, and the newest of those in deliveries."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._lasting: dict[str, frozenset[str]] = {}
        self._met: dict[str, frozenset[str]] = {}
        self.spellings: tuple[str, ...] = ()

    def keep(self, texts: Iterable[str]) -> None:
        """Remembers texts for good."""
        with self._lock:
            self._lasting |= {text: _spelt(text) for text in texts if len(text) >= _SHORTEST_SECRET}
            self._gather()

    def meet(self, text: str) -> None:
        """Remembers a text until `REMEMBERED` newer ones were met."""
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
        # The longest first: hiding a shorter one inside it first would leave the rest of it readable.
        self.spellings = tuple(sorted(spelt, key=len, reverse=True))


def _spelt(text: str) -> frozenset[str]:
    """The spellings of a text: as it is, in a URL, in JSON and by Python's `repr`."""
    from urllib.parse import quote, quote_plus  # loaded here, because most refusals hide no known secret

    in_url = (quote(text, safe="", errors="replace"), quote_plus(text, errors="replace"))
    return frozenset({text, *in_url, json.dumps(text)[1:-1], repr(text)[1:-1]})


_known: Final = _KnownSecrets()


def keep(texts: Iterable[str]) -> None:
    """Hides these texts from now on, for good. Texts shorter than four characters are too common to be hidden."""
    _known.keep(texts)


def add_secret(text: str) -> None:
    """Hides this text from now on, such as the token of an event; see `REMEMBERED`."""
    _known.meet(text)


def is_suspicious(text: str) -> bool:
    """Whether a line of JSON may contain a secret; False only if `redacted` would change nothing. Fast."""
    folded = text.lower()
    return any(mark in folded for mark in _MARKS) or any(secret in text for secret in _known.spellings)


def redacted(text: str) -> str:
    """The text with every known secret, and everything that looks like one, hidden."""
    for secret in _known.spellings:
        text = text.replace(secret, HIDDEN)
    return without_lookalikes(text)


def without_lookalikes(text: str) -> str:
    """The text with everything hidden that looks like a secret. The result depends on the text alone."""
    for pattern, replacement in _looks_secret():
        text = pattern.sub(replacement, text)
    return text


def without_tokens(reason: str) -> str:
    """A reason without texts that may be a job's token, which a sender may have put where the reason quotes a word."""
    return _TOKEN.sub(HIDDEN, reason)
