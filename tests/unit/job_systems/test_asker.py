"""Which URLs are asked, whatever the id of a job is."""

import re
from urllib.parse import urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipelinejobs.job_systems.access_token import AccessToken
from pipelinejobs.job_systems.agave import Agave
from pipelinejobs.job_systems.answer import Found
from pipelinejobs.job_systems.asker import Api, Asker
from pipelinejobs.job_systems.host import Host
from pipelinejobs.job_systems.tapis import Tapis
from pipelinejobs.util.deadline import Deadline
from pipelinejobs.util.http_json import JsonAnswer
from pipelinejobs.util.secret import Secret

SERVER = "https://api.example.org/prefix"


class Recorded(Host):
    """A host that records the URLs of requests, and knows no job."""

    def __init__(self) -> None:
        super().__init__("api.example.org", rate=1.0)
        self.urls: list[str] = []

    def request(
        self, method: str, url: str, headers: dict[str, str], deadline: Deadline, body: bytes | None = None
    ) -> JsonAnswer:
        self.urls.append(url)
        return JsonAnswer(404, {"status": "error"})


near_ids = st.text(st.sampled_from("aZ7._-/\\%?#@:; \n\0é"), max_size=12)


@pytest.mark.promise("S26")
@pytest.mark.parametrize(("api", "path"), [(Agave(SERVER), "/jobs/v2/"), (Tapis(SERVER), "/v3/jobs/")])
@given(job=near_ids | st.text(max_size=300))
@example("a" * 255)
@example("a" * 256)
@example("a\n")
def test_an_id_is_one_part_of_the_path_or_not_asked_for(api: Api, path: str, job: str) -> None:
    host = Recorded()
    answer = Asker(api, AccessToken(Secret("x"), None), host).ask(job, Deadline(60))
    if not host.urls:
        assert answer.found is Found.UNANSWERED
        assert not re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9_-]|\.(?!\.)){0,254}", job)
        return
    (url,) = host.urls
    parts = urlsplit(url)
    assert (parts.scheme, parts.netloc, parts.query, parts.fragment) == ("https", "api.example.org", "", "")
    assert parts.path == f"/prefix{path}{job}/status"
    assert ".." not in job
    assert "/" not in job
    assert answer.found is Found.UNKNOWN
