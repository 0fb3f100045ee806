"""Reading over HTTP: lists of jobs, one job, its history, and the explanation of its state."""

import json
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from fastapi.responses import JSONResponse
from pymongo.database import Database

from pipelinejobs.core.views import plain
from pipelinejobs.gateway.routes import job_wait
from pipelinejobs.gateway.routes import jobs as routes
from pipelinejobs.store import Store, history
from pipelinejobs.store.connection import connect
from pipelinejobs.util.secret import Secret
from support.canaries import CANARIES
from support.gateway import Gateway, eventually
from support.pages import seen, visitor
from support.process import Documents, StoredJob, callback

UNKNOWN = "107b93f3-1eae-5e79-8a18-ffffffffffff"


def get(gateway: Gateway, path: str, status: int = 200, /, **parameters: Any) -> Any:
    answer = gateway.ask("GET", path, "READ", params=parameters)
    assert answer.status_code == status, answer.text
    return answer.json()["result"] if status == 200 else answer.json()["message"]


def test_an_answer_ends_its_line(gateway: Gateway, job: StoredJob) -> None:
    """An answer ends with a newline, so that a shell prompt begins on its own line."""
    for path in ("/jobs", f"/jobs/{job.uuid}", f"/jobs/{UNKNOWN}", "/nowhere", "/jobs?since=yesterday"):
        answer = gateway.ask("GET", path, "READ")
        assert answer.content.endswith(b"}\n")
        assert int(answer.headers["Content-Length"]) == len(answer.content)
    assert gateway.post(job.event("run")).content.endswith(b"}\n")


class TestList:
    def test_in_pages(self, gateway: Gateway, new_job: Callable[..., StoredJob]) -> None:
        jobs = [new_job() for _ in range(5)]
        gateway.post(jobs[2].event("run"))
        found, cursor = [], None
        while True:
            page = get(gateway, "/jobs", limit=2, **({"cursor": cursor} if cursor else {}))
            found += [job["uuid"] for job in page["jobs"]]
            cursor = page["next"]
            if cursor is None:
                break
        assert found[0] == jobs[2].uuid
        assert sorted(found) == sorted(job.uuid for job in jobs)

    def test_what_is_told_of_each(self, gateway: Gateway, job: StoredJob) -> None:
        gateway.post(job.event("run"))
        (shown,) = get(gateway, "/jobs")["jobs"]
        stored = job.stored()
        assert shown == {
            "uuid": job.uuid,
            "state": "RUNNING",
            "lastEvent": "run",
            "updated": f"{stored['updated']:%Y-%m-%dT%H:%M:%SZ}",
            "pipelineUuid": stored["pipeline_uuid"],
            "archivePath": stored["archive_path"],
            "session": stored.get("session"),
            "owner": stored["_admin"]["owner"],
        }

    def test_filters(self, gateway: Gateway, new_job: Callable[..., StoredJob]) -> None:
        one, other = new_job(session="night run"), new_job()
        gateway.post(one.event("run"))

        def found(**parameters: str) -> list[str]:
            return [job["uuid"] for job in get(gateway, "/jobs", **parameters)["jobs"]]

        assert found(state="RUNNING") == [one.uuid]
        assert found(state="CREATED") == [other.uuid]
        assert found(text="NIGHT") == [one.uuid]
        assert found(pipeline=UNKNOWN) == []
        moment = one.stored()["updated"]
        assert found(since=f"{moment:%Y-%m-%dT%H:%M:%S}") == [one.uuid]
        assert found(before=f"{moment:%Y-%m-%dT%H:%M:%SZ}") == [other.uuid]

    @pytest.mark.promise("S6")
    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("state", "LOST"),
            ("state", "running"),
            ("pipeline", "x"),
            ("pipeline[$ne]", "x"),
            ("limit", "0"),
            ("limit", "201"),
            ("limit", "many"),
            ("cursor", "nonsense"),
            ("cursor", ""),
            ("text", "x" * 201),
            ("text", "\0"),
            ("since", "yesterday"),
            ("since", "0001-01-01T00:00:00+14:00"),
            ("quiet_for", "soon"),
            ("quiet_for", ""),
            ("quiet_for", "9999w"),
            ("overdue", "maybe"),
            ("quietfor", "6h"),
            ("quiet-for", "6h"),
            ("status", "RUNNING"),
        ],
    )
    def test_what_cannot_be_asked(self, gateway: Gateway, name: str, value: str) -> None:
        if name == "pipeline[$ne]":  # a name that means nothing is passed over
            assert get(gateway, "/jobs", **{name: value})["jobs"] == []
        else:
            assert get(gateway, "/jobs", 400, **{name: value}).startswith("parameter")

    def test_a_misspelt_filter_is_refused_with_the_name_that_is_meant(self, gateway: Gateway) -> None:
        assert get(gateway, "/jobs", 400, overdeu="true") == "parameter 'overdeu': is not known; did you mean overdue?"
        assert get(gateway, "/jobs", 400, quietfor="6h").endswith("did you mean quiet_for?")
        assert get(gateway, "/jobs", 200, _="1764000000", pretty="true")["jobs"] == []  # near no name: passed over

    def test_what_a_duration_must_be(self, gateway: Gateway) -> None:
        assert get(gateway, "/jobs", 400, quiet_for="soon").startswith(
            "parameter quiet_for: must be a number with a unit, such as 30s, 90m, 6h"
        )


