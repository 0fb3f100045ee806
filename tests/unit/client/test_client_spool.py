"""What waits in a spool, and how it leaves."""

import json
import logging
import os
import stat
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from pipelinejobs import client
from pipelinejobs.client import Illegal, Job, SpoolFailed, Unauthorised, flush
from support.canaries import NONCE, plant
from support.disk import small_disk
from support.message_samples import JOB, OTHER_JOB, TOKEN
from support.misbehaving import ABACO, PATH, TAKEN, UNAVAILABLE, Asked, Judge, drop, manager, refusal, success


@pytest.fixture(autouse=True)
def sender(quick: None) -> None:
    """The job's token must not be shown."""
    plant(TOKEN)


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    return tmp_path / "above" / "spool"


def job(url: str, spool: Path, uuid: str = JOB, **more: Any) -> Job:
    return Job(url, uuid, TOKEN, **{"nonce": NONCE, "spool": spool, "timeout": 60, **more})


def waiting(spool: Path) -> list[str]:
    """The names of the events that wait, job by job in order."""
    return [json.loads(path.read_text())["name"] for path in sorted(spool.glob("*.json"))]


def spooled(**other: object) -> bytes:
    """A file of the spool, but for some of its fields."""
    fields = {"url": "https://x/", "headers": {}, "uuid": "x", "name": "run", "id": "7", "text": '{"token": "x"}'}
    return json.dumps({**fields, **other}).encode()


class TestAnEvent:
    def test_that_is_taken_leaves_nothing(self, spool: Path) -> None:
        with manager(TAKEN) as served:
            result = job(served.url, spool).run()
        assert (result.verdict, result.spooled) == ("applied", False)
        assert [path.name for path in spool.iterdir()] == ["lock"]

    def test_an_undelivered_event_waits(self, spool: Path, free_port: int, one_attempt: None) -> None:
        result = job(f"http://127.0.0.1:{free_port}{PATH}", spool).run({"a": 1}, event_id="7")
        assert (result.verdict, result.spooled, result.event_id) == (None, True, "7")
        assert "waits in the spool" in result.reason
        with manager(TAKEN, port=free_port) as served:
            flushed = flush(spool)
        assert [(each.event, each.event_id, each.verdict) for each in flushed.taken] == [("run", "7", "applied")]
        assert (flushed.refused, flushed.damaged, flushed.left, flushed.reason) == ([], [], 0, "")
        (asked,) = served.asked
        assert (asked.key, asked.body["data"], asked.parameters["x-nonce"]) == ("7", {"a": 1}, NONCE)

    def test_later_needs_no_server(self, spool: Path) -> None:
        with manager(TAKEN) as served:
            named = job(served.url, spool, later=True)
            assert named.run().spooled
            assert named.finish().spooled
            assert served.asked == []
            assert [each.event for each in named.flush().taken] == ["run", "finish"]

    def test_goes_behind_those_of_its_job(self, spool: Path) -> None:
        with manager(*[drop] * 100, TAKEN) as served:
            job(served.url, spool, later=True).run()
            job(served.url, spool, OTHER_JOB, later=True).fail()
            served.script = [TAKEN]
            assert job(served.url, spool).finish().verdict == "applied"
            assert served.events == ["run", "finish"]
            assert waiting(spool) == ["fail"]

    def test_behind_one_with_a_wrong_address_is_told_which_that_is(
        self, spool: Path, free_port: int, one_attempt: None
    ) -> None:
        job(f"http://127.0.0.1:{free_port}{PATH}", spool).run()
        (first,) = spool.glob("*.json")
        with manager(TAKEN) as served:
            result = job(served.url, spool).finish()
        assert result.reason.startswith(f"it waits in the spool behind {first.name}, which goes to the address ")

    def test_stays_behind_one_that_cannot_be_delivered(self, spool: Path, free_port: int, one_attempt: None) -> None:
        job(f"http://127.0.0.1:{free_port}{PATH}", spool, later=True).run()
        with manager(TAKEN) as served:
            assert job(served.url, spool).finish().spooled
            assert served.asked == []
        assert waiting(spool) == ["run", "finish"]

    def test_of_abaco_is_gone_once_it_is_acknowledged(self, spool: Path) -> None:
        with manager(ABACO) as served:
            assert job(served.url, spool).run().verdict is None
        assert waiting(spool) == []

    def test_keeps_the_credential_of_its_sender(self, spool: Path) -> None:
        with manager(TAKEN) as served:
            job(served.url, spool, nonce=None, bearer="pj-canary-b", later=True).run()
            flush(spool)
        assert served.asked[0].headers["Authorization"] == "Bearer pj-canary-b"


