"""Types of arguments that several commands take. Each raises ArgumentTypeError for an invalid text."""

import argparse
import getpass
import os
import re
from datetime import UTC, datetime
from typing import Any, Final

from pipelinejobs.messages import fields, values
from pipelinejobs.messages import text as message_text
from pipelinejobs.messages.external import External, parsed
from pipelinejobs.util.errors import CommandFailed, Malformed

_MOST: Final = 2**31 - 1

LEVELS: Final = ("0", "1", "2", "3", "Reference", "User", "Unknown")
"""Processing levels, from python-datacatalog's schema processing_level.json."""


class UsageError(CommandFailed):
    """The arguments are wrong."""


def job_uuid(parser: argparse.ArgumentParser) -> None:
    """Adds the job's uuid as the only positional argument."""
    parser.add_argument("uuid", type=uuid, help="the job's uuid")


def uuid(text: str) -> str:
    """A uuid in canonical form."""
    try:
        return fields.job_uuid(text, "uuid")
    except Malformed as error:
        raise argparse.ArgumentTypeError(error.problem) from None


def external(text: str) -> External:
    """An external job as `SYSTEM:ID`."""
    found = parsed(text)
    if found is None:
        raise argparse.ArgumentTypeError("must be SYSTEM:ID, such as agave:4183620957716350441-a81f0c2e9b7d-0001-007")
    return found


def json_object(text: str) -> dict[str, Any]:
    """A JSON object that a message may hold."""
    value = _json(text)
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError(values.wrong_type("an object", value))
    _check(value)
    return value


def archive_patterns(text: str) -> list[dict[str, Any]]:
    """A JSON list for a job's `archive_patterns`, as the Indexer reads it."""
    found = _patterns(text, ("level", "patterns"))
    for index, one in enumerate(found):
        if one["level"] not in LEVELS:
            raise argparse.ArgumentTypeError(f"[{index}].level: must be one of {', '.join(LEVELS)}, as text")
    return found


def product_patterns(text: str) -> list[dict[str, Any]]:
    """A JSON list for a job's `product_patterns`, as the Indexer reads it."""
    return _patterns(text, ("derived_from", "derived_using", "patterns"))


def _patterns(text: str, required: tuple[str, ...]) -> list[dict[str, Any]]:
    """Index requests by python-datacatalog's schemas archive_patterns.json and product_patterns.json."""
    found = _json(text)
    if not isinstance(found, list):
        raise argparse.ArgumentTypeError(values.wrong_type("a list", found))
    _check({"list": found})
    for index, one in enumerate(found):
        if not isinstance(one, dict) or not set(required) <= one.keys() <= {*required, "generated_by"}:
            keys = ", ".join(required)
            raise argparse.ArgumentTypeError(f"[{index}]: must be an object with {keys} and, optionally, generated_by")
        for key in one.keys() - {"level"}:
            if not isinstance(one[key], list) or not all(isinstance(part, str) for part in one[key]):
                raise argparse.ArgumentTypeError(f"[{index}].{key}: must be a list of texts")
        for part in one["patterns"]:
            try:
                re.compile(part)
            except re.error as error:
                raise argparse.ArgumentTypeError(
                    f"[{index}].patterns: {part!a} is not a regular expression: {error}"
                ) from None
    return found


def _json(text: str) -> Any:
    try:
        value = message_text.parse(text, literal=False)
    except Malformed as error:
        raise argparse.ArgumentTypeError(error.reason.removeprefix("body: ")) from None
    if isinstance(value, values.Flaw):
        raise argparse.ArgumentTypeError(value.problem)
    return value


def _check(value: dict[str, Any]) -> None:
    try:
        values.check(value)
    except Malformed as error:
        raise argparse.ArgumentTypeError(error.reason.removeprefix("body: ")) from None


def line(text: str) -> str:
    """One line of printable text, not empty."""
    if not text.strip() or not text.isprintable():
        raise argparse.ArgumentTypeError("is not a line of text")
    return text


def moment(text: str) -> datetime:
    """A date, or date and time, in ISO 8601; UTC if it has no time zone."""
    try:
        value = datetime.fromisoformat(text)
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError("is not a date such as 2026-11-23 or 2026-11-23T18:00:00Z") from None


def parameter(text: str) -> tuple[str, str]:
    """A text `name=value`."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError("does not have the form NAME=VALUE")
    return name, value


def positive(text: str) -> int:
    """A whole number above 0."""
    try:
        value = int(text)
    except ValueError:
        value = 0
    if not 1 <= value <= _MOST:
        raise argparse.ArgumentTypeError(f"is not a whole number from 1 to {_MOST}")
    return value


def user() -> str:
    """The name of the user who runs the command; `uid-NUMBER` for a user without a name, as in containers."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return f"uid-{os.getuid()}"