class TestSilence:
    """Jobs of which nothing was heard for long. Looking at them changes nothing."""

    @pytest.fixture
    def silent(self, gateway: Gateway, new_job: Callable[..., StoredJob], jobs: Documents) -> StoredJob:
        """A job whose time limit was over hours ago; and one beside it that is not silent."""
        silent, other = new_job(), new_job()
        other_report = callback("agave", "RUNNING") | {"id": "another-007"}
        for job, report in ((silent, callback("agave", "RUNNING")), (other, other_report)):
            assert gateway.post(report, job.url()).json()["result"]["verdict"] == "applied"
        earlier = silent.stored()["updated"] - timedelta(hours=7)
        times = {"updated": earlier, "_time_limit.running_since": earlier}
        times["_time_limit.overdue_from"] = earlier + timedelta(hours=4)
        jobs.update_one({"uuid": silent.uuid}, {"$set": times})
        return silent

    def test_is_found_and_explained(self, gateway: Gateway, silent: StoredJob) -> None:
        for wanted in ({"quiet_for": "6h"}, {"overdue": "true"}, {"quiet_for": "21600", "overdue": "1"}):
            (found,) = get(gateway, "/jobs", **wanted)["jobs"]
            assert found["uuid"] == silent.uuid
        assert get(gateway, "/jobs", quiet_for="8h")["jobs"] == []
        notes = get(gateway, f"/jobs/{silent.uuid}/explain")["notes"]
        assert notes == ["no event for 7 h", "RUNNING for 7 h, longer than the job system's limit of 4 h"]
        with visitor(gateway) as visiting:
            page = seen(visiting.get(f"/pages/jobs/{silent.uuid}"))
        assert all(note in page for note in notes)

    @pytest.mark.promise("P13")
    def test_changes_nothing(self, gateway: Gateway, silent: StoredJob, database: Database[dict[str, Any]]) -> None:
        """Not the state, not a field, no entry: silence is no event."""
        before = {name: list(database[name].find()) for name in ("jobs", "jobs_history", "jobs_refused")}
        for path in ("?quiet_for=0", "?overdue=true", f"/{silent.uuid}/explain"):
            gateway.ask("GET", f"/jobs{path}", "READ")
        with visitor(gateway) as visiting:
            visiting.get("/pages/jobs", quiet_for="1s", overdue="true")
            visiting.get(f"/pages/jobs/{silent.uuid}")
        gateway.parts._count_open_jobs()
        gateway.client.get("/metrics")
        assert {name: list(database[name].find()) for name in before} == before


