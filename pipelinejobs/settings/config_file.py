"""Reads config.yml as a flat table of dotted names and YAML values. Types and limits are checked elsewhere."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from pipelinejobs.settings.table import RENAMED, SECTIONS, TABLE
from pipelinejobs.util.errors import WrongSetting

PINNED: Final = "pinned"
REQUIRE_PINS: Final = "require_pins"

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # CSafeLoader is about ten times faster
_MAP = "tag:yaml.org,2002:map"


def read(path: Path) -> dict[str, object]:
    """Reads a file. Former names of settings are kept; `renamed` replaces them.

    Returns:
        the YAML values by dotted name, including `pinned` and `require_pins`.

    Raises:
        WrongSetting: the file cannot be read, is not YAML, repeats a key, or has an unknown name. The error repeats no
            value, because a value may be a secret.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise WrongSetting(path.name, f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise WrongSetting(path.name, "cannot be read: it is not UTF-8 text") from None
    return _flat(parse(text, path.name), path.name)


def parse(text: str, filename: str) -> dict[object, object]:
    """Parses the text of a config.yml; an empty text is an empty table. Raises WrongSetting as `read` does."""
    loader = None
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None:
            return {}
        if node.tag != _MAP:
            raise WrongSetting(filename, "must be a table of settings")
        _refuse_twice(node, "")
        document: dict[object, object] = loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        line = f" at line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise WrongSetting(filename, f"is not valid YAML{line}") from None
    except (yaml.YAMLError, ValueError, TypeError, RecursionError):  # impossible dates, unhashable keys, deep nests
        raise WrongSetting(filename, "is not valid YAML") from None
    finally:
        if loader is not None:
            loader.dispose()
    return document


def unknown(name: str, known: Iterable[str], prefix: str = "") -> WrongSetting:
    """The error for an unknown name; it suggests the most similar known name."""
    import difflib  # imported only for this error

    alike = difflib.get_close_matches(name, list(known), n=1)
    return WrongSetting(prefix + name, "is not a setting" + (f"; did you mean {alike[0]}?" if alike else ""))


def _refuse_twice(node: yaml.MappingNode, prefix: str) -> None:
    """Raises WrongSetting if a key is repeated: YAML would silently use the last value."""
    seen = set()
    for key, value in node.value:
        name = f"{prefix}{key.value}"
        if name in seen:
            raise WrongSetting(name, f"is in the file twice, the second time at line {key.start_mark.line + 1}")
        seen.add(name)
        if isinstance(value, yaml.MappingNode) and not prefix:
            _refuse_twice(value, f"{name}.")


def renamed(written: Mapping[str, object]) -> dict[str, object]:
    """Replaces former names by present ones, also in the pins. Raises WrongSetting if both are present."""
    found = _renamed(written, "")
    pinned = found.get(PINNED)
    if isinstance(pinned, dict):
        found[PINNED] = _renamed(pinned, f"{PINNED}.")
    return found


def _renamed(written: Mapping[str, object], prefix: str) -> dict[str, object]:
    for former, present in RENAMED.items():
        if former in written and present in written:
            raise WrongSetting(prefix + present, f"is in the file twice, also by its former name {former}")
    return {RENAMED.get(name, name): value for name, value in written.items()}


def _flat(document: dict[object, object], filename: str) -> dict[str, object]:
    tops = (*SECTIONS, PINNED, REQUIRE_PINS)
    former = {name.partition(".")[0] for name in RENAMED}
    found: dict[str, object] = {}
    for top, value in document.items():
        if top not in tops and top not in former:
            raise unknown(str(top), (*tops, *TABLE))
        if top in (PINNED, REQUIRE_PINS):
            found[str(top)] = value
            continue
        if value is not None and not isinstance(value, dict):
            raise WrongSetting(str(top), f"must be a section of {filename}, with settings under it")
        for key, inner in (value or {}).items():
            name = f"{top}.{key}"
            if name not in TABLE and name not in RENAMED:
                raise unknown(name, TABLE)
            found[name] = inner
    return found
