"""The settings of a process: read from config.yml and the environment, and checked once at the start.

The environment variable `_REACTOR_A_B` overrides the setting `a.b` of config.yml: the convention of the Reactors SDK.
Three settings can also be set by variables of python-datacatalog. `pipelinejobs.settings.pins` limits what the
environment may set. `pipelinejobs.settings.table` defines all settings.

Why not a library: pydantic-settings would load pydantic in each one-shot run, and no library supports pins.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from pipelinejobs.settings import config_file, mongodb_uri, pins
from pipelinejobs.settings.field_types import Choice, InvalidValue, Number, Switch, Whole
from pipelinejobs.settings.other_variables import remarks
from pipelinejobs.settings.table import (
    RENAMED,
    SECTIONS,
    TABLE,
    LimitsSection,
    Override,
    Setting,
    Settings,
    overrides,
    variable,
)
from pipelinejobs.util.errors import WrongSetting
from pipelinejobs.util.installation import ROOT
from pipelinejobs.util.secret import Secret

__all__ = ["CONFIG", "ROOT", "TABLE", "LimitsSection", "Settings", "load", "one", "remarks", "secrets"]

CONFIG: Final = ROOT / "config.yml"
"""The default file: the one beside reactor.py."""

_SHOWN = 40
"""Most characters of an invalid value that an error repeats."""

_HARMLESS = (Whole, Number, Switch, Choice)
"""Types whose invalid values an error repeats. For other types, the value may be a misplaced password."""


def load(environ: Mapping[str, str], path: Path | None = None) -> Settings:
    """Reads and checks all settings.

    An empty text counts as not set, and so does null in the file. Unknown names are ignored in the environment, and are
    errors in the file.

    Args:
        environ: the environment; it overrides the file.
        path: the file; None: `CONFIG`.

    Raises:
        WrongSetting: names the setting, and the variable if the value came from one. Never repeats a secret value.
    """
    as_written = config_file.read(path or CONFIG)
    written = config_file.renamed(as_written)
    for name in (config_file.PINNED, config_file.REQUIRE_PINS):
        if environ.get(variable(name)):
            raise WrongSetting(name, f"can only be set in config.yml, not by {variable(name)}")
    pinned = pins.parse(written.get(config_file.PINNED))
    require_pins = _require_pins(written.get(config_file.REQUIRE_PINS))
    overridden = overrides(environ, written)
    pins.check(overridden, pinned, require_pins)

    values: dict[str, Any] = {name: {} for name in SECTIONS}
    for setting in TABLE.values():
        section, _, key = setting.name.partition(".")
        values[section][key] = _value(setting, written.get(setting.name), overridden.get(setting.name))
    parts = {name: SECTIONS[name](**values[name]) for name in SECTIONS}
    warnings = frozenset(_former_names(as_written, overridden))
    settings = Settings(**parts, pinned=pinned, require_pins=require_pins, warnings=warnings)
    settings = _without_half_a_pair(settings, overridden)
    _check_together(settings, overridden)
    return settings


def one(name: str, environ: Mapping[str, str], path: Path | None = None) -> Any:
    """The value of one setting, as `load` would give it. The values of other settings are not checked.

    Raises:
        WrongSetting: this setting is invalid, or config.yml cannot be read or has an unknown name.
    """
    written = config_file.renamed(config_file.read(path or CONFIG))
    return _value(TABLE[name], written.get(name), overrides(environ, written).get(name))


def secrets(settings: Settings) -> frozenset[str]:
    """All texts that must not be shown, for redaction in the log.

    They are the values of all secret settings, and secrets inside them: the connection string, its password, and the
    nonce or password in the Indexer's URL.
    """
    sections = [getattr(settings, name) for name in SECTIONS]
    texts = {value.reveal() for section in sections for value in section if isinstance(value, Secret)}
    connection = settings.mongodb.connection()
    if connection is not None:
        texts |= {connection.reveal(), *mongodb_uri.password(connection.reveal())}
    if settings.pipelines.job_indexer_url is not None:
        url = settings.pipelines.job_indexer_url.reveal()
        nonces = {value for name, value in parse_qsl(urlsplit(url).query) if "nonce" in name.lower()}
        texts |= nonces | mongodb_uri.password(url)
    return frozenset(texts - {""})


def _value(setting: Setting, written: object, override: Override | None) -> object:
    """The value of one setting: from the environment, else from the file, else its default."""
    text = override.text if override is not None else ""
    try:
        if text:
            return setting.field_type.parse(text)
        return setting.default if written is None or written == "" else setting.field_type.accept(written)
    except InvalidValue as invalid:
        shown = f", not {_short(text or written)}" if isinstance(setting.field_type, _HARMLESS) else ""
        source = _set_by([override]) if override is not None and text else ""
        raise WrongSetting(setting.name, f"{invalid}{shown}{source}") from None


def _former_names(as_written: Mapping[str, object], overridden: Mapping[str, Override]) -> Iterator[str]:
    """A warning for each former name of a setting in config.yml or the environment."""
    pinned = as_written.get(config_file.PINNED)
    for former, present in RENAMED.items():
        names = [former] if former in as_written else []
        names += [f"pinned.{former}"] if isinstance(pinned, dict) and former in pinned else []
        names += (
            [variable(former)] if present in overridden and overridden[present].variable == variable(former) else []
        )
        for name in names:
            now = variable(present) if name == variable(former) else name.replace(former, present)
            yield f"{name} is deprecated and will stop working in the next release; use {now}"


def _without_half_a_pair(settings: Settings, overridden: Mapping[str, Override]) -> Settings:
    """The settings without administrative tokens, if a variable of python-datacatalog sets only the key or the secret.

    python-datacatalog would use its public default for the missing one, which no administrative token may depend on.
    Such an environment works otherwise, so this is a warning and not an error.
    """
    names = {"tokens.admin_key": settings.tokens.admin_key, "tokens.admin_secret": settings.tokens.admin_secret}
    missing, present = sorted(names, key=lambda name: names[name] is not None)
    is_half = names[missing] is None and names[present] is not None
    if not is_half or present not in overridden or overridden[present].variable != TABLE[present].also:
        return settings
    warning = f"{TABLE[present].also} is set without {TABLE[missing].also}, so there are no administrative tokens"
    return settings._replace(
        tokens=settings.tokens._replace(admin_key=None, admin_secret=None), warnings=settings.warnings | {warning}
    )


def _require_pins(written: object) -> bool:
    try:
        return False if written is None else Switch().accept(written)
    except InvalidValue as invalid:
        raise WrongSetting(config_file.REQUIRE_PINS, f"{invalid}, not {_short(written)}") from None


def _check_together(settings: Settings, overridden: Mapping[str, Override]) -> None:
    """Raises WrongSetting if settings that are valid each do not fit together."""
    try:
        settings.mongodb.connection()
    except WrongSetting as wrong:
        names = [f"mongodb.{part}" for part in ("authn", "uri", "username", "password")]
        raise _named(wrong, names, overridden) from None
    key, secret = settings.tokens.admin_key, settings.tokens.admin_secret
    if (key is None) != (secret is None):
        missing, present = ("key", "secret") if key is None else ("secret", "key")
        problem = f"is missing, though tokens.admin_{present} is set; set both or neither"
        names = ["tokens.admin_key", "tokens.admin_secret"]
        raise _named(WrongSetting(f"tokens.admin_{missing}", problem), names, overridden)
    for section in (settings.gateway, settings.reconcile):
        try:
            section.check()
        except WrongSetting as wrong:
            prefix = wrong.setting.partition(".")[0] + "."
            raise _named(wrong, [name for name in TABLE if name.startswith(prefix)], overridden) from None
    if settings.outbox.first_delay > settings.outbox.longest_delay:
        names = ["outbox.first_delay", "outbox.longest_delay"]
        raise _named(WrongSetting(names[0], f"must not be longer than {names[1]}"), names, overridden)


def _named(wrong: WrongSetting, names: Iterable[str], overridden: Mapping[str, Override]) -> WrongSetting:
    """The same error, with the names of the variables that set any of `names`."""
    setting = [overridden[name] for name in names if name in overridden and overridden[name].text]
    problem = wrong.reason.removeprefix(f"{wrong.setting}: ")
    return WrongSetting(wrong.setting, problem + (_set_by(setting) if setting else ""))


def _set_by(overridden: Iterable[Override]) -> str:
    return f" (set by {', '.join(one.variable for one in overridden)})"


def _short(value: object) -> str:
    shown = ascii(value)  # always one line
    return shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}..."
