"""Pins: what the environment may say of the guarded settings.

Abaco gives every URL parameter of a message to the process as an environment variable, over the actor's own. So a
sender could name another database or another administrative key. A pin in config.yml, which is part of the image, says
what the environment may supply: one value, usually as a digest, or none at all.
"""

import contextlib
import hashlib
import hmac
import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from pipelinejobs.settings import config_file
from pipelinejobs.settings.config_file import PINNED
from pipelinejobs.settings.field_types import InvalidValue, Switch
from pipelinejobs.settings.table import TABLE, Override
from pipelinejobs.util.errors import WrongSetting

GUARDED: Final = tuple(name for name in TABLE if name.startswith(("tokens.", "mongodb.", "pipelines.")))
"""The settings that must be pinned: a sender that changes one of them takes over jobs or receives tokens and nonces."""

PINNABLE: Final = GUARDED + tuple(
    name for name in TABLE if name.startswith(("history.", "outbox.", "requeue.", "refused.", "limits."))
)
"""The settings that can be pinned. A sender that changes one of those that need not be can make a run lose messages to
the Indexer, or forget refusals. So with `require_pins` the environment may give them only where there is a pin."""

DIGEST_PREFIX: Final = "sha256:"


def parse(written: object) -> Mapping[str, str | None]:
    """The `pinned` table of config.yml as digests: by name of the setting 64 hex digits, or None.

    `written` is what YAML read: null, or a table whose values are null, `sha256:` and a digest, or the value
    itself. Raises WrongSetting for a name that cannot be pinned or a value that is none of these.
    """
    if written is None:
        written = {}
    if not isinstance(written, dict):
        raise WrongSetting(PINNED, "must be a table of settings and their pins")
    pinned: dict[str, str | None] = {}
    for name, pin in written.items():
        if name not in PINNABLE:
            if name in TABLE:
                raise WrongSetting(f"{PINNED}.{name}", "is not among the settings that can be pinned")
            raise config_file.unknown(str(name), PINNABLE, f"{PINNED}.")
        pinned[name] = None if pin is None else _pin_digest(name, pin)
    return MappingProxyType(pinned)


def check(said: Mapping[str, Override], pinned: Mapping[str, str | None], require_pins: bool) -> None:
    """Raise WrongSetting where the environment says what the pins do not allow.

    `said` is what it says, by whichever variable (`table.overrides`).

    With `require_pins` every guarded setting must have a pin, whether the environment names it or not, and every
    other one that can be pinned where the environment names it. An empty
    text is held against a digest like any other: else it would unset what the actor's own environment had set.
    """
    for name in PINNABLE if require_pins else ():
        is_set = name in said and said[name].text
        if name not in pinned and (name in GUARDED or is_set):
            raise WrongSetting(name, "has no pin, and require_pins is true: run `python -m pipelinejobs pin`")
    for name in [name for name in pinned if name in said]:
        _check_one(name, said[name], pinned[name])


def _check_one(name: str, said: Override, pin: str | None) -> None:
    if pin is None:
        if said.text:
            raise WrongSetting(name, f"is pinned in config.yml and may not be set by {said.variable}")
    elif not any(hmac.compare_digest(pin, digest(spelled)) for spelled in _spellings(name, said.text)):
        raise WrongSetting(name, f"is pinned in config.yml, and what {said.variable} says does not match")


def digest(text: str) -> str:
    """64 hex digits: SHA-256 of the text in UTF-8. Bytes that are no UTF-8 have a digest too, and match nothing."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _pin_digest(name: str, pin: object) -> str:
    text = as_text(pin)
    if text is None:
        raise WrongSetting(f"{PINNED}.{name}", "must be the setting's value, null, or sha256: and a digest")
    if not text.startswith(DIGEST_PREFIX):
        return digest(text)
    hexdigits = text.removeprefix(DIGEST_PREFIX)
    if not re.fullmatch(r"[0-9A-Fa-f]{64}", hexdigits):
        raise WrongSetting(f"{PINNED}.{name}", "must have 64 hex digits after sha256:")
    return hexdigits.lower()


def as_text(value: object) -> str | None:
    """A value of YAML or JSON as the environment would spell it; None when it is not one."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))  # JSON knows one kind of number, and may write 3600 as 3600.0
    if isinstance(value, str | int | float):
        return str(value)
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return ",".join(value)
    return None


def _spellings(name: str, text: str) -> Iterator[str]:
    """The text, and what it says as a pin spells that: of a `false` in secrets.json Abaco makes `False`."""
    yield text
    field_type = TABLE[name].field_type
    if isinstance(field_type, Switch):
        with contextlib.suppress(InvalidValue):
            yield "true" if field_type.parse(text) else "false"
