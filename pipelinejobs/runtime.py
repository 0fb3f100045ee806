"""What the process knows of the Abaco container in which it runs, offered as a `Reactor`.

Authors of reactors know the Reactors SDK, but it is on no package index and cannot be imported everywhere. If it can be
imported, the names of its Reactor can be used too. The few names that reactor.py needs do not depend on it. Settings
are always read by `pipelinejobs.settings`, and messages to other actors are sent by `pipelinejobs.actors`: the SDK's
`send_message` has no deadline, and if it is retried, the receiver gets the message twice.
"""

import importlib.util
import logging
from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from functools import cached_property
from types import MappingProxyType
from typing import Any, Final, NamedTuple, NoReturn, Protocol

from pipelinejobs.messages import parameters
from pipelinejobs.util.deadline import call_within
from pipelinejobs.util.record import shown
from pipelinejobs.util.secret import Secret

_SDK_SECONDS: Final = 5.0

_KEPT: Final = frozenset({"PATH", "HOME", "LANG", "TMPDIR", "HOSTNAME", "MSG", "LOCALONLY", *parameters.NAMES})
"""Variables that the process and a Reactor need, and the URL parameters that are read."""

_KEPT_PREFIXES: Final = ("LC_", "_abaco_", "_actor_", "_REACTOR_", "x_src_")


class Context(NamedTuple):
    """What Abaco says about one message, in environment variables. An empty variable counts as absent.

    Attributes:
        message: the message, `MSG`.
        username: the sender, `_abaco_username`. Abaco sets it after the URL parameters, so that a sender cannot forge
            it.
        execution_id, actor_id, api_server, access_token: set by Abaco in the same way.
        parameters: the whole environment, which holds the URL parameters under their own names.
        binary: whether the message is binary; Abaco does not put a binary message into `MSG`.
        local: whether `LOCALONLY=1` is set: the process does not run in a container of Abaco's.
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
        """The URL parameters that name this actor as the source of a message; receivers must not trust them."""
        named = {
            "x_src_actor_id": self.actor_id,
            "x_src_execution_id": self.execution_id,
            "x_session": self.parameters.get("x_session"),
        }
        return {name: value for name, value in named.items() if value}


def take_environment(environ: MutableMapping[str, str]) -> dict[str, str]:
    """Copies the environment, then removes from it the variables that the process does not need.

    Abaco makes a variable of every URL parameter. Without this, a sender could change how libraries behave, by
    `HTTPS_PROXY`, `SSL_CERT_FILE`, `OPENSSL_CONF` and others. Libraries read the process's environment; this project
    reads the copy.
    """
    copy = dict(environ)
    for name in copy:
        if name not in _KEPT and not name.startswith(_KEPT_PREFIXES):
            with suppress(OSError):  # the system cannot remove an empty name ("=x"), which does no harm
                del environ[name]
    return copy


def context(environ: Mapping[str, str]) -> Context:
    """The context in an environment."""

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
    """The part of a reactor that reactor.py uses."""

    @property
    def context(self) -> Context:
        """What Abaco says about the message."""

    @property
    def logger(self) -> logging.Logger:
        """The logger."""

    def on_success(self, message: str) -> NoReturn:
        """Logs, and ends the process with exit code 0."""

    def on_failure(self, message: str, code: int = 1) -> NoReturn:
        """Logs, and ends the process with this exit code."""


class OurReactor:
    """A Reactor without the SDK."""

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
    """A Reactor that has the names of the Reactors SDK's too, for developers who extend reactor.py.

    The SDK's Reactor is made when one of its names is first used, because making it can take seconds and reactor.py
    itself uses none of them. It gets this project's logger, because the SDK's own does not hide secrets.
    """

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._sdk, name)

    @cached_property
    def _sdk(self) -> Any:
        try:
            # Its constructor asks a server on the internet for our address, without a time limit.
            made = call_within(_SDK_SECONDS, _make_sdk)
        except (Exception, SystemExit) as error:
            why = type(error).__name__
            self.logger.warning("the Reactors SDK is not usable here", extra={"fields": {"why": why}})
            raise RuntimeError(f"the Reactors SDK is not usable here ({why})") from None
        made.logger = self.logger
        return made


def has_sdk() -> bool:
    """Whether the Reactors SDK is installed."""
    return importlib.util.find_spec("reactors") is not None


def reactor(environ: Mapping[str, str], logger: logging.Logger) -> Reactor:
    """A reactor; if the SDK is installed, with the SDK's names too.

    Call this after all secrets were given to the redaction: the SDK reads the environment of the process itself, and
    may log any part of it.
    """
    return SdkReactor(environ, logger) if has_sdk() else OurReactor(environ, logger)


def _make_sdk() -> Any:
    from pipelinejobs.actors.agave import contained

    with contained():  # the SDK imports agavepy
        from reactors.runtime import Reactor as Sdk

    return Sdk()