class TestOne:
    @pytest.mark.promise("S18")
    def test_without_anything_secret(self, gateway: Gateway, job: StoredJob) -> None:
        gateway.post(callback("agave", "FINISHED"), job.url())
        shown = get(gateway, f"/jobs/{job.uuid}")
        stored = job.stored()
        assert (shown["uuid"], shown["state"], shown["data"]) == (job.uuid, "FINISHED", stored["data"])
        assert {name for name in shown if name.startswith("_")} == {"_admin", "_properties", "_visible"}
        assert "history" not in shown
        for path in ("", "/history", "/explain"):
            text = json.dumps(get(gateway, f"/jobs/{job.uuid}{path}"))
            for secret in (stored["_salt"], job.token, *CANARIES):
                assert secret not in text

    @pytest.mark.parametrize("path", ["", "/history", "/explain"])
    def test_there_is_none(self, gateway: Gateway, path: str) -> None:
        assert get(gateway, f"/jobs/{UNKNOWN}{path}", 404) == "not found: no such job"
        assert get(gateway, f"/jobs/nonsense{path}", 400).startswith("parameter uuid")

    def test_what_foreign_writers_left_there(self, gateway: Gateway, jobs: Documents, job: StoredJob) -> None:
        odd = {"updated": "soon", "session": {"$ref": "a", "$id": 1}, "extra": float("nan"), "deep": {"a.b": {"$x": 1}}}
        jobs.update_one({"uuid": job.uuid}, {"$set": {name: value for name, value in odd.items() if name != "deep"}})
        shown = get(gateway, f"/jobs/{job.uuid}")
        assert (shown["updated"], shown["extra"]) == ("soon", "nan")
        (listed,) = get(gateway, "/jobs")["jobs"]
        assert listed["updated"] == "soon"
        assert get(gateway, f"/jobs/{job.uuid}/explain")["state"] == "CREATED"


class TestHistory:
    def test_in_parts(self, gateway: Gateway, job: StoredJob) -> None:
        gateway.post(job.event("run"))
        for number in range(6):
            gateway.post(job.event("update", {"n": number}))
        whole = get(gateway, f"/jobs/{job.uuid}/history")
        assert whole["next"] is None
        assert [entry["name"] for entry in whole["entries"]] == ["create", "run"] + ["update"] * 6
        assert whole["entries"][-1]["data"] == {"n": 5}
        assert whole["entries"][-1]["date"].endswith("Z")
        parts, offset = [], 0
        while offset is not None:
            part = get(gateway, f"/jobs/{job.uuid}/history", offset=offset, limit=3)
            parts += part["entries"]
            offset = part["next"]
        assert parts == whole["entries"]
        assert get(gateway, f"/jobs/{job.uuid}/history", offset=100)["entries"] == []

    def test_one_that_was_moved_in_part(
        self, gateway: Gateway, job: StoredJob, mongodb_uri: str, database: Database[Any]
    ) -> None:
        gateway.parts.store.history.limits = history.HistoryLimits(entries=10)
        for number in range(50):
            assert gateway.post(job.event("update", {"n": number})).status_code == 200
        assert len(job.stored()["history"]) <= 12
        whole = get(gateway, f"/jobs/{job.uuid}/history", limit=1000)["entries"]
        assert [entry["data"]["n"] for entry in whole[1:]] == list(range(50))
        for offset in range(0, 52, 3):
            part = get(gateway, f"/jobs/{job.uuid}/history", offset=offset, limit=7)
            assert part["entries"] == whole[offset : offset + 7]
            assert part["next"] == (offset + 7 if offset + 7 < 51 else None)

    def test_of_large_entries(self, gateway: Gateway, job: StoredJob, jobs: Documents) -> None:
        """A part ends at 4 MiB of stored entries; `next` says where the next part begins."""
        for number in range(10):
            data = {"n": number, "zeros": [0] * 60_000}  # 0.7 MB where they are stored
            assert gateway.post(job.event("update", data)).status_code == 200
        found: list[Any] = []
        parts, offset = 0, 0
        while offset is not None:
            part = get(gateway, f"/jobs/{job.uuid}/history", offset=offset, limit=1000)
            found += part["entries"]
            parts += 1
            offset = part["next"]
            assert offset in (None, len(found))
        assert [entry["data"]["n"] for entry in found[1:]] == list(range(10))
        assert parts == 2

    def test_what_a_crash_left_in_both_places(self, gateway: Gateway, job: StoredJob, jobs: Documents) -> None:
        gateway.parts.store.history.limits = history.HistoryLimits(entries=11)
        for number in range(9):
            gateway.post(job.event("update", {"n": number}))
        before = job.stored()
        gateway.post(job.event("update", {"n": 9}))  # moves some, before it is written
        moved = [entry for entry in before["history"][1:] if entry not in job.stored()["history"]]
        assert moved
        back = {"$push": {"history": {"$each": moved, "$position": 1}}, "$set": {"_moved": 0}}
        jobs.update_one({"uuid": job.uuid}, back)
        for limit in (1, 3, 100):
            found: list[Any] = []
            offset: int | None = 0
            while offset is not None:
                part = get(gateway, f"/jobs/{job.uuid}/history", offset=offset, limit=limit)
                found += part["entries"]
                offset = part["next"]
            assert [entry["data"]["n"] for entry in found[1:]] == list(range(10))


