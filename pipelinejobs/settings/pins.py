"""Pins: what the environment may say of the settings that guard.

Abaco gives every URL parameter of a message to the process as an environment variable, over the actor's own. So
whoever may send a message could name another database or another administrative key. A pin in config.yml, which
is part of the image, says what the environment may supply: one value, usually as a digest, or none at all.
"""

import contextlib
import hashlib
import hmac
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

import yaml

from pipelinejobs.settings import config_file
from pipelinejobs.settings.config_file import PINNED
from pipelinejobs.settings.field_types import Switch, Unfit
from pipelinejobs.settings.table import TABLE, Given, given, variable
from pipelinejobs.util.errors import CommandFailed, WrongSetting

GUARDED: Final = tuple(name for name in TABLE if name.startswith(("tokens.", "mongodb.", "pipelines.")))
"""The settings that must be pinned: whoever changes one of them takes over jobs or receives tokens and nonces."""

PINNABLE: Final = GUARDED + tuple(
    name for name in TABLE if name.startswith(("history.", "outbox.", "handback.", "refused.", "limits."))
)
"""The settings that can be pinned. Whoever changes one of the others here can make a run give up what it owes to the
Indexer, or forget refusals. So with `require_pins` the environment may give them only where there is a pin."""

_DIGEST = "sha256:"


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


def check(said: Mapping[str, Given], pinned: Mapping[str, str | None], require_pins: bool) -> None:
    """Raise WrongSetting where the environment says what the pins do not allow.

    `said` is what it says, by whichever variable (`table.given`).

    With `require_pins` every guarded setting must have a pin, whether the environment names it or not, and every
    other one that can be pinned where the environment names it. An empty
    text is held against a digest like any other: else it would unset what the actor's own environment had set.
    """
    for name in PINNABLE if require_pins else ():
        if name not in pinned and (name in GUARDED or (name in said and said[name].text)):
            raise WrongSetting(name, "has no pin, and require_pins is true: run `python -m pipelinejobs pin`")
    for name, wanted in pinned.items():
        if name not in said:
            continue
        by, text = said[name]
        if wanted is None:
            if text:
                raise WrongSetting(name, f"is pinned in config.yml and may not be set by {by}")
        elif not any(hmac.compare_digest(wanted, digest(spelled)) for spelled in _spellings(name, text)):
            raise WrongSetting(name, f"is pinned in config.yml, and what {by} says does not match")


def digest(text: str) -> str:
    """64 hex digits: SHA-256 of the text in UTF-8. Bytes that are no UTF-8 have a digest too, and match nothing."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def write(config: Path, secrets: Mapping[str, str]) -> list[str]:
    """Pin every guarded setting in the file `config`, and return the names of those pinned by digest.

    `secrets` is the actor's environment, names of variables and their texts, as in secrets.json. What it holds
    is pinned by digest; what it lacks, or holds as an empty text, is pinned to null. Only the table `pinned` is
    rewritten; all else in the file, comments included, stays as it is. The file is replaced in one step.
    Raises WrongSetting for a file that could not be read at start, CommandFailed where it cannot be written.
    """
    config = config.resolve()  # a symbolic link is followed, not replaced
    said = given(secrets, config_file.read(config))
    pins: dict[str, str | None] = {}
    for name in PINNABLE:
        by, text = said.get(name, Given(variable(name), ""))
        if not isinstance(text, str):
            raise WrongSetting(name, f"must be text in the secrets ({by})")
        if text or name in GUARDED:
            pins[name] = _DIGEST + digest(text) if text else None
    with config.open(encoding="utf-8", newline="") as file:  # newline: line ends stay as they are
        before = file.read()
    after = _rewritten(before, pins)
    expected = {**config_file.parse(before, config.name), PINNED: pins}
    if config_file.parse(after, config.name) != expected:
        raise CommandFailed(f"{config.name}: cannot be rewritten; give `{PINNED}: {{}}` a line of its own")
    _replace(config, after)
    return [name for name, pin in pins.items() if pin is not None]


def _pin_digest(name: str, pin: object) -> str:
    text = as_text(pin)
    if text is None:
        raise WrongSetting(f"{PINNED}.{name}", "must be the setting's value, null, or sha256: and a digest")
    if not text.startswith(_DIGEST):
        return digest(text)
    hexdigits = text.removeprefix(_DIGEST)
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
    kind = TABLE[name].kind
    if isinstance(kind, Switch):
        with contextlib.suppress(Unfit):
            yield "true" if kind.parse(text) else "false"


def _rewritten(text: str, pins: Mapping[str, str | None]) -> str:
    """`text` with another `pinned` table; comments within and beside the old one are kept."""
    newline = "\r\n" if "\r\n" in text else "\n"
    lines = [f"  {name}: {'null' if pin is None else pin}" for name, pin in pins.items()]
    root = yaml.compose(text, Loader=yaml.SafeLoader)  # its marks count characters; the C loader's need not
    pairs = root.value if isinstance(root, yaml.MappingNode) else []
    found = next(((key, value) for key, value in pairs if key.value == PINNED), None)
    if found is None:
        start = text if not text or text.endswith("\n") else text + newline
        return start + newline.join([f"{PINNED}:", *lines, ""])
    key, value = found
    start, end = key.start_mark.index, value.end_mark.index
    if isinstance(value, yaml.MappingNode) and not value.flow_style:
        # A block ends where the next key begins; comments and blank lines just before that key are the key's own.
        end = value.value[-1][1].end_mark.index
    tail, _, rest = text[end:].partition("\n")
    comments = [line.strip() for line in text[start:end].splitlines() if line.strip().startswith("#")]
    if value.start_mark.line > key.start_mark.line:  # then what stands beside the key is before the value
        tail = text[key.end_mark.index :].partition("\n")[0]
    beside = re.search(r"#.*", tail)
    head = f"{PINNED}:  {beside.group().rstrip()}" if beside else f"{PINNED}:"
    return text[:start] + newline.join([head, *(f"  {comment}" for comment in comments), *lines, ""]) + rest


def _replace(config: Path, text: str) -> None:
    """Put `text` in place of the file's, so that a reader sees the old one or the new one, whole."""
    temporary = None
    try:
        import tempfile  # here, since only the command `pin` writes

        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", newline="", dir=config.parent, prefix=config.name, delete=False
        ) as file:
            temporary = Path(file.name)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        shutil.copymode(config, temporary)
        temporary.replace(config)
    except OSError as error:
        if temporary is not None:
            with contextlib.suppress(OSError):
                temporary.unlink()
        raise CommandFailed(f"{config.name} cannot be written: {error.strerror}") from None
