"""The types of settings, and how each is read from config.yml and from the environment.

Each type has two methods: `parse` reads a text from the environment, `accept` reads a value from YAML. Both return the
value of the setting, or raise `InvalidValue`.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple, Protocol
from urllib.parse import urlsplit

from pipelinejobs.util.installation import DATA, INSTALLED
from pipelinejobs.util.secret import Secret

_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")
_DECIMAL = re.compile(r"[+-]?[0-9]{1,18}(\.[0-9]{1,18})?")
_SWITCH: Final = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


class InvalidValue(Exception):  # `settings` turns it into WrongSetting
    """A value is not valid for its setting. The text says what it must be, and never repeats the value."""


class FieldType(Protocol):
    """The type of a setting."""

    @property
    def wanted(self) -> str:
        """What a value must be, in words that follow "must be"."""

    def parse(self, text: str) -> object:
        """The value of a non-empty text from the environment. Raises InvalidValue."""

    def accept(self, value: object) -> object:
        """The value of what YAML read, which is not None. Raises InvalidValue."""


def http_url(url: str) -> str:
    """Returns the text if it is an http or https URL with a host, else raises InvalidValue."""
    problem = "must be an http:// or https:// URL with a host, and without white space"
    if not url.isprintable() or " " in url:
        raise InvalidValue(problem)  # before urlsplit, which silently drops line breaks and tabs
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # brackets without an IPv6 address, or a port that is not a number
        usable = False
    if not usable:
        raise InvalidValue(problem)
    return url


class Row(NamedTuple):
    """The annotation of a setting's field, beside its Python type and default."""

    field_type: FieldType
    meaning: str
    """One sentence."""
    also: str | None = None
    """A variable of python-datacatalog for the same; it counts if the setting itself is not set."""


class Whole(NamedTuple):
    """A whole number from `least` to `most`, both included."""

    least: int
    most: int

    @property
    def wanted(self) -> str:
        return f"a whole number from {self.least} to {self.most}"

    def parse(self, text: str) -> int:
        if not _WHOLE.fullmatch(text.strip()):  # int() also accepts `1_000` and digits of other scripts
            raise InvalidValue(f"must be {self.wanted}")
        return self.accept(int(text))

    def accept(self, value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not self.least <= value <= self.most:
            raise InvalidValue(f"must be {self.wanted}")
        return value


class Number(NamedTuple):
    """A number above `above` and at most `most`; fractions are allowed."""

    above: float
    most: float

    @property
    def wanted(self) -> str:
        return f"a number above {self.above:g} and at most {self.most:.16g}"

    def parse(self, text: str) -> float:
        if not _DECIMAL.fullmatch(text.strip()):  # float() also accepts `nan` and `inf`
            raise InvalidValue(f"must be {self.wanted}")
        return self.accept(float(text))

    def accept(self, value: object) -> float:
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise InvalidValue(f"must be {self.wanted}")
        if not self.above < value <= self.most:  # this comparison refuses nan too
            raise InvalidValue(f"must be {self.wanted}")
        return float(value)


class Seconds(Number):
    """A time in seconds, longer than `above` and at most `most`; fractions are allowed."""

    @property
    def wanted(self) -> str:
        return f"a number of seconds above {self.above:g} and at most {self.most:.16g}"


class Switch:
    """True or false."""

    @property
    def wanted(self) -> str:
        return "true or false"

    def parse(self, text: str) -> bool:
        try:
            return _SWITCH[text.strip().lower()]
        except KeyError:
            raise InvalidValue("must be true or false (or 1, 0, yes, no)") from None

    def accept(self, value: object) -> bool:
        if not isinstance(value, bool):
            raise InvalidValue(f"must be {self.wanted}")
        return value


class Text(NamedTuple):
    """One line of text that matches the whole `pattern`; `wanted` describes the pattern."""

    pattern: str = r".+"
    wanted: str = "one line of text"

    def parse(self, text: str) -> str:
        if not text.isprintable() or not re.fullmatch(self.pattern, text):
            raise InvalidValue(f"must be {self.wanted}")
        return text

    def accept(self, value: object) -> str:
        return self.parse(_text(value))


class Hidden(NamedTuple):
    """A secret text. If `check` is given, it replaces the check for one printable line; it raises InvalidValue."""

    check: Callable[[str], object] | None = None
    wanted: str = "one line of text"

    def parse(self, text: str) -> Secret:
        if self.check is not None:
            self.check(text)
        elif not text.isprintable():
            raise InvalidValue("must be one line of printable text, with no line break at its end")
        return Secret(text)

    def accept(self, value: object) -> Secret:
        return self.parse(_text(value))


class Choice(NamedTuple):
    """One of `words`, in upper or lower case; the value has the spelling of `words`."""

    words: tuple[str, ...]

    @property
    def wanted(self) -> str:
        return "one of " + ", ".join(self.words)

    def parse(self, text: str) -> str:
        for word in self.words:
            if word.lower() == text.strip().lower():
                return word
        raise InvalidValue(f"must be {self.wanted}")

    def accept(self, value: object) -> str:
        return self.parse(_text(value))


class Names:
    """A list of names, separated by commas in the environment. A name has no white space and no comma."""

    @property
    def wanted(self) -> str:
        return "a list of names; in the environment, separated by commas"

    def parse(self, text: str) -> tuple[str, ...]:
        return self.accept([part.strip() for part in text.split(",") if part.strip()])

    def accept(self, value: object) -> tuple[str, ...]:
        if not isinstance(value, list):
            raise InvalidValue(f"must be {self.wanted}")
        for name in value:
            if not isinstance(name, str) or not name.isprintable() or not re.fullmatch(r"[^\s,]+", name):
                raise InvalidValue(f"must be {self.wanted}")
        return tuple(value)


class Url:
    """The URL of a server; slashes at its end are removed."""

    @property
    def wanted(self) -> str:
        return "an http:// or https:// URL"

    def parse(self, text: str) -> str:
        return http_url(text).rstrip("/")

    def accept(self, value: object) -> str:
        return self.parse(_text(value))


class Location(NamedTuple):
    """A file or directory, as an absolute path; a relative path starts at `installation.DATA`."""

    what: str = "directory"

    @property
    def wanted(self) -> str:
        start = "the user's data directory" if INSTALLED else "the root of the repository"
        return f"a {self.what}, absolute or relative to {start}"

    def parse(self, text: str) -> Path:
        if not text.isprintable():
            raise InvalidValue(f"must be {self.wanted}")
        return DATA / text

    def accept(self, value: object) -> Path:
        return self.parse(_text(value))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise InvalidValue("must be text; if YAML reads it as another type, put it in quotes")
    return value
