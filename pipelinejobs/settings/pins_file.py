"""Writes the pins into config.yml, whose comments survive. For the command `pin` alone: it needs ruamel.yaml.

PyYAML, with which a process reads its settings, drops comments; ruamel.yaml keeps them, and reads ten times slower.
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
    """Pin every guarded setting in the file `config`, and return the names of those pinned by digest.

    `secrets` is the actor's environment, names of variables and their texts, as in secrets.json. What it holds
    is pinned by digest; what it lacks, or holds as an empty text, is pinned to null. Only the table `pinned` is
    rewritten; all else in the file, comments included, stays as it is. The file is replaced in one step.
    Raises WrongSetting for a file that could not be read at start, CommandFailed where it cannot be written.
    """
    config = config.resolve()  # a symbolic link is followed, not replaced
    said = overrides(secrets, config_file.renamed(config_file.read(config)))
    pins: dict[str, str | None] = {}
    for name in PINNABLE:
        by, text = said.get(name, Override(variable(name), ""))
        if not isinstance(text, str):
            raise WrongSetting(name, f"must be text in the secrets ({by})")
        if text or name in GUARDED:
            pins[name] = DIGEST_PREFIX + digest(text) if text else None
    with config.open(encoding="utf-8", newline="") as file:  # newline: line ends stay as they are
        before = file.read()
    after = _rewritten(before, pins, config.name)
    if config_file.parse(after, config.name) != {**config_file.parse(before, config.name), PINNED: pins}:
        raise CommandFailed(f"{config.name}: cannot be rewritten without a change of other settings")
    _replace(config, after)
    return [name for name, pin in pins.items() if pin is not None]


def _rewritten(text: str, pins: dict[str, str | None], name: str) -> str:
    """`text` with these pins; comments stay, also those within and beside the old table."""
    yaml = YAML()
    yaml.width = 2**20  # no line is broken that was not
    yaml.preserve_quotes = True
    yaml.representer.add_representer(type(None), lambda to, _: to.represent_scalar("tag:yaml.org,2002:null", "null"))
    try:
        document = yaml.load(text.replace("\r\n", "\n"))
    except YAMLError:  # it follows YAML 1.2, PyYAML 1.1
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
    if below is not None:  # what stands between the table and the next setting is kept at the table's last key
        below.value = "".join(below.value.partition("\n")[1:])
        table.ca.items[after] = [None, None, below, None]
    out = io.StringIO()
    yaml.dump(document, out)
    return out.getvalue().replace("\n", "\r\n") if "\r\n" in text else out.getvalue()


def _replace(config: Path, text: str) -> None:
    """Put `text` in place of the file's, so that a reader sees the old one or the new one, whole."""
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
