"""Every setting, from the table that config.yml is held to."""

from pathlib import Path

from from_code.rst import literal, plain, section, table
from pipelinejobs.settings.config_file import PINNED, REQUIRE_PINS
from pipelinejobs.settings.field_types import BASE
from pipelinejobs.settings.pins import GUARDED, PINNABLE
from pipelinejobs.settings.table import SECTIONS, TABLE, Setting


def page() -> str:
    """A section of the page for each section of config.yml."""
    return "".join(_section(name) for name in SECTIONS)


def _section(name: str) -> str:
    rows = [_row(setting) for setting in TABLE.values() if setting.name.startswith(f"{name}.")]
    meaning = (SECTIONS[name].__doc__ or "").strip().splitlines()[0]
    return section(name, f"{plain(meaning)}\n\n{table(('setting', 'default', 'meaning'), rows, '30 20 50')}")


def _row(setting: Setting) -> tuple[str, str, str]:
    wanted = f"{'Secret: ' if setting.secret else 'A value is '}{setting.field_type.wanted}."
    also = f" Where it is not set, {literal(setting.also)} counts." if setting.also else ""
    former = f" Its former name {literal(setting.former)} works for one more release." if setting.former else ""
    return literal(setting.name), default(setting.default), f"{plain(setting.meaning)} {plain(wanted)}{also}{former}"


def default(value: object) -> str:
    """A default as config.yml writes it."""
    if value is None or value == ():
        return "none"
    if isinstance(value, Path):
        return literal(value.relative_to(BASE) if value.is_relative_to(BASE) else value)
    if isinstance(value, bool):
        return literal(str(value).lower())
    return literal(f"{value:g}" if isinstance(value, float) else value)


def pins() -> str:
    """The two settings that only config.yml can say, and what they are about."""
    others = [name for name in PINNABLE if name not in GUARDED]
    return table(
        ("setting", "meaning"),
        [
            (literal(PINNED), "By dotted name the value that the environment may give, or the digest of it, or null."),
            (literal(REQUIRE_PINS), "Whether the process refuses to start while one that must be pinned is not."),
        ],
    ) + (
        f"Must be pinned: {_listed(GUARDED)}.\n\nCan be pinned, and with {literal(REQUIRE_PINS)} may come from the "
        f"environment only then: {_listed(others)}.\n\n"
    )


def _listed(names: object) -> str:
    assert isinstance(names, list | tuple)
    sections = dict.fromkeys(name.partition(".")[0] for name in names)
    return ", ".join(literal(f"{name}.*") for name in sections)


def variables() -> str:
    """The environment variables of each setting."""
    rows = [(literal(name), literal(one.name)) for one in TABLE.values() for name in one.variables]
    return table(("variable", "setting"), rows, "50 50")
