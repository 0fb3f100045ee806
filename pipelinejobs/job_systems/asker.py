"""Asks one job system about one job."""

import re
from typing import Final, Protocol

from pipelinejobs.job_systems.access_token import AccessToken
from pipelinejobs.job_systems.answer import Answer, unanswered
from pipelinejobs.job_systems.host import Host, NoAnswer
from pipelinejobs.job_systems.reading import read
from pipelinejobs.messages.values import shown
from pipelinejobs.util.deadline import Deadline
from pipelinejobs.util.http_json import JsonAnswer
from pipelinejobs.util.secret import Secret

_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")
"""The ids that may get into a path; more than any job system gives. None of their characters has a meaning there."""


class Api(Protocol):
    """The API of a job system."""

    @property
    def title(self) -> str:
        """The system's name, for reasons."""

    def status_url(self, job: str) -> str:
        """Where the status of a job is asked for."""

    def headers(self, token: Secret) -> dict[str, str]:
        """The headers that show an access token."""


class Asker:
    """Asks with one credential, and renews its token once if the server does not accept it."""

    def __init__(self, api: Api, token: AccessToken, host: Host) -> None:
        self._api = api
        self._token = token
        self._host = host

    def obstacle(self) -> str | None:
        """Why no question is asked now, and for how long; None if one would be asked."""
        return self._host.obstacle() or self._token.obstacle()

    def unaskable(self, job: str) -> str | None:
        """Why no question is asked about a job with this id; None if one is."""
        is_id = _ID.fullmatch(job) and ".." not in job
        return None if is_id else f"{shown(job)} is not an id of a job of {self._api.title}, so it is not asked for"

    def ask(self, job: str, deadline: Deadline) -> Answer:
        """Asks for the status of a job; see `JobSystems.ask`."""
        why = self.unaskable(job)
        if why is not None:
            return unanswered(why)
        try:
            token = self._token.current(self._host, deadline)
            answer = self._question(job, token, deadline)
            if answer.status == 401:
                token = self._token.another(token, self._host, deadline)
                answer = self._question(job, token, deadline)
        except NoAnswer as error:
            return unanswered(error.reason)
        if answer.status != 401:
            self._token.worked()
        return read(answer, job, self._host.where)

    def _question(self, job: str, token: Secret, deadline: Deadline) -> JsonAnswer:
        return self._host.request("GET", self._api.status_url(job), self._api.headers(token), deadline)
