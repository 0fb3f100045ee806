"""Tapis v3: where to ask, and how to get access tokens."""

import json
from typing import NamedTuple

from pipelinejobs.job_systems.access_token import Renewed, check, renewed
from pipelinejobs.job_systems.host import Host
from pipelinejobs.util.deadline import Deadline
from pipelinejobs.util.secret import Secret


class Tapis(NamedTuple):
    """A Tapis v3 site. Its paths are those of the OpenAPI descriptions of Jobs and Authenticator."""

    server: str
    title: str = "Tapis"

    def status_url(self, job: str) -> str:
        """Where the status of a job is asked for."""
        return f"{self.server}/v3/jobs/{job}/status"

    def headers(self, token: Secret) -> dict[str, str]:
        """The headers that show an access token."""
        return {"X-Tapis-Token": token.reveal()}


class TapisUser:
    """A user with a password."""

    def __init__(self, tapis: Tapis, user: str, password: Secret) -> None:
        self._url = f"{tapis.server}/v3/oauth2/tokens"
        self._user = user
        self._password = password

    def renew(self, host: Host, deadline: Deadline) -> Renewed:
        """See `Account.renew`."""
        asked = {"username": self._user, "password": self._password.reveal(), "grant_type": "password"}
        headers = {"Content-Type": "application/json"}
        answer = host.request("POST", self._url, headers, deadline, json.dumps(asked).encode())
        check(answer, host.where, "the user or the password (reconcile.tapis_user, tapis_password)")
        result = answer.document.get("result") if isinstance(answer.document, dict) else None
        return renewed(result.get("access_token") if isinstance(result, dict) else None, host.where)

    def settle(self) -> None:
        """See `Account.settle`. There is nothing to finish: the password stays."""
