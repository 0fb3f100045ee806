"""Agave, and Aloe, its successor at TACC, which has the same paths: where to ask, and how to get access tokens."""

from base64 import b64encode
from typing import NamedTuple
from urllib.parse import urlencode

from pipelinejobs.job_systems.access_token import Renewed, check, renewed
from pipelinejobs.job_systems.host import Host
from pipelinejobs.util.deadline import Deadline
from pipelinejobs.util.secret import Secret


class Agave(NamedTuple):
    """The API of an Agave tenant. Its paths are those of agavepy's `jobs.getStatus` and `/token`."""

    server: str
    title: str = "Agave"

    def status_url(self, job: str) -> str:
        """Where the status of a job is asked for."""
        return f"{self.server}/jobs/v2/{job}/status"

    def headers(self, token: Secret) -> dict[str, str]:
        """The headers that show an access token."""
        return {"Authorization": f"Bearer {token.reveal()}"}


class AgaveClient:
    """An OAuth client of a user, with a refresh token.

    An answer may bring a new refresh token, and the former one may be worthless from then on. The new one is kept in
    memory only, so that a restarted process begins with the configured one.
    """

    def __init__(self, agave: Agave, key: Secret, secret: Secret, refresh_token: Secret) -> None:
        self._url = f"{agave.server}/token"
        self._client = Secret(b64encode(f"{key.reveal()}:{secret.reveal()}".encode()).decode())
        self._refresh_token = refresh_token

    def renew(self, host: Host, deadline: Deadline) -> Renewed:
        """See `Account.renew`."""
        form = {
            "grant_type": "refresh_token",
            "refresh_token": self._refresh_token.reveal(),
            "scope": "PRODUCTION",  # as agavepy
        }
        headers = {
            "Authorization": f"Basic {self._client.reveal()}",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        answer = host.request("POST", self._url, headers, deadline, urlencode(form).encode())
        check(answer, host.where, "the client or the refresh token (reconcile.agave_client_key, agave_refresh_token)")
        grant = answer.document if isinstance(answer.document, dict) else {}
        token = renewed(grant, host.where)
        following = grant.get("refresh_token")
        if isinstance(following, str) and following:
            self._refresh_token = Secret(following)
        return token
