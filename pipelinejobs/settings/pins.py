"""Pins: limits on what the environment may set.

Abaco turns each URL parameter of a message into an environment variable, which replaces the actor's own. So a sender
could set another database or another administrative key. A pin in config.yml, which is part of the image, allows the
environment to set exactly one value, usually written as a digest, or none.
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
"""The guarded settings, which must be pinned: a sender that sets one could take over jobs, or get tokens and nonces."""

PINNABLE: Final = GUARDED + tuple(
    name for name in TABLE if name.startswith(("history.", "outbox.", "requeue.", "refused.", "limits.", "reconcile."))
)
"""The settings that can be pinned: the guarded ones and others. A sender that sets one of the others could make a run
lose messages to the Indexer, or forget refusals, and a command send a job system's credential elsewhere. So with
`require_pins` the environment may set them only as pinned."""

DIGEST_PREFIX: Final = "sha256:"


def parse(written: object) -> Mapping[str, str | None]:
    """Reads the table `pinned` of config.yml.

    Args:
        written: what YAML read: None, or a table. Its values are None, `sha256:` and a digest, or the value itself.

    Returns:
        the pins by name of the setting: 64 hex digits; None: the environment may not set it.

    Raises:
        WrongSetting: a name cannot be pinned, or a value has another form.
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


def check(overridden: Mapping[str, Override], pinned: Mapping[str, str | None], require_pins: bool) -> None:
    """Checks that the environment sets only what the pins allow.

    An empty text is compared with the digest too: otherwise a sender could unset a value of the actor's environment.

    Args:
        overridden: what the environment sets (`table.overrides`).
        pinned: the pins.
        require_pins: whether each guarded setting must have a pin, and also each other pinnable setting that the
            environment sets.

    Raises:
        WrongSetting: the environment sets something else, or a pin is missing.
    """
    for name in PINNABLE if require_pins else ():
        is_set = name in overridden and overridden[name].text
        if name not in pinned and (name in GUARDED or is_set):
            raise WrongSetting(name, "has no pin, and require_pins is true: run `python -m pipelinejobs pin`")
    for name in [name for name in pinned if name in overridden]:
        _check_one(name, overridden[name], pinned[name])


def _check_one(name: str, override: Override, pin: str | None) -> None:
    if pin is None:
        if override.text:
            raise WrongSetting(name, f"is pinned to null in config.yml, so {override.variable} may not set it")
    elif not any(hmac.compare_digest(pin, digest(spelled)) for spelled in _spellings(name, override.text)):
        raise WrongSetting(
            name, f"is pinned in config.yml, and the value of {override.variable} does not match the pin"
        )


def digest(text: str) -> str:
    """SHA-256 of a text, as 64 hex digits. A text with bytes that are not UTF-8 has a digest too."""
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
    """A value of YAML or JSON as the environment spells it; None for a value that no text stands for."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))  # a JSON file may have 3600.0 for 3600
    if isinstance(value, str | int | float):
        return str(value)
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return ",".join(value)
    return None


def _spellings(name: str, text: str) -> Iterator[str]:
    """The text, and for a switch also its normal spelling: Abaco turns `false` in secrets.json into `False`."""
    yield text
    field_type = TABLE[name].field_type
    if isinstance(field_type, Switch):
        with contextlib.suppress(InvalidValue):
            yield "true" if field_type.parse(text) else "false"
