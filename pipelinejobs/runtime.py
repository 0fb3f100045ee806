"""Where the process runs: the container of an Abaco actor, seen through a `Reactor`.

The Reactors SDK is what authors of reactors know, but it is on no package index and does not import everywhere. Where
it can be imported its Reactor is made and given our logger. The few names that reactor.py needs are ours everywhere.
Settings are always read by `pipelinejobs.settings`, and messages to other actors are sent by `pipelinejobs.actors`:
the SDK's `send_message` keeps to no deadline, and one that is tried again is sent twice.
"""

import importlib.util
import logging
from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from types import MappingProxyType
from typing import Any, Final, NamedTuple, NoReturn, Protocol

from pipelinejobs.messages import parameters
from pipelinejobs.util.deadline import call_within
from pipelinejobs.util.record import shown
from pipelinejobs.util.secret import Secret

_SDK_SECONDS: Final = 5.0

_KEPT: Final = frozenset({"PATH", "HOME", "LANG", "TMPDIR", "HOSTNAME", "MSG", "LOCALONLY", *parameters.NAMES})
"""What a process and a Reactor need, and the URL parameters that mean something to us."""

_KEPT_PREFIXES: Final = ("LC_", "_abaco_", "_actor_", "_REACTOR_", "x_src_")


class Context(NamedTuple):
    """What Abaco says about one message. An empty text counts as absent.

    Attributes:
        message: `MSG`.
        username: who sent it; Abaco sets this last, so that no caller can.
        execution_id, actor_id, api_server, access_token: Abaco's own, likewise.
        parameters: the whole environment; the URL parameters are in it under their own names.
        binary: whether the message is binary, which then is not in `MSG`.
        local: whether this is no container at all (`LOCALONLY=1`).
    """

    message: str | None = None
    username: str | None = None
    execution_id: str | None = None
    actor_id: str | None = None
    api_server: str | None = None
    access_token: Secret | None = None
    parameters: Mapping[str, str] = MappingProxyType({})
    binary: bool = False
    local: bool = False

    def __repr__(self) -> str:
        return shown(self, "message", "parameters")

    @property
    def provenance(self) -> dict[str, str]:
        """The URL parameters by which reactors say where a message of theirs comes from; informative, never trusted."""
        named = {
            "x_src_actor_id": self.actor_id,
            "x_src_execution_id": self.execution_id,
            "x_session": self.parameters.get("x_session"),
        }
        return {name: value for name, value in named.items() if value}


def take_environment(environ: MutableMapping[str, str]) -> dict[str, str]:
    """Copies the environment, then takes out of the process's own whatever it does not need.

    Abaco makes a variable of every URL parameter, so that a caller could steer the libraries that are imported later:
    `HTTPS_PROXY`, `SSL_CERT_FILE`, `OPENSSL_CONF` and the like. They read the process's environment; we read the copy.
    """
    copy = dict(environ)
    for name in copy:
        if name not in _KEPT and not name.startswith(_KEPT_PREFIXES):
            with suppress(OSError):  # the system does not take out an empty name ("=x"), which steers nothing
                del environ[name]
    return copy


def context(environ: Mapping[str, str]) -> Context:
    """The context that an environment tells of."""

    def text(name: str) -> str | None:
        return environ.get(name) or None

    token = text("_abaco_access_token")
    return Context(
        message=text("MSG"),
        username=text("_abaco_username"),
        execution_id=text("_abaco_execution_id"),
        actor_id=text("_abaco_actor_id"),
        api_server=text("_abaco_api_server"),
        access_token=Secret(token) if token is not None else None,
        parameters=environ,
        binary=environ.get("_abaco_Content_Type") == "application/octet-stream",
        local=environ.get("LOCALONLY") == "1",
    )


class Reactor(Protocol):
    """What reactor.py needs of a reactor."""

    @property
    def context(self) -> Context:
        """What Abaco says about the message."""

    @property
    def logger(self) -> logging.Logger:
        """Where log lines go."""

    def on_success(self, message: str) -> NoReturn:
        """Logs, and ends the process well."""

    def on_failure(self, message: str, code: int = 1) -> NoReturn:
        """Logs, and ends the process with this exit code."""


class OurReactor:
    """A Reactor on agavepy's conventions, without the SDK."""

    def __init__(self, environ: Mapping[str, str], logger: logging.Logger) -> None:
        self.context = context(environ)
        self.logger = logger

    def on_success(self, message: str) -> NoReturn:
        """Logs at INFO and exits with 0."""
        self.logger.info(message)
        raise SystemExit(0)

    def on_failure(self, message: str, code: int = 1) -> NoReturn:
        """Logs at CRITICAL and exits with `code`."""
        self.logger.critical(message)
        raise SystemExit(code)


class SdkReactor(OurReactor):
    """The same names beside a Reactor of the Reactors SDK, which is given our logger: its own hides too little.

    It ends as ours does: the exit code of a failure is ours, since the SDK knows only 1.
    """

    def __init__(self, sdk: Any, environ: Mapping[str, str], logger: logging.Logger) -> None:
        super().__init__(environ, logger)
        sdk.logger = logger


def has_sdk() -> bool:
    """Whether the Reactors SDK is installed."""
    return importlib.util.find_spec("reactors") is not None


def reactor(environ: Mapping[str, str], logger: logging.Logger) -> Reactor:
    """The SDK's reactor where there is one that can be made, else ours.

    The SDK reads the environment of the process by itself, and may log any of it: to be called when the redaction knows
    every secret.
    """
    if not has_sdk():
        return OurReactor(environ, logger)
    try:
        # Its constructor asks a server on the internet for our address and would wait for it for ever.
        return SdkReactor(call_within(_SDK_SECONDS, _make_sdk), environ, logger)
    except (Exception, SystemExit) as error:
        logger.warning("the Reactors SDK is not usable here", extra={"fields": {"why": type(error).__name__}})
        return OurReactor(environ, logger)


def _make_sdk() -> Any:
    from pipelinejobs.actors.agave import contained

    with contained():  # the SDK imports agavepy
        from reactors.runtime import Reactor as Sdk

    return Sdk()
