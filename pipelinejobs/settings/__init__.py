"""The settings of a process: config.yml, then the environment, checked once at the start.

A setting `a.b` of config.yml is overridden by the environment variable `_REACTOR_A_B`, the convention of the
Reactors SDK. Three that python-datacatalog has too are also taken under its names. The environment is not trusted
blindly: `pipelinejobs.settings.pins`. What settings there are is said in `pipelinejobs.settings.table`.

Why not a library: pydantic-settings would load pydantic in every one-shot run, and none knows pins.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from pipelinejobs.settings import config_file, mongodb_uri, pins
from pipelinejobs.settings.field_types import Choice, InvalidValue, Seconds, Switch, Whole
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
"""The file that is read when no other is named: the one beside reactor.py."""

_SHOWN = 40
"""Characters of a wrong value that an error repeats."""

_HARMLESS = (Whole, Seconds, Switch, Choice)
"""Types whose wrong values an error repeats; elsewhere an operator may have put a password in the wrong place."""


def load(environ: Mapping[str, str], path: Path | None = None) -> Settings:
    """The settings that the file at `path` and the environment `environ` make together.

    An empty text in the environment, and null or an empty text in the file, count as not set. Names that are
    not a setting's are ignored in the environment and refused in the file. Raises WrongSetting: one sentence
    with the setting's name, the variable's name where the value came from there, and never a secret value.
    """
    as_written = config_file.read(path or CONFIG)
    written = config_file.renamed(as_written)
    for name in (config_file.PINNED, config_file.REQUIRE_PINS):
        if environ.get(variable(name)):
            raise WrongSetting(name, f"can only be set in config.yml, not by {variable(name)}")
    pinned = pins.parse(written.get(config_file.PINNED))
    require_pins = _require_pins(written.get(config_file.REQUIRE_PINS))
    said = overrides(environ, written)
    pins.check(said, pinned, require_pins)

    values: dict[str, Any] = {name: {} for name in SECTIONS}
    for setting in TABLE.values():
        section, _, key = setting.name.partition(".")
        values[section][key] = _value(setting, written.get(setting.name), said.get(setting.name))
    parts = {name: SECTIONS[name](**values[name]) for name in SECTIONS}
    warnings = frozenset(_former_names(as_written, said))
    settings = Settings(**parts, pinned=pinned, require_pins=require_pins, warnings=warnings)
    settings = _without_half_a_pair(settings, said)
    _check_together(settings, said)
    return settings


def one(name: str, environ: Mapping[str, str], path: Path | None = None) -> Any:
    """The value of one setting, as `load` would give it; the others need only have known names.

    Raises WrongSetting where this one is wrong, or config.yml cannot be read.
    """
    written = config_file.renamed(config_file.read(path or CONFIG))
    return _value(TABLE[name], written.get(name), overrides(environ, written).get(name))


def secrets(settings: Settings) -> frozenset[str]:
    """Every text that must not be shown, for the log's redaction.

    These are the values of all secret settings and what can be read out of them: the connection string as it is
    used, the password in it, and the nonce or password in the Indexer's URL.
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


def _value(setting: Setting, written: object, said: Override | None) -> object:
    """The value of one setting: from the environment, else from the file, else its default."""
    text = said.text if said is not None else ""
    try:
        if text:
            return setting.field_type.parse(text)
        return setting.default if written is None or written == "" else setting.field_type.accept(written)
    except InvalidValue as invalid:
        shown = f", not {_short(text or written)}" if isinstance(setting.field_type, _HARMLESS) else ""
        source = _set_by([said]) if said is not None and text else ""
        raise WrongSetting(setting.name, f"{invalid}{shown}{source}") from None


def _former_names(as_written: Mapping[str, object], said: Mapping[str, Override]) -> Iterator[str]:
    """A sentence for each former name of a setting that config.yml or the environment uses."""
    pinned = as_written.get(config_file.PINNED)
    for former, present in RENAMED.items():
        names = [former] if former in as_written else []
        names += [f"pinned.{former}"] if isinstance(pinned, dict) and former in pinned else []
        names += [variable(former)] if present in said and said[present].variable == variable(former) else []
        for name in names:
            now = variable(present) if name == variable(former) else name.replace(former, present)
            yield f"{name} is a former name, which the next release will not know; it is now {now}"


def _without_half_a_pair(settings: Settings, said: Mapping[str, Override]) -> Settings:
    """The settings, without an administrative key or secret that python-datacatalog's variable sets alone.

    python-datacatalog has a default for the missing half, in public source, from which no administrative token may be
    made. The rest of such an environment is good, so that this is a warning and no error.
    """
    names = {"tokens.admin_key": settings.tokens.admin_key, "tokens.admin_secret": settings.tokens.admin_secret}
    missing, present = sorted(names, key=lambda name: names[name] is not None)
    is_half = names[missing] is None and names[present] is not None
    if not is_half or present not in said or said[present].variable != TABLE[present].also:
        return settings
    warning = f"{TABLE[present].also} is set without {TABLE[missing].also}, so that there are no administrative tokens"
    return settings._replace(
        tokens=settings.tokens._replace(admin_key=None, admin_secret=None), warnings=settings.warnings | {warning}
    )


def _require_pins(written: object) -> bool:
    try:
        return False if written is None else Switch().accept(written)
    except InvalidValue as invalid:
        raise WrongSetting(config_file.REQUIRE_PINS, f"{invalid}, not {_short(written)}") from None


def _check_together(settings: Settings, said: Mapping[str, Override]) -> None:
    """Raise WrongSetting where settings that are right one by one do not go together."""
    try:
        settings.mongodb.connection()
    except WrongSetting as wrong:
        names = [f"mongodb.{part}" for part in ("authn", "uri", "username", "password")]
        raise _named(wrong, names, said) from None
    key, secret = settings.tokens.admin_key, settings.tokens.admin_secret
    if (key is None) != (secret is None):
        missing, present = ("key", "secret") if key is None else ("secret", "key")
        problem = f"is missing, though tokens.admin_{present} is set; set both or neither"
        names = ["tokens.admin_key", "tokens.admin_secret"]
        raise _named(WrongSetting(f"tokens.admin_{missing}", problem), names, said)
    try:
        settings.gateway.check()
    except WrongSetting as wrong:
        raise _named(wrong, [name for name in TABLE if name.startswith("gateway.")], said) from None
    if settings.outbox.first_delay > settings.outbox.longest_delay:
        names = ["outbox.first_delay", "outbox.longest_delay"]
        raise _named(WrongSetting(names[0], f"must not be longer than {names[1]}"), names, said)


def _named(wrong: WrongSetting, names: Iterable[str], said: Mapping[str, Override]) -> WrongSetting:
    """The same error, with the variables that set any of `names`."""
    setting = [said[name] for name in names if name in said and said[name].text]
    problem = wrong.reason.removeprefix(f"{wrong.setting}: ")
    return WrongSetting(wrong.setting, problem + (_set_by(setting) if setting else ""))


def _set_by(said: Iterable[Override]) -> str:
    return f" (set by {', '.join(one.variable for one in said)})"


def _short(value: object) -> str:
    shown = ascii(value)  # one line, whatever is in it
    return shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}..."
