"""Every setting of the project, defined once: its name, kind, default, limits and meaning.

A class is a section of config.yml and holds its values; a field is a setting. `TABLE` lists them all by dotted
name. config.yml repeats names, defaults and meanings, and a test proves that it says the same.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from types import MappingProxyType
from typing import Any, Final

from pipelinejobs.secret import Secret
from pipelinejobs.settings.gateway import ACTOR_PATTERN, ACTOR_WORDS, Gateway
from pipelinejobs.settings.kinds import Choice, Hidden, Kind, Names, Seconds, Switch, Text, Whole, http_url, row
from pipelinejobs.settings.mongodb import Mongodb

_HOUR = 3600


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table: everything about a setting but its value."""

    name: str
    """Dotted, as in `mongodb.authn`."""
    kind: Kind
    default: object
    meaning: str
    """One sentence."""

    @property
    def comment(self) -> str:
        """What config.yml says above it."""
        return f"{self.meaning} ({'secret: ' if self.kind.secret else ''}{self.kind.wanted})"

    @property
    def variable(self) -> str:
        """The environment variable that overrides it; the Reactors SDK's convention."""
        return variable(self.name)


def variable(name: str) -> str:
    """`_REACTOR_A_B` for the setting `a.b`."""
    return "_REACTOR_" + name.upper().replace(".", "_")


_ACTOR: Final = Text(ACTOR_PATTERN, ACTOR_WORDS)


