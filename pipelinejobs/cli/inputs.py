"""Arguments that several commands take, and the errors for arguments that cannot be used."""

import argparse
import getpass
import os
import re
from datetime import UTC, datetime
from typing import Any, Final

from pipelinejobs.messages import fields, values
from pipelinejobs.messages import text as message_text
from pipelinejobs.util.errors import CommandFailed, Malformed

_MOST: Final = 2**31 - 1

LEVELS: Final = ("0", "1", "2", "3", "Reference", "User", "Unknown")
"""Levels of processing, by python-datacatalog's schema processing_level.json."""


class UsageError(CommandFailed):
    """The arguments are wrong."""


def job_uuid(parser: argparse.ArgumentParser) -> None:
    """The job, as the only positional argument."""
    parser.add_argument("uuid", type=uuid, help="the job's uuid")


def uuid(text: str) -> str:
    """An argument that is a uuid in canonical text."""
    try:
        return fields.job_uuid(text, "uuid")
    except Malformed as error:
        raise argparse.ArgumentTypeError(error.problem) from None


def json_object(text: str) -> dict[str, Any]:
    """An argument that is a JSON object which a message may hold."""
    value = _json(text)
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError(values.wrong_type("an object", value))
    _check(value)
    return value


def archive_patterns(text: str) -> list[dict[str, Any]]:
    """An argument that is a list for a job's `archive_patterns`, as the Indexer reads it."""
    found = _patterns(text, ("level", "patterns"))
    for index, one in enumerate(found):
        if one["level"] not in LEVELS:
            raise argparse.ArgumentTypeError(f"[{index}].level: must be one of {', '.join(LEVELS)}, as text")
    return found


def product_patterns(text: str) -> list[dict[str, Any]]:
    """An argument that is a list for a job's `product_patterns`, as the Indexer reads it."""
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
    """An argument that is one line of text which can be stored and shown."""
    if not text.strip() or not text.isprintable():
        raise argparse.ArgumentTypeError("is not a line of text")
    return text


def moment(text: str) -> datetime:
    """An argument that is a date, or date and time, in ISO 8601; UTC unless it says otherwise."""
    try:
        value = datetime.fromisoformat(text)
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError("is not a date such as 2026-11-23 or 2026-11-23T18:00:00Z") from None


def parameter(text: str) -> tuple[str, str]:
    """An argument `name=value`."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError("is not of the form NAME=VALUE")
    return name, value


def positive(text: str) -> int:
    """An argument that is a whole number above 0."""
    try:
        value = int(text)
    except ValueError:
        value = 0
    if not 1 <= value <= _MOST:
        raise argparse.ArgumentTypeError(f"is not a whole number from 1 to {_MOST}")
    return value


def user() -> str:
    """The user who runs the command; in a container that user may have no name."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return f"uid-{os.getuid()}"
