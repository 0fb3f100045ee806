"""The page with the list of jobs."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import pytest

from pipelinejobs.util.errors import Unavailable
from support.gateway import Gateway
from support.pages import HOSTILE, Visitor, assert_harmless, seen, visitor
from support.process import Documents, StoredJob

PIPELINE = "10650844-1baa-55c5-a481-5e945b19c065"


def listed(page: str) -> list[str]:
    """The uuids of the jobs on a page, from top to bottom."""
    return re.findall(r'<tr id="job-([^"]*)"', page)


def link(page: str, words: str) -> str:
    """The target of the link with this text."""
    found = re.search(rf'<a class="button" href="([^"]*)"[^>]*>{words}<', page)
    assert found is not None, words
    return unescape(found[1])


def test_the_newest_changed_come_first(gateway: Gateway, new_job: Callable[..., StoredJob]) -> None:
    jobs = [new_job(updated=datetime(2026, 1, day, tzinfo=UTC)) for day in (1, 3, 2)]
    with visitor(gateway) as visiting:
        assert listed(visiting.get("/pages/jobs")) == [jobs[1].uuid, jobs[2].uuid, jobs[0].uuid]


def test_the_columns_of_a_job(gateway: Gateway, job: StoredJob) -> None:
    gateway.post(job.event("run"))
    with visitor(gateway) as visiting:
        page = visiting.get("/pages/jobs")
    stored = job.stored()
    assert f'href="/pages/jobs/{job.uuid}"' in page
    assert '<span class="state s-running">RUNNING</span>' in page
    assert f'datetime="{stored["updated"]:%Y-%m-%dT%H:%M:%SZ}"' in page
    assert f'href="/pages/jobs?pipeline={stored["pipeline_uuid"]}"' in page
    for text in (stored["archive_path"], stored["session"], "run"):
        assert text in seen(page)


class TestFilters:
    def test_each_of_them(self, gateway: Gateway, new_job: Callable[..., StoredJob]) -> None:
        old = new_job(updated=datetime.now(UTC) - timedelta(days=9), session="night run")
        failed, running = new_job(state="FAILED", updated=datetime.now(UTC)), new_job(updated=datetime.now(UTC))
        gateway.post(running.event("run"))
        with visitor(gateway) as visiting:

            def found(**given: Any) -> set[str]:
                return set(listed(visiting.get("/pages/jobs", **given)))

            assert found() == {old.uuid, failed.uuid, running.uuid}
            assert found(state="RUNNING") == {running.uuid}
            assert found(state=["RUNNING", "FAILED"]) == {running.uuid, failed.uuid}
            assert found(text="NIGHT") == {old.uuid}
            assert found(since="2d") == {failed.uuid, running.uuid}
            assert found(before="2d") == {old.uuid}
            assert found(pipeline=PIPELINE, state="CREATED") == {old.uuid}
            assert found(quiet_for="2d") == {old.uuid}
            assert found(quiet_for="2d", state="RUNNING") == set()
            assert found(overdue="true") == set()

    def test_they_stay_filled_in(self, gateway: Gateway) -> None:
        with visitor(gateway) as visiting:
            page = visiting.get(
                "/pages/jobs", state=["RUNNING"], text='a"b', since="2h", quiet_for="6h", overdue="true"
            )
        assert 'value="RUNNING" checked' in page
        assert 'value="FAILED" checked' not in page
        assert 'value="a&#34;b"' in page
        assert 'value="2h"' in page
        assert 'name="quiet_for" value="6h"' in page
        assert 'name="overdue" value="true" checked' in page
        assert '<details data-key="more" open>' in page

    @pytest.mark.promise("S6")
    @pytest.mark.parametrize(
        ("name", "value", "words"),
        [
            ("state", "LOST<b>", "LOST<b> is not a state of a job."),
            ("pipeline", "x", "Enter the uuid of a pipeline"),
            ("text", "x" * 201, "at most 200 characters"),
            ("since", "soon", "not a time in an accepted form"),
            ("before", "soon", "not a time in an accepted form"),
            ("quiet_for", "soon", "must be a number with a unit"),
        ],
    )
    def test_an_invalid_filter_is_reported_beside_its_field(
        self, gateway: Gateway, job: StoredJob, name: str, value: str, words: str
    ) -> None:
        with visitor(gateway) as visiting:
            page = visiting.get("/pages/jobs", 400, **{name: value})
        assert words in seen(page)
        assert "No jobs are listed" in page
        assert listed(page) == []
        if name != "state":
            assert f'aria-describedby="{name}-hint {name}-wrong"' in page
        assert "<b>" not in page

    def test_unknown_parameters_are_ignored(self, gateway: Gateway, job: StoredJob) -> None:
        with visitor(gateway) as visiting:
            page = visiting.get("/pages/jobs", **{"pipeline[$ne]": "x", "state[]": "x", "limit": "0"})
        assert listed(page) == [job.uuid]


class TestEmpty:
    def test_nothing_matches(self, gateway: Gateway, job: StoredJob) -> None:
        with visitor(gateway) as visiting:
            page = visiting.get("/pages/jobs", text="nowhere")
        assert "No job matches. Show all jobs" in seen(page)

    def test_there_is_nothing(self, gateway: Gateway) -> None:
        with visitor(gateway) as visiting:
            assert "There are no jobs yet." in seen(visiting.get("/pages/jobs"))


class TestParts:
    def test_older_and_newest(self, gateway: Gateway, new_job: Callable[..., StoredJob]) -> None:
        jobs = [new_job(updated=datetime(2026, 1, 1, 0, number, tzinfo=UTC)) for number in range(55)]
        with visitor(gateway) as visiting:
            first = visiting.get("/pages/jobs", state="CREATED")
            second = visiting.get(link(first, "Older jobs"))
            assert listed(first) + listed(second) == [job.uuid for job in reversed(jobs)]
            assert 'value="CREATED" checked' in second
            assert "No older jobs." in second
            assert link(second, "Newest") == "/pages/jobs?state=CREATED"

    @pytest.mark.parametrize("cursor", ["nonsense", "x" * 600, "WzEsMCwibyIsIngiXQ"])
    def test_an_invalid_cursor(self, gateway: Gateway, job: StoredJob, cursor: str) -> None:
        with visitor(gateway) as visiting:
            assert "The cursor in the address is invalid." in visiting.get("/pages/jobs", 400, cursor=cursor)


def test_whatever_others_have_stored_is_only_text(gateway: Gateway, jobs: Documents, job: StoredJob) -> None:
    odd = {
        "session": HOSTILE,
        "archive_path": HOSTILE,
        "last_event": HOSTILE,
        "state": HOSTILE,
        "pipeline_uuid": HOSTILE,
    }
    jobs.update_one({"uuid": job.uuid}, {"$set": {**odd, "_admin.owner": HOSTILE, "updated": HOSTILE}})
    jobs.insert_one({"uuid": HOSTILE, "state": {"$x": 1}, "session": ["a"], "archive_path": 7, "updated": None})
    with visitor(gateway) as visiting:
        page = visiting.get("/pages/jobs")
    assert_harmless(page)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "\\u202egnorw" in page


def test_an_unreachable_database_is_reported_as_a_page(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    with visitor(gateway) as visiting:

        def away(*_: Any) -> None:
            raise Unavailable("no MongoDB server could be reached in time; nothing was changed")

        monkeypatch.setattr(gateway.parts.store.listing, "page", away)
        answer = visiting.client.get("/pages/jobs")
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "1"
        assert "no MongoDB server could be reached" in seen(answer.text)


def test_a_defect_is_a_page_without_details(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, visited: Visitor
) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("inner words")

    monkeypatch.setattr(gateway.parts.store.listing, "page", broken)
    page = visited.get("/pages/jobs", 500)
    assert "inner words" not in page
    assert "Unexpected error" in page


@pytest.fixture
def visited(gateway: Gateway) -> Any:
    """A user who is signed in."""
    with visitor(gateway) as visiting:
        yield visiting
