"""Every setting of the project, defined once: its name, kind, default, limits and meaning.

A class is a section of config.yml and holds its values; a field is a setting, with a `Row` about it. `TABLE` lists
them all by dotted name. config.yml repeats names, defaults and meanings, and a test proves that it says the same.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Annotated, Any, Final, NamedTuple

from pipelinejobs.settings.field_types import Choice, Hidden, Kind, Names, Row, Seconds, Switch, Text, Whole, http_url
from pipelinejobs.settings.gateway import ACTOR_PATTERN, ACTOR_WORDS, Gateway
from pipelinejobs.settings.mongodb import Mongodb
from pipelinejobs.util.record import shown
from pipelinejobs.util.secret import Secret

_HOUR = 3600


class Setting(NamedTuple):
    """One row of the table: everything about a setting but its value."""

    name: str
    """Dotted, as in `mongodb.authn`."""
    kind: Kind
    default: object
    meaning: str
    """One sentence."""
    also: str | None = None
    """See `kinds.Row`."""

    @property
    def secret(self) -> bool:
        """Whether its values are held as `Secret` and never shown."""
        return isinstance(self.kind, Hidden)

    @property
    def comment(self) -> str:
        """What config.yml says above it."""
        also = f"; where it is not set, {self.also} counts" if self.also else ""
        return f"{self.meaning} ({'secret: ' if self.secret else ''}{self.kind.wanted}{also})"

    @property
    def variable(self) -> str:
        """The environment variable that overrides it; the Reactors SDK's convention."""
        return variable(self.name)

    @property
    def variables(self) -> tuple[str, ...]:
        """Every environment variable that can say it."""
        return (self.variable,) if self.also is None else (self.variable, self.also)


def variable(name: str) -> str:
    """`_REACTOR_A_B` for the setting `a.b`."""
    return "_REACTOR_" + name.upper().replace(".", "_")


_ACTOR: Final = Text(ACTOR_PATTERN, ACTOR_WORDS)


class Pipelines(NamedTuple):
    """The actors around us."""

    job_indexer_id: Annotated[str, Row(_ACTOR, "The Indexer's actor id or alias.")] = "jobs-indexer.prod"
    job_indexer_nonce: Annotated[Secret | None, Row(Hidden(), "The nonce that goes with job_indexer_id.")] = None
    job_indexer_url: Annotated[
        Secret | None,
        Row(Hidden(http_url, "an http:// or https:// URL"), "The Indexer's messages URL in full; used as it is."),
    ] = None
    job_manager_id: Annotated[str, Row(_ACTOR, "Our own actor id or alias.")] = "jobs-manager.prod"
    job_manager_nonce: Annotated[
        Secret | None, Row(Hidden(), "The nonce that goes with job_manager_id, for messages that are handed back.")
    ] = None


class Tokens(NamedTuple):
    """Who may do what."""

    admin_key: Annotated[
        Secret | None,
        Row(Hidden(), "Key of the administrative tokens; without it there are none.", "CATALOG_ADMIN_TOKEN_KEY"),
    ] = None
    admin_secret: Annotated[
        Secret | None,
        Row(Hidden(), "Secret of the administrative tokens; goes with admin_key.", "CATALOG_ADMIN_TOKEN_SECRET"),
    ] = None
    admin_lifetime: Annotated[
        int,
        Row(
            Whole(1, 24 * _HOUR),
            "Seconds in a window; a token is good in its own and in the next.",
            "CATALOG_ADMIN_TOKEN_LIFETIME",
        ),
    ] = _HOUR
    trust_on_first_use: Annotated[
        bool,
        Row(Switch(), "Whether one token of each sender is trusted for a job whose salt was changed before we saw it."),
    ] = True
    trusted_indexers: Annotated[
        tuple[str, ...], Row(Names(), "Users whose index and indexed events need no token; SD2E's Indexer sends none.")
    ] = ()


class History(NamedTuple):
    """How much history a job document keeps; older entries move to the collection jobs_history."""

    embedded: Annotated[int, Row(Whole(2, 5000), "Entries that the job document keeps, the newest.")] = 500
    embedded_bytes: Annotated[int, Row(Whole(65536, 8388608), "Bytes that these entries may fill.")] = 4194304