class TestWhatIsRefused:
    def test_is_kept_with_the_reason(self, spool: Path) -> None:
        with manager(refusal(409, "illegal", "not now"), TAKEN) as served:
            named = job(served.url, spool, later=True)
            named.finish(event_id="7")
            named.run()
            flushed = flush(spool)
        assert [(type(each), each.event, each.event_id) for each in flushed.refused] == [(Illegal, "finish", "7")]
        assert [each.event for each in flushed.taken] == ["run"]
        (kept,) = (spool / "refused").iterdir()
        assert json.loads(kept.read_text())["refused"] == {"verdict": "illegal", "reason": "not now", "status": 409}
        assert waiting(spool) == []

    def test_in_front_of_another_event_is_logged(self, spool: Path, caplog: pytest.LogCaptureFixture) -> None:
        with manager(refusal(409, "illegal", "not now"), TAKEN) as served:
            job(served.url, spool, later=True).finish()
            assert job(served.url, spool).run().verdict == "applied"
        assert [record.getMessage() for record in caplog.records] == [
            f"the spooled event finish of job {JOB} was refused: not now"
        ]

    def test_is_sent_again_when_it_is_moved_back(self, spool: Path) -> None:
        with manager(refusal(401, "unauthorised"), TAKEN) as served:
            with pytest.raises(Unauthorised):
                job(served.url, spool).run()
            for kept in (spool / "refused").iterdir():
                kept.rename(spool / kept.name)
            assert [each.verdict for each in flush(spool).taken] == ["applied"]
        assert len({one.key for one in served.asked}) == 1

    def test_by_another_process_is_raised_all_the_same(self, spool: Path) -> None:
        """The other one holds the event's file, gets the refusal and is done when we come."""
        with manager(TAKEN) as served:
            named = job(served.url, spool, timeout=20)
            named._later = True
            named.finish(event_id="7")
            (path,) = spool.glob("*.json")
            place = client._Spool(spool)
            entered, leave = threading.Event(), threading.Event()

            def other() -> None:
                with place.claimed(path.name, time.monotonic() + 10) as event:
                    entered.set()
                    leave.wait(10)
                    assert event is not None
                    place.refuse(path.name, event, Illegal("not now", 409))

            thread = threading.Thread(target=other)
            thread.start()
            assert entered.wait(10)
            threading.Timer(0.3, leave.set).start()
            named._later = False
            assert named.run().verdict == "applied"
            thread.join()
            assert served.events == ["run"]
            with pytest.raises(Illegal, match="not now"):
                place.raise_if_refused(path.name)


class TestALine:
    def test_stops_at_the_first_that_cannot_be_delivered_and_others_go_on(
        self, spool: Path, free_port: int, one_attempt: None
    ) -> None:
        with manager(TAKEN) as served:
            for event in ("run", "finish"):
                job(f"http://127.0.0.1:{free_port}{PATH}", spool, later=True).send(event)
                job(served.url, spool, OTHER_JOB, later=True).send(event)
            flushed = flush(spool)
            assert served.events == ["run", "finish"]
            assert {one.body["uuid"] for one in served.asked} == {OTHER_JOB}
        assert (flushed.left, len(flushed.taken)) == (2, 2)
        assert "cannot be reached" in flushed.reason

    def test_a_host_that_is_away_is_asked_once_a_round(self, spool: Path, one_attempt: None) -> None:
        with manager(UNAVAILABLE) as served:
            for _ in range(5):
                job(served.url, spool, str(uuid4()), later=True).run()
            flushed = flush(spool)
            assert flushed.left == 5
            assert len(served.asked) == 1

    def test_many_events_keep_their_order(self, spool: Path) -> None:
        with manager(TAKEN) as served:
            named = job(served.url, spool, later=True)
            for number in range(25):
                named.update({"number": number})
            named.flush()
        assert [one.body["data"]["number"] for one in served.asked] == list(range(25))

    def test_it_is_tried_again_until_the_time_is_over(self, spool: Path) -> None:
        with manager(drop, UNAVAILABLE, TAKEN) as served:
            job(served.url, spool, later=True).run()
            assert flush(spool).left == 0
        assert len({one.key for one in served.asked}) == 1

    def test_nothing_waits_where_there_is_no_spool(self, spool: Path) -> None:
        assert flush(spool) == ([], [], [], 0, "")
        assert not spool.exists()


