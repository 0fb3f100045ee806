"""A request that is not done, and how its sender is told."""

from http import HTTPStatus
from typing import Final

from pipelinejobs.util.errors import PipelineJobsError

RETRY_SECONDS: Final = 1
"""How long a sender is asked to wait after 503."""


class HttpError(PipelineJobsError):
    """The request cannot be done.

    Attributes:
        status: the HTTP status.
        headers: to be sent with the answer.
    """

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.headers: dict[str, str] = {}
        if status is HTTPStatus.SERVICE_UNAVAILABLE:
            self.headers["Retry-After"] = str(RETRY_SECONDS)
        if status is HTTPStatus.UNAUTHORIZED:
            self.headers["WWW-Authenticate"] = "Bearer"
