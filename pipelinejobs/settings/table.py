"""Every setting of the project: its name, type, default, limits and meaning.

A class is a section of config.yml and holds its values; a field is a setting, with a `Row` about it. `TABLE` lists
them all by dotted name. Two other places repeat what is said here, and tests prove that they agree: config.yml (names,
defaults and meanings), and the classes that `bootstrap` fills from settings (defaults).
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Annotated, Any, Final, NamedTuple

from pipelinejobs.settings.field_types import (
    Choice,
    FieldType,
    Hidden,
    Names,
    Row,
    Seconds,
    Switch,
    Text,
    Whole,
    http_url,
)
from pipelinejobs.settings.gateway import ACTOR_PATTERN, ACTOR_WORDS, GatewaySection
from pipelinejobs.settings.mongodb import MongodbSection
from pipelinejobs.util.record import shown
from pipelinejobs.util.secret import Secret

_HOUR = 3600

RENAMED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "handback.attempts": "requeue.attempts",
        "handback.longest_delay": "requeue.longest_delay",
        "gateway.rights": "gateway.permissions",
    }
)
"""Former names of settings, and the present ones. A former name works for one release, and `remarks` says so."""

_FORMER: Final = {present: former for former, present in RENAMED.items()}


class Setting(NamedTuple):
    """One row of the table: everything about a setting but its value."""

    name: str
    """Dotted, as in `mongodb.authn`."""
    field_type: FieldType
    default: object
    meaning: str
    """One sentence."""
    also: str | None = None
    """See `field_types.Row`."""

    @property
    def secret(self) -> bool:
        """Whether its values are held as `Secret` and never shown."""
        return isinstance(self.field_type, Hidden)

    @property
    def comment(self) -> str:
        """What config.yml says above it."""
        also = f"; where it is not set, {self.also} counts" if self.also else ""
        return f"{self.meaning} ({'secret: ' if self.secret else ''}{self.field_type.wanted}{also})"

    @property
    def variable(self) -> str:
        """The environment variable that overrides it; the Reactors SDK's convention."""
        return variable(self.name)

    @property
    def variables(self) -> tuple[str, ...]:
        """Every environment variable that can set it."""
        return tuple(name for name in (self.variable, self.former_variable, self.also) if name is not None)

    @property
    def former(self) -> str | None:
        """Its former name, where it has one."""
        return _FORMER.get(self.name)

    @property
    def former_variable(self) -> str | None:
        """The variable of its former name, where it has one."""
        return variable(self.former) if self.former is not None else None


def variable(name: str) -> str:
    """`_REACTOR_A_B` for the setting `a.b`."""
    return "_REACTOR_" + name.upper().replace(".", "_")


_ACTOR: Final = Text(ACTOR_PATTERN, ACTOR_WORDS)


class PipelinesSection(NamedTuple):
    """The Indexer's actor, and the manager's own."""

    job_indexer_id: Annotated[str, Row(_ACTOR, "The Indexer's actor id or alias.")] = "jobs-indexer.prod"
    job_indexer_nonce: Annotated[Secret | None, Row(Hidden(), "The nonce that goes with job_indexer_id.")] = None
    job_indexer_url: Annotated[
        Secret | None,
        Row(Hidden(http_url, "an http:// or https:// URL"), "The Indexer's messages URL in full; it is used as it is."),
    ] = None
    job_manager_id: Annotated[str, Row(_ACTOR, "The manager's own actor id or alias.")] = "jobs-manager.prod"
    job_manager_nonce: Annotated[
        Secret | None,
        Row(Hidden(), "The nonce that goes with job_manager_id, for requeued messages."),
    ] = None


class TokensSection(NamedTuple):
    """Job tokens and administrative tokens."""

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
            "Seconds in a token's time window; the token is valid in that window and in the next.",
            "CATALOG_ADMIN_TOKEN_LIFETIME",
        ),
    ] = _HOUR
    trust_on_first_use: Annotated[
        bool,
        Row(
            Switch(),
            "Whether each sender's first token is trusted for a job that the manager saw too late.",
        ),
    ] = True
    trusted_indexers: Annotated[
        tuple[str, ...], Row(Names(), "Users whose index and indexed events need no token; SD2E's Indexer sends none.")
    ] = ()


class HistorySection(NamedTuple):
    """How much history a job document keeps; older entries move to the collection jobs_history."""

    embedded: Annotated[int, Row(Whole(2, 5000), "Newest entries that the job document keeps.")] = 500
    embedded_bytes: Annotated[int, Row(Whole(65536, 8388608), "Bytes that these entries may take.")] = 4194304


