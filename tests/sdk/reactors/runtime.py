"""A stand-in for `reactors.runtime` of the Reactors SDK 0.8.0, with what is known of it: names, arguments and habits.

It takes everything from the environment of the process, makes agavepy's client and context of it, and logs through a
logger of its own that has two handlers for stderr. It hides the values of `_REACTOR_*` variables and the access token,
but nothing that can be read out of them, no nonce and no job's token.
"""

import logging
import os
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from agavepy.actors import get_client, get_context

constructs: Callable[[], object] = lambda: None  # noqa: E731 - a test replaces it
"""What happens besides while a Reactor is made."""


class _Formatter(logging.Formatter):
    def __init__(self, name: str, hidden: list[str]) -> None:
        super().__init__(f"{name} %(levelname)s %(message)s")
        self._hidden = hidden

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        for secret in self._hidden:
            text = text.replace(secret, "*****")
        return text


class Reactor:
    """A Reactor. Of the real one's attributes it has those that say where a message comes from, and the loggers."""

    def __init__(
        self,
        redactions: list[str] = [],  # noqa: B006 - the SDK's habit
        namespace: str = "_REACTOR",
        session: str | None = None,
        tapis_optional: bool = False,
    ) -> None:
        self.client = get_client()
        self.context = get_context()
        self.message: dict[str, Any] = self.context["message_dict"]
        self.uid: str | None = self.context["actor_id"]
        self.execid: str | None = self.context["execution_id"]
        self.username: str | None = self.context["username"]
        self.session = session
        self.local = os.environ.get("LOCALONLY") == "1"
        hidden = [value for name, value in os.environ.items() if name.startswith(namespace) and len(value) > 4]
        self.logger = logging.getLogger("myLogger")
        self.logger.setLevel(os.environ.get(f"{namespace}_LOGS_LEVEL", "DEBUG"))
        for _ in ("screen", "loggly"):
            handler = logging.StreamHandler()
            handler.setFormatter(_Formatter(str(self.uid), [*redactions, *hidden, self.context["_abaco_access_token"]]))
            self.logger.addHandler(handler)
        constructs()

    def on_success(self, successMessage: str = "Success") -> NoReturn:  # noqa: N803 - the SDK's names, here and below
        """Ends the process well."""
        self.logger.info(successMessage)
        sys.exit(0)

    def on_failure(self, failMessage: str = "Failure", exceptionObject: object = None) -> NoReturn:  # noqa: N803
        """Ends the process."""
        self.logger.critical(f"{failMessage} : {exceptionObject}")
        sys.exit(1)

    def send_message(
        self,
        actorId: str,  # noqa: N803
        message: dict[str, Any],
        environment: dict[str, str] = {},  # noqa: B006 - the SDK's habit
        ignoreErrors: bool = True,  # noqa: N803
        senderTags: bool = True,  # noqa: N803
        retryMaxAttempts: int = 5,  # noqa: N803
        retryDelay: float = 1,  # noqa: N803
        sync: bool = False,
    ) -> NoReturn:
        """Nothing of ours sends through the SDK."""
        raise AssertionError(f"a message to {actorId} went through the SDK")