# Sections that hold secrets have no equality: secrets are not compared outside pipelinejobs.tokens.
@dataclass(frozen=True, slots=True, eq=False)
class Pipelines:
    """The actors around us."""

    job_indexer_id: str = field(default="jobs-indexer.prod", metadata=row(_ACTOR, "The Indexer's actor id or alias."))
    job_indexer_nonce: Secret | None = field(
        default=None, metadata=row(Hidden(), "The nonce that goes with job_indexer_id.")
    )
    job_indexer_url: Secret | None = field(
        default=None,
        metadata=row(
            Hidden(http_url, "an http:// or https:// URL"), "The Indexer's messages URL in full; used as it is."
        ),
    )
    job_manager_id: str = field(default="jobs-manager.prod", metadata=row(_ACTOR, "Our own actor id or alias."))
    job_manager_nonce: Secret | None = field(
        default=None,
        metadata=row(Hidden(), "The nonce that goes with job_manager_id, for messages that are handed back."),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Tokens:
    """Who may do what."""

    admin_key: Secret | None = field(
        default=None, metadata=row(Hidden(), "Key of the administrative tokens; without it there are none.")
    )
    admin_secret: Secret | None = field(
        default=None, metadata=row(Hidden(), "Secret of the administrative tokens; goes with admin_key.")
    )
    admin_lifetime: int = field(
        default=_HOUR,
        metadata=row(Whole(1, 24 * _HOUR), "Seconds in a window; a token is good in its own and in the next."),
    )
    trust_on_first_use: bool = field(
        default=False,
        metadata=row(Switch(), "Whether the first token of a job whose salt was rotated before we saw it is believed."),
    )
    trusted_indexers: tuple[str, ...] = field(
        default=(),
        metadata=row(Names(), "Users whose index and indexed events need no token; SD2E's Indexer sends none."),
    )


@dataclass(frozen=True, slots=True)
class History:
    """How much history a job document keeps; older entries move to the collection jobs_history."""

    embedded: int = field(default=500, metadata=row(Whole(2, 5000), "Entries that the job document keeps, the newest."))
    embedded_bytes: int = field(
        default=4194304, metadata=row(Whole(65536, 8388608), "Bytes that these entries may fill.")
    )


@dataclass(frozen=True, slots=True)
class Outbox:
    """Messages owed to other actors."""

    attempts: int = field(
        default=20, metadata=row(Whole(1, 1000), "How often a message is tried before it stays as undelivered.")
    )
    first_delay: float = field(
        default=1.0, metadata=row(Seconds(0, 24 * _HOUR), "Wait before the second attempt; it doubles from there.")
    )
    longest_delay: float = field(
        default=3600.0, metadata=row(Seconds(0, 168 * _HOUR), "Where the wait stops doubling.")
    )


@dataclass(frozen=True, slots=True)
class Handback:
    """Messages that a one-shot run hands back to the actor's own queue while MongoDB is away."""

    attempts: int = field(
        default=100,
        metadata=row(Whole(0, 10000), "How often one message is handed back before it is given up, loudly."),
    )
    longest_delay: float = field(
        default=8.0, metadata=row(Seconds(0, _HOUR), "Wait before it is handed back, at the most; it doubles from 1 s.")
    )


@dataclass(frozen=True, slots=True)
class Refused:
    """Refused deliveries, kept in the collection jobs_refused for whoever asks why."""

    per_job: int = field(default=100, metadata=row(Whole(1, 10000), "Deliveries kept for one job, the newest."))
    bytes: int = field(default=4096, metadata=row(Whole(256, 1048576), "Bytes kept of one delivery."))
    days: int = field(default=30, metadata=row(Whole(1, 3650), "Days that they are kept."))


@dataclass(frozen=True, slots=True)
class Limits:
    """How long things may take."""

    one_shot: float = field(default=30.0, metadata=row(Seconds(1, _HOUR), "A one-shot run in all."))
    database: float = field(default=10.0, metadata=row(Seconds(0, _HOUR), "One call of the database."))
    indexer: float = field(default=10.0, metadata=row(Seconds(0, _HOUR), "One message to another actor."))
    request: float = field(
        default=8.0, metadata=row(Seconds(0, _HOUR), "One request to the gateway in all; Agave gives up after 10.")
    )
    drain: float = field(
        default=20.0, metadata=row(Seconds(0, _HOUR), "The gateway's end: finishing what it has accepted.")
    )


@dataclass(frozen=True, slots=True)
class Logs:
    """What is logged."""

    level: str = field(
        default="INFO",
        metadata=row(Choice(("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")), "The least that is logged."),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Settings:
    """All settings. `Settings()` holds the defaults; `pipelinejobs.settings.load` reads what is configured."""

    mongodb: Mongodb = field(default_factory=Mongodb)
    pipelines: Pipelines = field(default_factory=Pipelines)
    tokens: Tokens = field(default_factory=Tokens)
    history: History = field(default_factory=History)
    outbox: Outbox = field(default_factory=Outbox)
    handback: Handback = field(default_factory=Handback)
    refused: Refused = field(default_factory=Refused)
    limits: Limits = field(default_factory=Limits)
    logs: Logs = field(default_factory=Logs)
    gateway: Gateway = field(default_factory=Gateway)
    pinned: Mapping[str, str | None] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    """By name of the setting the hex SHA-256 of its text, or None: the environment may not supply it."""
    require_pins: bool = False


SECTIONS: Final[Mapping[str, type[Any]]] = MappingProxyType(
    {part.name: part.type for part in fields(Settings) if isinstance(part.type, type) and is_dataclass(part.type)}
)
"""The class of each section, in the order of config.yml."""


def _rows() -> Iterator[Setting]:
    for section, cls in SECTIONS.items():
        for part in fields(cls):
            yield Setting(f"{section}.{part.name}", default=part.default, **part.metadata)


TABLE: Final[Mapping[str, Setting]] = MappingProxyType({setting.name: setting for setting in _rows()})
"""Every setting but `pinned` and `require_pins`, by dotted name, in the order of config.yml."""


def unknown_variables(environ: Mapping[str, str]) -> list[str]:
    """Names that look like the variables of settings and are none: most likely misspelt, or meant for the SDK."""
    variables = {setting.variable for setting in TABLE.values()}
    return sorted(name for name in environ if name.startswith("_REACTOR_") and name not in variables)