class Outbox(NamedTuple):
    """Messages owed to other actors."""

    attempts: Annotated[int, Row(Whole(1, 1000), "How often a message is tried before it stays as undelivered.")] = 20
    first_delay: Annotated[
        float, Row(Seconds(0, 24 * _HOUR), "Wait before the second attempt; it doubles from there.")
    ] = 1.0
    longest_delay: Annotated[float, Row(Seconds(0, 168 * _HOUR), "Where the wait stops doubling.")] = 3600.0


class Handback(NamedTuple):
    """Messages that a one-shot run hands back to the actor's own queue while MongoDB is away."""

    attempts: Annotated[
        int, Row(Whole(0, 10000), "How often one message is handed back before it is given up, loudly.")
    ] = 100
    longest_delay: Annotated[
        float, Row(Seconds(0, _HOUR), "Wait before it is handed back, at the most; it doubles from 1 s.")
    ] = 8.0


class Refused(NamedTuple):
    """Refused deliveries, kept in the collection jobs_refused for whoever asks why."""

    per_job: Annotated[int, Row(Whole(1, 10000), "Deliveries kept for one job, the newest.")] = 100
    bytes: Annotated[int, Row(Whole(256, 1048576), "Bytes kept of one delivery.")] = 4096
    days: Annotated[int, Row(Whole(1, 3650), "Days that they are kept.")] = 30


class Limits(NamedTuple):
    """How long things may take."""

    one_shot: Annotated[float, Row(Seconds(1, _HOUR), "A one-shot run in all.")] = 30.0
    database: Annotated[float, Row(Seconds(0, _HOUR), "One call of the database.")] = 10.0
    indexer: Annotated[float, Row(Seconds(0, _HOUR), "One message to another actor.")] = 10.0
    request: Annotated[float, Row(Seconds(0, _HOUR), "One request to the gateway in all; Agave gives up after 10.")] = (
        8.0
    )
    drain: Annotated[float, Row(Seconds(0, _HOUR), "The gateway's end: finishing what it has accepted.")] = 20.0


class Logs(NamedTuple):
    """What is logged."""

    level: Annotated[
        str, Row(Choice(("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")), "The least that is logged.")
    ] = "INFO"


class Settings(NamedTuple):
    """All settings. `Settings()` holds the defaults; `pipelinejobs.settings.load` reads what is configured."""

    mongodb: Mongodb = Mongodb()
    pipelines: Pipelines = Pipelines()
    tokens: Tokens = Tokens()
    history: History = History()
    outbox: Outbox = Outbox()
    handback: Handback = Handback()
    refused: Refused = Refused()
    limits: Limits = Limits()
    logs: Logs = Logs()
    gateway: Gateway = Gateway()
    pinned: Mapping[str, str | None] = MappingProxyType({})
    """By name of the setting the hex SHA-256 of its text, or None: the environment may not supply it."""
    require_pins: bool = False

    def __repr__(self) -> str:
        return shown(self, "pinned")


SECTIONS: Final[Mapping[str, type[Any]]] = MappingProxyType(
    {
        name: type(section)
        for name, section in zip(Settings._fields, Settings(), strict=True)
        if isinstance(section, tuple)
    }
)
"""The class of each section, in the order of config.yml."""


def _rows() -> Iterator[Setting]:
    for section, cls in SECTIONS.items():
        for key, default in cls()._asdict().items():
            (row,) = cls.__annotations__[key].__metadata__
            yield Setting(f"{section}.{key}", row.kind, default, row.meaning, row.also)


TABLE: Final[Mapping[str, Setting]] = MappingProxyType({setting.name: setting for setting in _rows()})
"""Every setting but `pinned` and `require_pins`, by dotted name, in the order of config.yml."""

VARIABLES: Final = frozenset(name for setting in TABLE.values() for name in setting.variables)
"""Every environment variable that can say a setting."""


class Given(NamedTuple):
    """What the environment says of a setting, and by which variable."""

    variable: str
    text: str


def given(environ: Mapping[str, str], written: Mapping[str, object]) -> dict[str, Given]:
    """What the environment says of the settings, by dotted name; an empty text is there too.

    Args:
        written: what config.yml says. Where it sets a setting to anything but its default, which the repository's file
            repeats, the variable of python-datacatalog does not count.
    """
    found: dict[str, Given] = {}
    for setting in TABLE.values():
        is_set = environ.get(setting.variable) or written.get(setting.name) not in (None, "", setting.default)
        name = setting.also if setting.also is not None and setting.also in environ and not is_set else setting.variable
        if name in environ:
            found[setting.name] = Given(name, environ[name])
    return found
