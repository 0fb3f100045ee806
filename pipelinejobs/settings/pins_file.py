"""Writes the pins into config.yml and keeps its comments. Used by the command `pin` only, because it needs ruamel.yaml.

Processes read their settings with PyYAML, which drops comments; ruamel.yaml keeps them, but is ten times slower.
"""

import contextlib
import io
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import YAMLError

from pipelinejobs.settings import config_file
from pipelinejobs.settings.config_file import PINNED
from pipelinejobs.settings.pins import DIGEST_PREFIX, GUARDED, PINNABLE, digest
from pipelinejobs.settings.table import Override, overrides, variable
from pipelinejobs.util.errors import CommandFailed, WrongSetting


def write(config: Path, secrets: Mapping[str, str]) -> list[str]:
    """Pins all guarded settings in a config.yml. Replaces the file in one step; only the table `pinned` changes.

    Args:
        config: the file.
        secrets: the actor's environment, as in secrets.json. A setting in it is pinned by digest; a guarded setting
            that it lacks, or has as an empty text, is pinned to null.

    Returns:
        the names of the settings that are pinned by digest.

    Raises:
        WrongSetting: the file is no valid config.yml.
        CommandFailed: the file cannot be written.
    """
    config = config.resolve()  # a symbolic link is followed, not replaced
    overridden = overrides(secrets, config_file.renamed(config_file.read(config)))
    pins: dict[str, str | None] = {}
    for name in PINNABLE:
        by, text = overridden.get(name, Override(variable(name), ""))
        if not isinstance(text, str):
            raise WrongSetting(name, f"must be text in the secrets ({by})")
        if text or name in GUARDED:
            pins[name] = DIGEST_PREFIX + digest(text) if text else None
    with config.open(encoding="utf-8", newline="") as file:  # newline="": keeps the line ends
        before = file.read()
    after = _rewritten(before, pins, config.name)
    if config_file.parse(after, config.name) != {**config_file.parse(before, config.name), PINNED: pins}:
        raise CommandFailed(f"{config.name}: cannot be rewritten without changing other settings")
    _replace(config, after)
    return [name for name, pin in pins.items() if pin is not None]


def _rewritten(text: str, pins: dict[str, str | None], name: str) -> str:
    """`text` with these pins. Keeps all comments, also those in and beside the old table."""
    yaml = YAML()
    yaml.width = 2**20  # adds no line breaks
    yaml.preserve_quotes = True
    yaml.representer.add_representer(type(None), lambda to, _: to.represent_scalar("tag:yaml.org,2002:null", "null"))
    try:
        document = yaml.load(text.replace("\r\n", "\n"))
    except YAMLError:  # ruamel.yaml reads YAML 1.2, PyYAML 1.1
        raise CommandFailed(f"{name}: cannot be rewritten: it is not YAML 1.2") from None
    if document is None:
        document = CommentedMap()
    table = document.get(PINNED)
    if not isinstance(table, CommentedMap):
        table = document[PINNED] = CommentedMap()
    table.fa.set_block_style()
    before, after = next(reversed(list(table)), None), next(reversed(pins))
    table.clear()
    table.update(pins)
    below = (table.ca.items.pop(before, None) or [None] * 3)[2] if before != after else None
    if below is not None:  # ruamel.yaml keeps what follows the table at its last key
        below.value = "".join(below.value.partition("\n")[1:])
        table.ca.items[after] = [None, None, below, None]
    out = io.StringIO()
    yaml.dump(document, out)
    return out.getvalue().replace("\n", "\r\n") if "\r\n" in text else out.getvalue()


def _replace(config: Path, text: str) -> None:
    """Replaces the file's text in one step: a reader sees either the old text or the new one."""
    temporary = None
    try:
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
