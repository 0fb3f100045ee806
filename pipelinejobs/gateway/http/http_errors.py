"""A request that is not done, and how its sender is told."""

from collections.abc import Mapping
from http import HTTPStatus

from pipelinejobs.core.verdict import Verdict
from pipelinejobs.util.errors import PipelineJobsError

STATUSES: Mapping[Verdict, HTTPStatus] = {
    Verdict.APPLIED: HTTPStatus.OK,
    Verdict.DUPLICATE: HTTPStatus.OK,
    Verdict.STALE: HTTPStatus.OK,
    Verdict.MALFORMED: HTTPStatus.BAD_REQUEST,
    Verdict.UNAUTHORISED: HTTPStatus.FORBIDDEN,
    Verdict.ILLEGAL: HTTPStatus.CONFLICT,
    Verdict.UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
}
"""The HTTP status of each verdict."""

RETRY_SECONDS = 1
"""How long a sender is asked to wait after 503."""


class Problem(PipelineJobsError):
    """The request cannot be done.

    Attributes:
        status: the HTTP status.
        verdict: what it comes to where the request is a message.
        headers: to be sent with the answer.
    """

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.verdict = _verdict(status)
        self.headers: dict[str, str] = {}
        if status is HTTPStatus.SERVICE_UNAVAILABLE:
            self.headers["Retry-After"] = str(RETRY_SECONDS)
        if status is HTTPStatus.UNAUTHORIZED:
            self.headers["WWW-Authenticate"] = "Bearer"


def _verdict(status: HTTPStatus) -> Verdict:
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return Verdict.UNAUTHORISED
    return Verdict.UNAVAILABLE if status >= HTTPStatus.INTERNAL_SERVER_ERROR else Verdict.MALFORMED
