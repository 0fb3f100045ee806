"""The error that becomes an HTTP answer."""

from http import HTTPStatus
from typing import Final

from pipelinejobs.util.errors import PipelineJobsError

RETRY_SECONDS: Final = 1
"""The Retry-After of answers with status 503."""


class HttpError(PipelineJobsError):
    """The request is refused, or has failed.

    Attributes:
        status: the HTTP status.
        headers: header fields of the answer: Retry-After for 503, WWW-Authenticate for 401.
    """

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.headers: dict[str, str] = {}
        if status is HTTPStatus.SERVICE_UNAVAILABLE:
            self.headers["Retry-After"] = str(RETRY_SECONDS)
        if status is HTTPStatus.UNAUTHORIZED:
            self.headers["WWW-Authenticate"] = "Bearer"
