"""All settings: their names, types, limits, defaults and meanings.

Each class is a section of config.yml and holds its values; each field is a setting, annotated with a `Row`. `TABLE` has
all settings by dotted name. Two other places repeat parts of this, and tests prove that they agree: config.yml (names,
defaults, meanings), and the classes that `bootstrap` fills from settings (defaults).
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
from pipelinejobs.settings.reconcile import ReconcileSection
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
"""Former names of settings, with the present ones. A former name works for one release; `remarks` warns about it."""

_FORMER: Final = {present: former for former, present in RENAMED.items()}


class Setting(NamedTuple):
    """Everything about one setting except its value."""

    name: str
    """Dotted, as in `mongodb.authn`."""
    field_type: FieldType
    default: object
    meaning: str
    """One sentence."""
    also: str | None = None
    """A variable of python-datacatalog for the same; see `field_types.Row`."""

    @property
    def secret(self) -> bool:
        """Whether its value is a `Secret`, which is never shown."""
        return isinstance(self.field_type, Hidden)

    @property
    def comment(self) -> str:
        """The comment above it in config.yml."""
        also = f"; if not set, the variable {self.also} counts" if self.also else ""
        return f"{self.meaning} ({'secret: ' if self.secret else ''}{self.field_type.wanted}{also})"

    @property
    def variable(self) -> str:
        """The environment variable that overrides it, by the convention of the Reactors SDK."""
        return variable(self.name)

    @property
    def variables(self) -> tuple[str, ...]:
        """All environment variables that can set it."""
        return tuple(name for name in (self.variable, self.former_variable, self.also) if name is not None)

    @property
    def former(self) -> str | None:
        """Its former name; None if it has none."""
        return _FORMER.get(self.name)

    @property
    def former_variable(self) -> str | None:
        """The variable of its former name; None if it has none."""
        return variable(self.former) if self.former is not None else None


def variable(name: str) -> str:
    """`_REACTOR_A_B` for the setting `a.b`."""
    return "_REACTOR_" + name.upper().replace(".", "_")


_ACTOR: Final = Text(ACTOR_PATTERN, ACTOR_WORDS)


class PipelinesSection(NamedTuple):
    """The actors: the Indexer, and the manager itself."""

    job_indexer_id: Annotated[str, Row(_ACTOR, "The actor id or alias of the Indexer.")] = "jobs-indexer.prod"
    job_indexer_nonce: Annotated[Secret | None, Row(Hidden(), "The nonce for messages to job_indexer_id.")] = None
    job_indexer_url: Annotated[
        Secret | None,
        Row(
            Hidden(http_url, "an http:// or https:// URL"),
            "The complete URL for messages to the Indexer; used instead of job_indexer_id.",
        ),
    ] = None
    job_manager_id: Annotated[str, Row(_ACTOR, "The actor id or alias of the manager.")] = "jobs-manager.prod"
    job_manager_nonce: Annotated[
        Secret | None,
        Row(Hidden(), "The nonce for messages to job_manager_id, which requeues them."),
    ] = None


class TokensSection(NamedTuple):
    """Job tokens and administrative tokens."""

    admin_key: Annotated[
        Secret | None,
        Row(Hidden(), "The key of administrative tokens; without it there are none.", "CATALOG_ADMIN_TOKEN_KEY"),
    ] = None
    admin_secret: Annotated[
        Secret | None,
        Row(Hidden(), "The secret of administrative tokens; goes with admin_key.", "CATALOG_ADMIN_TOKEN_SECRET"),
    ] = None
    admin_lifetime: Annotated[
        int,
        Row(
            Whole(1, 24 * _HOUR),
            "Length of a time window in seconds; an administrative token is valid in its window and the next.",
            "CATALOG_ADMIN_TOKEN_LIFETIME",
        ),
    ] = _HOUR
    trust_on_first_use: Annotated[
        bool,
        Row(
            Switch(),
            "For a job whose token cannot be computed: whether each sender's first token is trusted.",
        ),
    ] = True
    trusted_indexers: Annotated[
        tuple[str, ...], Row(Names(), "Users whose events index and indexed need no token; SD2E's Indexer sends none.")
    ] = ()


class HistorySection(NamedTuple):
    """How much history a job document holds. Older entries move to the collection jobs_history."""

    embedded: Annotated[int, Row(Whole(2, 5000), "Number of newest entries that the job document holds.")] = 500
    embedded_bytes: Annotated[int, Row(Whole(65536, 8388608), "Largest size of these entries in bytes.")] = 4194304


class OutboxSection(NamedTuple):
    """Messages to other actors. They are sent again until they are delivered, or have failed."""

    attempts: Annotated[
        int, Row(Whole(1, 1000), "Attempts after which a message has failed; the command drain still sends it.")
    ] = 20
    first_delay: Annotated[
        float,
        Row(Seconds(0, 24 * _HOUR), "Seconds before the second attempt; the wait doubles with each further attempt."),
    ] = 1.0
    longest_delay: Annotated[float, Row(Seconds(0, 168 * _HOUR), "Longest wait between two attempts, in seconds.")] = (
        3600.0
    )


class RequeueSection(NamedTuple):
    """If MongoDB cannot be reached, a one-shot run requeues its message: posts it to the actor's own queue again."""

    attempts: Annotated[
        int,
        Row(Whole(0, 10000), "How often a message is requeued; after that it is logged at level CRITICAL and lost."),
    ] = 100
    longest_delay: Annotated[
        float,
        Row(
            Seconds(0, _HOUR),
            "Longest wait before a message is requeued, in seconds; the wait starts at 1 and doubles.",
        ),
    ] = 8.0