class TestDamage:
    @pytest.mark.parametrize(
        "content",
        [
            b"", b"{", b"[]", b"\xff\xfe", b'{"url": "http://127.0.0.1/"}', b"\0" * 100,
            b'{"url": "file:///etc/passwd", "headers": {}, "uuid": "x", "name": "run", "id": "7", "text": "{}"}',
            b'{"url": "https://x/", "headers": {}, "uuid": "x", "name": "run", "id": "7", "text": "{}"}',
            spooled(url="https://[x/"), spooled(url="https://x/ y"), spooled(url="https://x:port/"),
            spooled(headers={"Authorization": "Bearer\n"}), spooled(id="\n"),
            spooled(text='{"token": "\ud800"}'), spooled(text='{"token": "\u00e9"}'),
        ],
    )  # fmt: skip
    def test_is_moved_aside_and_said(self, spool: Path, content: bytes) -> None:
        with manager(TAKEN) as served:
            for event in ("run", "update", "finish"):
                job(served.url, spool, later=True).send(event)
            broken = sorted(spool.glob("*.json"))[1]
            broken.write_bytes(content)
            flushed = flush(spool)
            assert served.events == ["run", "finish"]
        assert flushed.damaged == [broken.name]
        assert (spool / "damaged" / broken.name).read_bytes() == content
        assert flushed.left == 0

    def test_in_front_of_another_event_is_logged(self, spool: Path, caplog: pytest.LogCaptureFixture) -> None:
        with manager(TAKEN) as served:
            job(served.url, spool, later=True).run()
            (broken,) = spool.glob("*.json")
            broken.write_text("{")
            assert job(served.url, spool).finish().verdict == "applied"
        assert f"{broken.name} cannot be read" in caplog.text

    def test_of_the_event_itself_is_not_said_to_be_delivered(
        self, spool: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write = client._Spool._write

        def half(place: Any, path: Path, raw: bytes) -> None:
            write(place, path, raw[: len(raw) // 2])

        monkeypatch.setattr(client._Spool, "_write", half)
        with manager(TAKEN) as served, pytest.raises(SpoolFailed, match="was not sent"):
            job(served.url, spool).finish()
        assert served.asked == []

    def test_files_of_others_are_left_alone(self, spool: Path) -> None:
        with manager(TAKEN) as served:
            job(served.url, spool, later=True).run()
            (spool / "notes.json").write_text("mine")
            (spool / f"{JOB}.json").write_text("mine")
            assert flush(spool).damaged == []
        assert (spool / "notes.json").read_text() == "mine"

    def test_a_name_that_leads_nowhere_ends_with_the_time(self, spool: Path) -> None:
        with manager(TAKEN) as served:
            job(served.url, spool).run()
            (spool / f"{JOB}.0000000009.aaaaaaaa.json").symlink_to("nowhere")
            flushed = flush(spool, 0.1)
        assert (flushed.left, flushed.reason) == (1, "the time is over")

    def test_what_a_dead_writer_left_is_removed_in_time(self, spool: Path) -> None:
        with manager(TAKEN) as served:
            job(served.url, spool, later=True).run()
            old, young = spool / f".{JOB}.0000000009.aaaaaaaa.json.tmp", spool / f".{JOB}.0000000009.bbbbbbbb.json.tmp"
            old.touch()
            young.touch()
            os.utime(old, (0, 0))
            job(served.url, spool, later=True).run()
            assert (old.exists(), young.exists()) == (False, True)


class TestRoom:
    def test_its_files_are_private(self, spool: Path) -> None:
        with manager(refusal(409, "illegal")) as served:
            job(served.url, spool, later=True).run()
            with pytest.raises(Illegal):
                job(served.url, spool).finish()
        for path in [spool, *spool.rglob("*")]:
            assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)

    @pytest.mark.parametrize("mode", [0o755, 0o710, 0o702])
    def test_one_that_others_may_look_into_is_refused(self, tmp_path: Path, mode: int) -> None:
        tmp_path.chmod(mode)
        with manager(TAKEN) as served, pytest.raises(SpoolFailed, match="chmod 700"):
            job(served.url, tmp_path, later=True).run()
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(("limit", "value"), [("SPOOL_EVENTS", 2), ("SPOOL_BYTES", 1000)])
    def test_it_has_an_end(self, spool: Path, monkeypatch: pytest.MonkeyPatch, limit: str, value: int) -> None:
        monkeypatch.setattr(client, limit, value)
        with manager(TAKEN) as served:
            named = job(served.url, spool, later=True)
            named.run()
            named.update()
            with pytest.raises(SpoolFailed, match="is full: it holds at most"):
                named.finish()
            assert waiting(spool) == ["run", "update"]
            with pytest.raises(SpoolFailed):  # it would overtake
                job(served.url, spool).finish()
            assert served.asked == []

    def test_without_it_an_event_is_sent_at_once_or_said_to_be_lost(
        self, spool: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(client, "SPOOL_EVENTS", 0)
        with manager(TAKEN) as served:
            assert job(served.url, spool).run().verdict == "applied"
        assert "is full" in caplog.text
        with manager(drop) as served, pytest.raises(SpoolFailed, match=r"is full.*; and without it: "):
            job(served.url, spool, timeout=0.3).run()

    def test_a_full_disk_is_said_and_leaves_nothing_half_written(self, tmp_path: Path, free_port: int) -> None:
        callback = f"http://127.0.0.1:{free_port}{PATH}?uuid={JOB}&token={TOKEN}"
        with small_disk(tmp_path, "64k") as disk:
            command = [
                sys.executable,
                client.__file__,
                "--spool",
                f"{disk.path}/spool",
                "--callback",
                callback,
                "--later",
            ]
            kept = subprocess.run(disk.on([*command, "run"]), capture_output=True, text=True, timeout=60)
            assert (kept.returncode, kept.stderr) == (0, "")
            disk.fill()
            done = subprocess.run(disk.on([*command, "update"]), capture_output=True, text=True, timeout=60)
            assert done.returncode == 75
            assert "cannot be written to: No space left on device" in done.stdout
            assert [path.name for path in (disk.seen / "spool").iterdir() if path.suffix == ".tmp"] == []
            assert waiting(disk.seen / "spool") == ["run"]

    @pytest.mark.parametrize("there", ["a file", "no directory above"])
    def test_what_is_no_directory(self, tmp_path: Path, there: str) -> None:
        (tmp_path / "file").touch()
        place = tmp_path / "file" if there == "a file" else tmp_path / "file" / "spool"
        with manager(TAKEN) as served, pytest.raises(SpoolFailed, match="cannot be"):
            job(served.url, place, later=True).run()


class TestAFileThatCannotBeHandled:
    def test_stops_its_own_job_alone(self, spool: Path) -> None:
        """A directory in place of a file: no user can open it as a file, not even an administrator."""
        with manager(TAKEN) as served:
            job(served.url, spool, later=True).run()
            job(served.url, spool, OTHER_JOB, later=True).run()
            (mine,) = spool.glob(f"{JOB}.*.json")
            mine.unlink()
            mine.mkdir()
            flushed = flush(spool)
            assert (flushed.left, [one.body["uuid"] for one in served.asked]) == (1, [OTHER_JOB])
            assert "cannot be read" in flushed.reason
            result = job(served.url, spool).finish()
        assert result.spooled
        assert "cannot be read" in result.reason

    def test_a_verdict_is_told_although_it_cannot_be_written_down(
        self, spool: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(*_: object) -> None:
            raise SpoolFailed("the spool cannot be written to: No space left on device")

        with manager(refusal(409, "illegal", "not now"), TAKEN) as served:
            with monkeypatch.context() as patch:
                patch.setattr(client._Spool, "refuse", full)
                with pytest.raises(Illegal, match="not now"):
                    job(served.url, spool).finish()
            assert waiting(spool) == ["finish"]
            monkeypatch.setattr(client._Spool, "remove", full)
            assert job(served.url, spool, OTHER_JOB).run().verdict == "applied"

    def test_a_file_is_closed_before_it_is_removed_where_there_are_no_locks(
        self, spool: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Windows removes no file that is open."""
        monkeypatch.setattr(client, "fcntl", None)
        unlink = client._Spool._unlink
        still_open: list[str] = []

        def removing(place: Any, path: Path) -> None:
            links = list(Path("/proc/self/fd").iterdir())
            still_open.extend(str(link) for link in links if link.exists() and link.resolve() == path)
            unlink(place, path)

        monkeypatch.setattr(client._Spool, "_unlink", removing)
        with manager(TAKEN, refusal(409, "illegal")) as served:
            job(served.url, spool).run()
            with pytest.raises(Illegal):
                job(served.url, spool).finish()
        assert still_open == []


class TestManySenders:
    def test_a_child_that_was_forked_meanwhile_keeps_no_lock(self, spool: Path, one_attempt: None) -> None:
        """It has the files open that its parent had; a duplicate of a descriptor is the same to a lock."""
        copies: list[int] = []

        def copy(handler: BaseHTTPRequestHandler, asked: Asked) -> None:
            for link in Path("/proc/self/fd").iterdir():
                if link.exists() and link.resolve().parent == spool:
                    copies.append(os.dup(int(link.name)))
            UNAVAILABLE(handler, asked)

        with manager(copy, TAKEN) as served:
            assert job(served.url, spool).run().spooled
            assert copies != []
            assert flush(spool, 20).left == 0
        for descriptor in copies:
            os.close(descriptor)

    @pytest.mark.parametrize("with_locks", [True, False])
    def test_each_event_is_applied_once_and_in_order(
        self, spool: Path, monkeypatch: pytest.MonkeyPatch, with_locks: bool
    ) -> None:
        """Threads stand for processes: a lock of a file belongs to the opened file."""
        if not with_locks:
            monkeypatch.setattr(client, "fcntl", None)
        judge, uuids = Judge(), [str(uuid4()) for _ in range(3)]
        errors: list[Exception] = []

        def send(number: int) -> None:
            try:
                named = job(served.url, spool, uuids[number % 3], timeout=60)
                for event in range(8):
                    named.update(event_id=f"{number} {event}")
            except Exception as error:
                errors.append(error)

        def sweep() -> None:
            try:
                while any(thread.is_alive() for thread in senders):
                    flush(spool)
            except Exception as error:
                errors.append(error)

        with manager(judge) as served:
            senders = [threading.Thread(target=send, args=(number,)) for number in range(6)]
            threads = [*senders, threading.Thread(target=sweep)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert errors == []
            assert flush(spool).left == 0
        applied = [key for _, key in judge.applied]
        assert len(applied) == len(set(applied)) == 48
        for number in range(6):
            assert [key for key in applied if key.startswith(f"{number} ")] == [f"{number} {n}" for n in range(8)]
        if with_locks:
            assert len(served.asked) == 48

    def test_an_event_that_another_process_has_delivered_is_not_sent_twice(self, spool: Path) -> None:
        with manager(success()) as served:
            named = job(served.url, spool, later=True)
            named.run()
            place = client._Spool(spool)
            (name,) = place.names()
            with place.claimed(name, time.monotonic()) as event:
                assert event is not None
                flushed = flush(spool, 0.2)
                assert (flushed.left, served.asked) == (1, [])
                assert "another process" in flushed.reason
            place.remove(name)
            assert flush(spool).taken == []


def test_nothing_is_logged_but_what_went_wrong(spool: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with manager(drop, TAKEN) as served:
        job(served.url, spool).run()
    assert [record for record in caplog.records if record.name.startswith("pipelinejobs")] == []
