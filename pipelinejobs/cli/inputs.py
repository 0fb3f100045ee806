"""Arguments that several commands take."""

import argparse
import json
from datetime import UTC, datetime
from typing import Any


def job_uuid(parser: argparse.ArgumentParser) -> None:
    """The job, as the only positional argument."""
    parser.add_argument("uuid", help="the job's uuid")


def json_object(text: str) -> dict[str, Any]:
    """An argument that is a JSON object."""
    try:
        value = json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError("is not a JSON object")
    return value


def moment(text: str) -> datetime:
    """An argument that is a date, or date and time, in ISO 8601; UTC unless it says otherwise."""
    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError("is not a date such as 2026-11-23 or 2026-11-23T18:00:00Z") from None
    return value if value.tzinfo else value.replace(tzinfo=UTC)


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
    if value < 1:
        raise argparse.ArgumentTypeError("is not a whole number above 0")
    return value