class RefusedSection(NamedTuple):
    """Refused deliveries. They are stored with the reason in the collection jobs_refused."""

    per_job: Annotated[int, Row(Whole(1, 10000), "Number of newest deliveries that are stored for one job.")] = 100
    bytes: Annotated[int, Row(Whole(256, 1048576), "Bytes of one delivery that are stored.")] = 4096
    days: Annotated[int, Row(Whole(1, 3650), "Days that they are stored.")] = 30


class LimitsSection(NamedTuple):
    """Time limits, in seconds."""

    one_shot: Annotated[float, Row(Seconds(1, _HOUR), "A whole one-shot run.")] = 30.0
    database: Annotated[float, Row(Seconds(0, _HOUR), "One database call.")] = 10.0
    indexer: Annotated[float, Row(Seconds(0, _HOUR), "Sending one message to another actor.")] = 10.0
    request: Annotated[float, Row(Seconds(0, _HOUR), "One request to the gateway; Agave gives up after 10 s.")] = 8.0
    drain: Annotated[float, Row(Seconds(0, _HOUR), "The gateway's end, in which it finishes accepted requests.")] = 20.0


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
    reconcile: ReconcileSection = ReconcileSection()
    pinned: Mapping[str, str | None] = MappingProxyType({})
    """The pins by name of the setting: SHA-256 of its text in hex; None: the environment may not set it."""
    require_pins: bool = False
    warnings: frozenset[str] = frozenset()
    """Warnings for the log (`remarks`): former names, and administrative keys that are ignored."""

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
"""All settings except `pinned` and `require_pins`, by dotted name, in the order of config.yml."""

VARIABLES: Final = frozenset(name for setting in TABLE.values() for name in setting.variables)
"""All environment variables that can set a setting."""


class Override(NamedTuple):
    """A setting in the environment: the variable, and its text."""

    variable: str
    text: str


def overrides(environ: Mapping[str, str], written: Mapping[str, object]) -> dict[str, Override]:
    """The settings in the environment, by dotted name; also those with an empty text.

    Args:
        environ: the environment.
        written: the content of config.yml. If it sets a setting to another value than the default, the variable of
            python-datacatalog does not count.
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
