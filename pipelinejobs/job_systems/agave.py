"""Agave, and Aloe, its successor at TACC, which has the same paths: where to ask, and how to get access tokens."""

from base64 import b64encode
from typing import NamedTuple
from urllib.parse import urlencode

from pipelinejobs.job_systems.access_token import Renewed, check, renewed
from pipelinejobs.job_systems.host import Host
from pipelinejobs.job_systems.refresh_token import Keeper, RefreshToken
from pipelinejobs.util.deadline import Deadline
from pipelinejobs.util.http_json import JsonAnswer
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

    An answer may bring a new refresh token; the former one, and the former access token, may be worthless from then on.
    """

    def __init__(
        self, agave: Agave, key: Secret, secret: Secret, refresh_token: Secret, keeper: Keeper | None = None
    ) -> None:
        self._url = f"{agave.server}/token"
        self._client = Secret(b64encode(f"{key.reveal()}:{secret.reveal()}".encode()).decode())
        self._refresh_token = RefreshToken(refresh_token, agave.server, key, secret, keeper)

    def renew(self, host: Host, deadline: Deadline) -> Renewed:
        """See `Account.renew`."""
        if (shared := self._refresh_token.shared()) is not None:
            return shared
        answer = self._answer(host, deadline)
        # Another process may have renewed its token just before, which ended the refresh token that was sent.
        if answer.status in (400, 401) and self._refresh_token.look():
            if (shared := self._refresh_token.shared()) is not None:
                return shared
            answer = self._answer(host, deadline)
        check(answer, host.where, "the client or the refresh token (reconcile.agave_client_key, agave_refresh_token)")
        grant = answer.document if isinstance(answer.document, dict) else {}
        following = grant.get("refresh_token")
        new = None
        try:
            new = renewed(grant, host.where)
            return new
        finally:  # an unusable access token leaves the refresh token beside it as good as it is
            self._refresh_token.replace(Secret(following) if isinstance(following, str) and following else None, new)

    def settle(self) -> None:
        """See `Account.settle`."""
        self._refresh_token.settle()

    def _answer(self, host: Host, deadline: Deadline) -> JsonAnswer:
        form = {
            "grant_type": "refresh_token",
            "refresh_token": self._refresh_token.newest.reveal(),
            "scope": "PRODUCTION",  # as agavepy
        }
        headers = {
            "Authorization": f"Basic {self._client.reveal()}",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        return host.request("POST", self._url, headers, deadline, urlencode(form).encode())
