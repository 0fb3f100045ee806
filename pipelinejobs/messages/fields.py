"""The two fields that every form of message has: the job's uuid and the event's name."""

import re
import string
from typing import Final

from fsm.lifecycle import EVENTS, RESERVED
from pipelinejobs.messages.values import shown, wrong_type
from pipelinejobs.util.errors import Malformed

UUID_PATTERN: Final = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
BLANKS: Final = " \t\n\v\f\r"
"""The blanks that are ignored around a uuid, an event's name or a status word."""

ALLOWED: Final = ", ".join(name for name in EVENTS if name not in RESERVED)
"""The names of the events that a message may carry, for reasons."""

_UUID = re.compile(UUID_PATTERN)

# Not str.lower, which turns some other letters into ASCII ones.
_TO_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


def is_uuid(value: object) -> bool:
    """Whether a value is a uuid in canonical text."""
    return isinstance(value, str) and _UUID.fullmatch(value) is not None


def job_uuid(value: object, path: str) -> str:
    """The uuid of a job, in canonical lower-case form; blanks around it are ignored.

    The reason does not repeat a wrong uuid: a sender that mixes up its parameters sends a token here.

    Raises:
        Malformed: at `path`.
    """
    if not isinstance(value, str):
        raise Malformed(path, wrong_type("text", value))
    meant = value.strip(BLANKS)
    if is_uuid(meant):
        return meant
    if is_uuid(meant.lower()):
        raise Malformed(path, "is a UUID with upper-case letters; write it in lower case")
    if _UUID.search(meant.lower()):
        raise Malformed(path, "has more than the UUID; send only its 36 characters")
    raise Malformed(path, "is not a UUID in canonical form, such as 1073f4ff-c2b9-5190-bd9a-e6a406d9796a")


def event_name(value: object, path: str) -> str:
    """The name of an event of the lifecycle, from a text in any case of letters and with blanks around it.

    `create` is accepted here. `core.tokens.refusal` refuses it later.

    Raises:
        Malformed: at `path`, with a list of the names.
    """
    if not isinstance(value, str):
        raise Malformed(path, wrong_type("text", value))
    meant = value.strip(BLANKS).translate(_TO_LOWER)
    if meant in EVENTS:
        return meant
    # A name with a digit may be a token or uuid in the wrong place, which must not be repeated.
    what = "is not an event" if any(map(str.isdigit, value)) else f"{shown(value)} is not an event"
    raise Malformed(path, f"{what}; the events are {ALLOWED}")
