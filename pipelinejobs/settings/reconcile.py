"""The section `reconcile` of the settings: which job systems are asked about quiet jobs, and with which credentials."""

import re
from typing import Annotated, Final, NamedTuple
from urllib.parse import urlsplit

from pipelinejobs.settings.field_types import Hidden, InvalidValue, Number, Row, Seconds, Text, http_url
from pipelinejobs.util.errors import WrongSetting
from pipelinejobs.util.secret import Secret

_DAY: Final = 86_400


class Server:
    """The URL of a job system's API; slashes at its end are removed. It holds no user, query or fragment."""

    @property
    def wanted(self) -> str:
        return "an http:// or https:// URL without user, query and fragment"

    def parse(self, text: str) -> str:
        parts = urlsplit(http_url(text))
        if "@" in parts.netloc or "?" in text or "#" in text or not text.isascii():
            raise InvalidValue(f"must be {self.wanted}")
        return text.rstrip("/")

    def accept(self, value: object) -> str:
        return self.parse(Text().accept(value))


def _token(text: str) -> None:
    if not re.fullmatch(r"[!-~]+", text):
        raise InvalidValue("must be an access token: printable ASCII characters without spaces")


_TOKEN: Final = Hidden(_token, "an access token")


class ReconcileSection(NamedTuple):
    """Asking job systems about jobs from which no report came for long. Nothing is asked if no server is set."""

    every: Annotated[float, Row(Seconds(0, _DAY), "Seconds between two rounds of questions of the gateway.")] = 300.0
    after: Annotated[
        float, Row(Seconds(0, 365 * _DAY), "Seconds without a report after which the gateway asks about a job.")
    ] = 21_600.0
    rate: Annotated[float, Row(Number(0, 1000), "Most requests a second to the host of a job system.")] = 5.0
    agave_server: Annotated[
        str | None, Row(Server(), "The API that is asked about jobs of Agave and Aloe; needs a token or a client.")
    ] = None
    agave_token: Annotated[
        Secret | None, Row(_TOKEN, "An access token for agave_server, which is used until it expires.")
    ] = None
    agave_client_key: Annotated[
        Secret | None, Row(Hidden(), "The key of an OAuth client at agave_server; instead of agave_token.")
    ] = None
    agave_client_secret: Annotated[Secret | None, Row(Hidden(), "The secret of agave_client_key.")] = None
    agave_refresh_token: Annotated[
        Secret | None, Row(Hidden(), "A refresh token of agave_client_key, with which access tokens are renewed.")
    ] = None
    tapis_server: Annotated[
        str | None, Row(Server(), "The Tapis v3 site that is asked about its jobs; needs a token or a user.")
    ] = None
    tapis_token: Annotated[
        Secret | None, Row(_TOKEN, "An access token for tapis_server, which is used until it expires.")
    ] = None
    tapis_user: Annotated[
        str | None, Row(Text(), "The user whose tokens are used at tapis_server; instead of tapis_token.")
    ] = None
    tapis_password: Annotated[Secret | None, Row(Hidden(), "The password of tapis_user.")] = None

    def check(self) -> None:
        """Raises WrongSetting if settings that are valid each do not fit together."""
        self._check_system("agave", ("client_key", "client_secret", "refresh_token"))
        self._check_system("tapis", ("user", "password"))

    def _check_system(self, system: str, account: tuple[str, ...]) -> None:
        """Checks one job system: a server goes with exactly one credential, a token or a whole account."""

        def is_set(key: str) -> bool:
            return getattr(self, f"{system}_{key}") is not None

        def wrong(key: str, problem: str) -> WrongSetting:
            return WrongSetting(f"reconcile.{system}_{key}", problem)

        given = [key for key in account if is_set(key)]
        if is_set("token") and given:
            raise wrong("token", f"is set, and so is reconcile.{system}_{given[0]}; set only one of them")
        if given and len(given) < len(account):
            missing = next(key for key in account if key not in given)
            raise wrong(missing, f"is missing, though reconcile.{system}_{given[0]} is set")
        credential = "token" if is_set("token") else next(iter(given), None)
        if credential is None and is_set("server"):
            names = ", ".join(f"reconcile.{system}_{key}" for key in account)
            raise wrong("server", f"needs a credential: set reconcile.{system}_token, or {names}")
        if credential is not None and not is_set("server"):
            raise wrong("server", f"is missing, though reconcile.{system}_{credential} is set")