class OutboxSection(NamedTuple):
    """Messages to other actors, which are sent until they are delivered or have failed."""

    attempts: Annotated[
        int, Row(Whole(1, 1000), "Attempts before a message has failed; `drain` sends it all the same.")
    ] = 20
    first_delay: Annotated[
        float, Row(Seconds(0, 24 * _HOUR), "Wait before the second attempt; it doubles with each further one.")
    ] = 1.0
    longest_delay: Annotated[float, Row(Seconds(0, 168 * _HOUR), "Longest wait between two attempts.")] = 3600.0


class RequeueSection(NamedTuple):
    """While MongoDB is away, a one-shot run requeues its message: posts it to the actor's own queue again."""

    attempts: Annotated[
        int, Row(Whole(0, 10000), "How often one message is requeued; after that it is logged at CRITICAL and lost.")
    ] = 100
    longest_delay: Annotated[
        float, Row(Seconds(0, _HOUR), "Longest wait before a message is requeued; the wait doubles from 1 s.")
    ] = 8.0


class RefusedSection(NamedTuple):
    """Refused deliveries, kept in the collection jobs_refused with the reason."""

    per_job: Annotated[int, Row(Whole(1, 10000), "Newest deliveries kept for one job.")] = 100
    bytes: Annotated[int, Row(Whole(256, 1048576), "Bytes kept of one delivery.")] = 4096
    days: Annotated[int, Row(Whole(1, 3650), "Days that they are kept.")] = 30


class LimitsSection(NamedTuple):
    """Time limits."""

    one_shot: Annotated[float, Row(Seconds(1, _HOUR), "A whole one-shot run.")] = 30.0
    database: Annotated[float, Row(Seconds(0, _HOUR), "One database call.")] = 10.0
    indexer: Annotated[float, Row(Seconds(0, _HOUR), "Sending one message to another actor.")] = 10.0
    request: Annotated[float, Row(Seconds(0, _HOUR), "One request to the gateway; Agave gives up after 10.")] = 8.0
    drain: Annotated[float, Row(Seconds(0, _HOUR), "The gateway's shutdown: finishing what it has accepted.")] = 20.0


class LogsSection(NamedTuple):
    """What is logged."""

    level: Annotated[
        str, Row(Choice(("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")), "The lowest level that is logged.")
    ] = "INFO"


class Settings(NamedTuple):
    """All settings. `Settings()` holds the defaults; `pipelinejobs.settings.load` reads what is configured."""

    mongodb: MongodbSection = MongodbSection()
    pipelines: PipelinesSection = PipelinesSection()
    tokens: TokensSection = TokensSection()
    history: HistorySection = HistorySection()
    outbox: OutboxSection = OutboxSection()
    requeue: RequeueSection = RequeueSection()
    refused: RefusedSection = RefusedSection()
    limits: LimitsSection = LimitsSection()
    logs: LogsSection = LogsSection()
    gateway: GatewaySection = GatewaySection()
    pinned: Mapping[str, str | None] = MappingProxyType({})
    """By name of the setting the hex SHA-256 of its text, or None: the environment may not supply it."""
    require_pins: bool = False
    warnings: frozenset[str] = frozenset()
    """What was read in another way than the operator may think, in sentences for the log (`remarks`)."""

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
            yield Setting(f"{section}.{key}", row.field_type, default, row.meaning, row.also)


TABLE: Final[Mapping[str, Setting]] = MappingProxyType({setting.name: setting for setting in _rows()})
"""Every setting but `pinned` and `require_pins`, by dotted name, in the order of config.yml."""

VARIABLES: Final = frozenset(name for setting in TABLE.values() for name in setting.variables)
"""Every environment variable that can set a setting."""


class Override(NamedTuple):
    """The text that the environment holds for a setting, and the variable that holds it."""

    variable: str
    text: str


def overrides(environ: Mapping[str, str], written: Mapping[str, object]) -> dict[str, Override]:
    """What the environment says of the settings, by dotted name; an empty text is there too.

    Args:
        written: what config.yml says. Where it sets a setting to anything but its default, which the repository's file
            repeats, the variable of python-datacatalog does not count.
    """
    found: dict[str, Override] = {}
    for setting in TABLE.values():
        name = setting.variable
        if not environ.get(name):
            is_written = written.get(setting.name) not in (None, "", setting.default)
            others = (setting.former_variable, None if is_written else setting.also)
            name = next((other for other in others if other is not None and other in environ), name)
        if name in environ:
            found[setting.name] = Override(name, environ[name])
    return found
