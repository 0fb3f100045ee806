"""The section `gateway` of the settings: the resident HTTP service."""

import re
from pathlib import Path
from typing import Annotated, Final, NamedTuple

from pipelinejobs.core.permission import Permission
from pipelinejobs.settings.field_types import InvalidValue, Location, Names, Row, Text, Url, Whole
from pipelinejobs.util.errors import WrongSetting
from pipelinejobs.util.record import shown

ACTOR_PATTERN: Final = r"[A-Za-z0-9][A-Za-z0-9._~-]{0,127}"
ACTOR_WORDS: Final = "an actor's id or alias: letters, digits, and . _ ~ - after the first"

_HOST: Final = Text(r"[A-Za-z0-9.:_-]+", "a host name or address to listen at")
_HASHID: Final = Text(r"[A-Za-z0-9]{1,64}", "letters and digits")
_TENANT: Final = Text(r"[A-Za-z0-9][A-Za-z0-9.]{0,31}", "at most 32 letters, digits and dots")
_GRANTED: Final = tuple(permission.name for permission in Permission if permission is not Permission.NONE)


class Grant(NamedTuple):
    """What one user may do.

    Attributes:
        user: the user's name; `*` for every user whom TACC or Tapis identifies.
        permission: the highest permission of the user; it includes the lower ones.
        digest: SHA-256 of the user's static token, in hex; None if TACC or Tapis identifies the user.
    """

    user: str
    permission: Permission
    digest: str | None = None

    def __repr__(self) -> str:
        return shown(self, "digest")


class Grants(NamedTuple):
    """A list of `USER:PERMISSION`, or with `tokens` of `USER:PERMISSION:sha256:DIGEST`."""

    tokens: bool

    @property
    def wanted(self) -> str:
        form = "USER:PERMISSION:sha256:DIGEST" if self.tokens else "USER:PERMISSION"
        return f"a list of {form}, PERMISSION being {', '.join(_GRANTED)}; in the environment, separated by commas"

    def parse(self, text: str) -> tuple[Grant, ...]:
        return self.accept([part.strip() for part in text.split(",") if part.strip()])

    def accept(self, value: object) -> tuple[Grant, ...]:
        grants = tuple(self._grant(text) for text in Names().accept(value))
        users = [grant.user for grant in grants]
        if not self.tokens and len(set(users)) < len(users):
            raise InvalidValue("names a user twice")
        return grants

    def _grant(self, text: str) -> Grant:
        tail = r":sha256:([0-9A-Fa-f]{64})" if self.tokens else "()"
        found = re.fullmatch(rf"([^:]+):({'|'.join(_GRANTED)}){tail}", text)
        if found is None or (self.tokens and found[1] == "*"):
            raise InvalidValue(f"must be {self.wanted}")
        return Grant(found[1], Permission[found[2]], found[3].lower() or None)


class GatewaySection(NamedTuple):
    """The resident HTTP service. The actor does not read this section."""

    host: Annotated[str, Row(_HOST, "The address to listen at.")] = "127.0.0.1"
    port: Annotated[int, Row(Whole(0, 65535), "The port to listen at; 0: any free port.")] = 8080
    api_server: Annotated[
        str | None, Row(Url(), "The gateway's public address, for links; default: the address in the request.")
    ] = None
    actor_id: Annotated[str | None, Row(_HASHID, "The actor's id; default: derived from pipelines.job_manager_id.")] = (
        None
    )
    aliases: Annotated[tuple[str, ...], Row(Names(), "The actor's aliases, besides pipelines.job_manager_id.")] = ()
    tenant: Annotated[str, Row(_TENANT, "The tenant; ids of nonces begin with it.")] = "SD2E"
    tls_certificate: Annotated[
        Path | None,
        Row(Location("file"), "TLS certificate chain in PEM; with it and tls_key, the gateway serves https."),
    ] = None
    tls_key: Annotated[Path | None, Row(Location("file"), "The private key of tls_certificate, in PEM.")] = None
    tokens: Annotated[
        tuple[Grant, ...], Row(Grants(tokens=True), "Static Bearer tokens; the command bearer-token makes one.")
    ] = ()
    permissions: Annotated[
        tuple[Grant, ...],
        Row(Grants(tokens=False), "Permissions of users whom TACC or Tapis identifies; the user * means all others."),
    ] = ()
    oauth2_server: Annotated[str | None, Row(Url(), "The TACC API that identifies the user of a Bearer token.")] = None
    tapis_server: Annotated[
        str | None, Row(Url(), "The Tapis v3 site whose tokens are accepted; goes with tapis_tenants.")
    ] = None
    tapis_tenants: Annotated[
        tuple[str, ...], Row(Names(), "The tenants of the Tapis site whose tokens are accepted.")
    ] = ()
    tapis_key: Annotated[
        Path | None,
        Row(Location("file"), "The public key of the only tenant, in PEM; default: fetched from tapis_server."),
    ] = None
    processes: Annotated[
        int, Row(Whole(1, 64), "Processes that share the port; more than one use more than one core.")
    ] = 1
    workers: Annotated[int, Row(Whole(1, 64), "Batches of events that a process judges at the same time.")] = 2
    waiting: Annotated[
        int,
        Row(Whole(0, 65536), "Events that may be pending in a process; further ones get status 503."),
    ] = 512
    connections: Annotated[int, Row(Whole(1, 65536), "Open connections of a process; further ones get status 503.")] = (
        2000
    )
    executions_days: Annotated[int, Row(Whole(1, 365), "Days that executions are kept.")] = 2
    session_minutes: Annotated[int, Row(Whole(1, 1440), "Minutes that a session of the pages lasts.")] = 60

    def check(self) -> None:
        """Raises WrongSetting if settings that are valid each do not fit together."""
        for one, other in (("tls_certificate", "tls_key"), ("tls_key", "tls_certificate")):
            if getattr(self, one) is not None and getattr(self, other) is None:
                raise WrongSetting(f"gateway.{other}", f"is missing, though gateway.{one} is set; set both or neither")
        if (self.tapis_server is None) != (not self.tapis_tenants):
            missing, present = (
                ("tapis_tenants", "tapis_server") if self.tapis_server else ("tapis_server", "tapis_tenants")
            )
            raise WrongSetting(
                f"gateway.{missing}", f"is missing, though gateway.{present} is set; set both or neither"
            )
        if self.tapis_key is not None and len(self.tapis_tenants) != 1:
            raise WrongSetting(
                "gateway.tapis_key", "is the key of one tenant, so gateway.tapis_tenants must name exactly one"
            )
        for alias in self.aliases:
            if not re.fullmatch(ACTOR_PATTERN, alias):
                raise WrongSetting("gateway.aliases", f"must be aliases ({ACTOR_WORDS})")
