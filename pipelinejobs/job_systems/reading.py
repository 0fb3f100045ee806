"""Reads the answer of a job system. A pure function: only what names a known status of the asked job is a status."""

import json
import re
from http.client import responses
from typing import Any, Final

from pipelinejobs.job_systems.answer import Answer, Found, unanswered, unknown
from pipelinejobs.messages.agave import LEFT_OUT
from pipelinejobs.messages.statuses import EVENT_OF, as_word
from pipelinejobs.messages.values import problems
from pipelinejobs.util.http_json import JsonAnswer

LARGEST: Final = 4096
"""The most bytes of a result, as JSON, that are kept. Members that do not fit are left out."""

_IDS: Final = ("id", "uuid")
_SHOWABLE: Final = re.compile(r"[A-Z_]{1,40}")


def read(answer: JsonAnswer, job: str, where: str) -> Answer:
    """What an answer says about a job.

    Args:
        answer: the answer, with any status and document.
        job: the id that was asked for.
        where: the host, for reasons.
    """
    answered = f"{where} answered {answer.status}"
    document = answer.document
    if answer.status == 404:
        # The envelope says `success` or `error`, depending on the system. Both mean the same.
        is_its_own = isinstance(document, dict) and "status" in document
        doubt = "" if is_its_own else "; or this is not the API of a job system (the answer is not in its envelope)"
        return unknown(f"{answered}: no such job, or not visible to this credential{doubt}")
    if answer.status == 403:
        return unknown(f"{answered}: this credential may not see the job")
    if answer.status == 401:
        return unanswered(f"{answered}, also to a new access token: it does not work, or may not see this job")
    if answer.status != 200:
        note = "; redirects are not followed" if 300 <= answer.status <= 399 else ""
        return unanswered(f"{answered} {responses.get(answer.status, '')}".rstrip() + note)
    if not isinstance(document, dict):
        return unanswered(f"{answered} without a JSON object")
    if document.get("status") != "success":
        return unanswered(f"{answered} without the envelope of a success")
    result = document.get("result")
    if not isinstance(result, dict) or not isinstance(result.get("status"), str):
        return unanswered(f"{answered} without a text in result.status")
    if any(result.get(key) not in (None, job) for key in _IDS):
        return unanswered(f"{answered} about another job than the one that was asked for")
    status = as_word(result["status"])
    if status not in EVENT_OF:
        word = status if _SHOWABLE.fullmatch(status) else "of another form"
        return unanswered(f"{answered} with a status that is not known here: {word}")
    return Answer(Found.STATUS, status, _kept(result), f"{answered}: {status}")


def _kept(result: dict[str, Any]) -> dict[str, Any]:
    """The members of a result that MongoDB can hold, without bulky ones."""
    kept: dict[str, Any] = {}
    size = 0
    for key, value in result.items():
        member = {key: value}
        if key in LEFT_OUT or any(problems(member)):
            continue
        more = len(json.dumps(member))
        if size + more <= LARGEST:
            kept |= member
            size += more
    return kept