@pytest.mark.promise("S20")
@pytest.mark.parametrize("path", ["/jobs", "/jobs/{}", "/jobs/{}/history", "/jobs/{}/explain"])
def test_an_answer_is_made_in_a_thread(
    gateway: Gateway, job: StoredJob, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """Rendering a large job takes seconds; done in the event loop, it would delay all other answers."""
    places = []

    def seen(function: Any) -> Any:
        def called(*given: Any) -> Any:
            places.append(threading.current_thread().name)
            return function(*given)

        return called

    for module in (routes, job_wait):
        monkeypatch.setattr(module, "plain", seen(plain))
    monkeypatch.setattr(JSONResponse, "render", seen(JSONResponse.render))
    get(gateway, path.format(job.uuid))
    assert len(places) >= 2
    assert {place.partition("_")[0] for place in places} == {"database reads"}


class TestExplain:
    def test_everything(self, gateway: Gateway, job: StoredJob) -> None:
        gateway.post(job.event("run", {"by": "hand"}))
        gateway.post(job.event("update", {"n": 1}))
        gateway.post(job.event("validate"))
        facts = eventually(lambda: (told := get(gateway, f"/jobs/{job.uuid}/explain")) and told["refused"] and told)
        assert (facts["state"], facts["because"]["event"], facts["because"]["data"]) == (
            "RUNNING",
            "run",
            {"by": "hand"},
        )
        assert (facts["since_then"]["events"], facts["since_then"]["last"]["data"]) == (1, {"n": 1})
        assert "finish" in [step["event"] for step in facts["next"]]
        (refusal,) = facts["refused"]
        assert (refusal["verdict"], refusal["event"], refusal["sender"]) == ("illegal", "validate", "sender")
        assert (facts["owed"], facts["problems"]) == ([], [])

    def test_of_a_history_that_was_moved(self, gateway: Gateway, job: StoredJob) -> None:
        gateway.parts.store.history.limits = history.HistoryLimits(entries=10)
        gateway.post(job.event("run", {"by": "hand"}))
        for number in range(30):
            gateway.post(job.event("update", {"n": number}))
        facts = get(gateway, f"/jobs/{job.uuid}/explain")
        assert facts["because"]["data"] == {"by": "hand"}  # which is no longer in the job
        assert (facts["since_then"]["events"], facts["since_then"]["last"]["data"]) == (30, {"n": 29})
        assert facts["problems"] == []

    def test_what_is_owed(self, mongodb_uri: str, database: Database[Any], gateway: Gateway, job: StoredJob) -> None:
        store = Store(connect(Secret(mongodb_uri), database.name, timeout=10))
        now = store.outbox.now()
        row = {
            "id": "canary-key",
            "actor": "indexer",
            "name": "index",
            "entry": "x",
            "life": "x",
            "created": now,
            "status": "undelivered",
            "attempts": 20,
            "next": now,
            "error": "nothing answers",
            "holder": "canary-holder",
        }
        database["jobs"].update_one({"uuid": job.uuid}, {"$set": {"_outbox": [row]}})
        (owed,) = get(gateway, f"/jobs/{job.uuid}/explain")["owed"]
        assert sorted(owed) == ["attempts", "created", "error", "name", "next", "status"]
        assert (owed["status"], owed["error"]) == ("undelivered", "nothing answers")
        store.close()
