"""Every setting, from the table against which config.yml is checked."""

from pathlib import Path

from from_code.rst import literal, plain, section, table
from pipelinejobs.settings.config_file import PINNED, REQUIRE_PINS
from pipelinejobs.settings.pins import GUARDED, PINNABLE
from pipelinejobs.settings.table import SECTIONS, TABLE, Setting
from pipelinejobs.util.installation import DATA


def page() -> str:
    """One section of the page for each section of config.yml."""
    return "".join(_section(name) for name in SECTIONS)


def _section(name: str) -> str:
    rows = [_row(setting) for setting in TABLE.values() if setting.name.startswith(f"{name}.")]
    meaning = (SECTIONS[name].__doc__ or "").strip().splitlines()[0]
    return section(name, f"{plain(meaning)}\n\n{table(('setting', 'default', 'meaning'), rows, '30 20 50')}")


def _row(setting: Setting) -> tuple[str, str, str]:
    wanted = f"{'Secret: ' if setting.secret else 'A value is '}{setting.field_type.wanted}."
    also = f" If it is not set, {literal(setting.also)} is used." if setting.also else ""
    former = f" Its former name {literal(setting.former)} works for one more release." if setting.former else ""
    return literal(setting.name), default(setting.default), f"{plain(setting.meaning)} {plain(wanted)}{also}{former}"


def default(value: object) -> str:
    """A default, as it is written in config.yml."""
    if value is None or value == ():
        return "none"
    if isinstance(value, Path):
        return literal(value.relative_to(DATA) if value.is_relative_to(DATA) else value)
    if isinstance(value, bool):
        return literal(str(value).lower())
    return literal(f"{value:g}" if isinstance(value, float) else value)


def pins() -> str:
    """The two settings that can be set only in config.yml, and the settings that they protect."""
    others = [name for name in PINNABLE if name not in GUARDED]
    only = "For each pinned setting the only value that the environment may give it: the value, its digest, or null."
    start = "If true, the process refuses to start while a setting that must be pinned is not pinned."
    return table(("setting", "meaning"), [(literal(PINNED), only), (literal(REQUIRE_PINS), start)]) + (
        f"With {literal(REQUIRE_PINS)}, these must be pinned: {_listed(GUARDED)}. These may be pinned, and may "
        f"come from the environment only if they are: {_listed(others)}.\n\n"
    )


def _listed(names: object) -> str:
    assert isinstance(names, list | tuple)
    sections = dict.fromkeys(name.partition(".")[0] for name in names)
    return ", ".join(literal(f"{name}.*") for name in sections)


def variables() -> str:
    """The environment variables of each setting."""
    rows = [(literal(name), literal(one.name)) for one in TABLE.values() for name in one.variables]
    return table(("variable", "setting"), rows, "50 50")
