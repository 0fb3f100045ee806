"""A report is a fact: what a job system sends is accepted over HTTP, whatever its form."""

import gzip
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pipelinejobs.messages.lenient import LARGEST
from pipelinejobs.messages.marks import KEY
from support.gateway import ALIAS, TOKENS, Gateway, eventually, raw
from support.process import NewJob, StoredJob, callback
from support.selection import examples

CASES = Path(__file__).resolve().parents[2] / "data" / "reports"
SYSTEMS = ("agave", "aloe", "tapis")
MIB = 1024 * 1024


@pytest.fixture
def running(new_job: NewJob) -> StoredJob:
    """A job in the state RUNNING."""
    return new_job(state="RUNNING")


def told(gateway: Gateway, body: bytes | None, query: str, **headers: str) -> dict[str, Any]:
    """Sends a report, which has to succeed, and returns the result."""
    answer = gateway.ask(
        "POST",
        f"/actors/v2/{ALIAS}/messages?{query}",
        "EXECUTE",
        content=body,
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )
    assert answer.status_code == 200, answer.text
    result: dict[str, Any] = answer.json()["result"]
    return result


def url(job: StoredJob, **more: str) -> str:
    return "&".join(f"{name}={quote(value)}" for name, value in {"uuid": job.uuid, "token": job.token, **more}.items())


def odd(system: str, value: str, status: str = "FINISHED") -> bytes:
    """A callback with one more value, written as given."""
    return json.dumps(callback(system, status)).replace("{", f'{{"odd": {value}, ', 1).encode()


class TestCases:
    @pytest.mark.parametrize("status", [None, "FINISHED", "${JOB_STATUS}"])
    @pytest.mark.parametrize("path", sorted(CASES.glob("report-*")), ids=lambda p: p.stem)
    def test_a_body(self, gateway: Gateway, running: StoredJob, path: Path, status: str | None) -> None:
        query = url(running, **({} if status is None else {"status": status}))
        first, again = (told(gateway, path.read_bytes(), query, content_type="application/json") for _ in range(2))
        assert (first["verdict"], first["job"]["state"]) == ("applied", "FINISHED")
        assert again["verdict"] == "duplicate"
        assert len(running.last["data"][KEY]) == 1

    def test_iso_8859_1(self, gateway: Gateway, running: StoredJob) -> None:
        body = (CASES / "agave-finished-iso-8859-1.json").read_bytes()
        with pytest.raises(UnicodeDecodeError):
            body.decode("utf-8")
        assert told(gateway, body, url(running))["job"]["state"] == "FINISHED"
        assert told(gateway, body.decode("latin-1").encode(), url(running))["verdict"] == "duplicate"

    def test_a_runtime_event(self, gateway: Gateway, running: StoredJob) -> None:
        body = (CASES / "agave-runtime-event.json").read_bytes()
        result = told(gateway, body, url(running, status="${JOB_STATUS}"))
        assert (result["verdict"], result["job"]) == (
            "applied",
            {"uuid": running.uuid, "state": "RUNNING", "lastEvent": "update"},
        )
        assert running.last["data"]["PROGRESS"] == "40"


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize(
    "value",
    [
        "9" * 30,
        "NaN",
        "-Infinity",
        "1e400",
        '"a\\u0000"',
        '"\\ud83d"',
        '{"a": 1, "a": 2}',
        "[" * 40 + "]" * 40,
        '{"\\ud800": 1}',
    ],
    ids=lambda value: value[:12],
)
def test_values_of_every_system(gateway: Gateway, running: StoredJob, system: str, value: str) -> None:
    assert told(gateway, odd(system, value), url(running))["verdict"] == "applied"
    assert running.state == "FINISHED"
    assert running.last["data"][KEY]


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("encoding", ["latin-1", "utf-8-sig", "utf-16", "utf-32"])
def test_encodings_of_every_system(gateway: Gateway, running: StoredJob, system: str, encoding: str) -> None:
    text = json.dumps(callback(system, "FINISHED") | {"name": "\u00e9"}, ensure_ascii=False)
    assert told(gateway, text.encode(encoding), url(running))["job"]["state"] == "FINISHED"
    assert told(gateway, text.encode(), url(running))["verdict"] == "duplicate"
    assert running.last["data"]["name"] == "\u00e9"


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"content_encoding": "gzip"}, gzip.compress(b"{}", mtime=0)),
        ({"content_type": "application/octet-stream"}, b"\x00\x01\xff"),
        ({"content_type": "multipart/form-data; boundary=x"}, b"--x\r\nfield"),
        ({"content_type": "application/x-www-form-urlencoded"}, b"a=1&b=%FF"),
        ({"content_type": "application/json"}, b"Job failed"),
        ({"content_type": "application/json"}, b'{"id": '),
        ({"content_type": "application/json"}, b'{"message": "Job failed"}'),
        ({"content_type": "application/json"}, b"[1, NaN]"),
        ({}, b"\xff\xfe"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_with_a_status_in_the_url(gateway: Gateway, running: StoredJob, headers: dict[str, str], body: bytes) -> None:
    assert told(gateway, body, url(running, status="failed "), **headers)["job"]["state"] == "FAILED"
    assert running.last["data"]["status"] == "FAILED"
    assert running.last["data"][KEY]


class TestSize:
    @pytest.mark.parametrize("system", SYSTEMS)
    def test_the_status_of_a_large_body_counts(self, gateway: Gateway, running: StoredJob, system: str) -> None:
        body = odd(system, json.dumps("x" * (2 * MIB)))
        assert told(gateway, body, url(running))["job"]["state"] == "FINISHED"
        assert told(gateway, body, url(running))["verdict"] == "duplicate"
        assert set(running.last["data"]) == {"status", KEY}

    def test_of_a_still_larger_one_that_in_the_url(self, gateway: Gateway, running: StoredJob) -> None:
        body = odd("agave", json.dumps("x" * LARGEST))
        assert told(gateway, body, url(running, status="FINISHED"))["job"]["state"] == "FINISHED"
        room = gateway.parts.bodies._room
        answer = gateway.ask("POST", f"/actors/v2/{ALIAS}/messages?{url(running)}", "EXECUTE", content=body)
        assert answer.status_code == 413, "its own status cannot be looked for"
        assert gateway.parts.bodies._room == room

    def test_a_command_is_read_no_further_than_ever(self, gateway: Gateway, running: StoredJob) -> None:
        for query in (url(running, event="fail"), f"uuid={running.uuid}&status=FAILED", f"token={running.token}"):
            head = (
                f"POST /actors/v2/{ALIAS}/messages?{query} HTTP/1.1\r\nHost: h\r\n"
                f"Authorization: Bearer {TOKENS['EXECUTE']}\r\nContent-Length: {MIB + 1}\r\n\r\n"
            )
            assert raw(gateway.port, head.encode()).startswith(b"HTTP/1.1 413")


class TestParameters:
    @pytest.mark.parametrize(
        "more",
        [
            "filename=%E9chantillon.csv",
            "%FF=%FF&%00=%00",
            "&".join(f"p{number}=" for number in range(1500)),
            "note=a%00b&session=%ED%A0%80",
            "x_event_id=%0A",
            "x_event_id=" + "y" * 500,
            "note=%E9",
            "status=x",
        ],
        ids=lambda more: more[:20],
    )
    def test_none_of_them_costs_a_report(self, gateway: Gateway, running: StoredJob, more: str) -> None:
        for body in (b"", odd("agave", "NaN"), odd("tapis", "1")):
            result = told(gateway, body, f"{url(running, status='FINISHED')}&{more}", idempotency_key="k")
            assert result["verdict"] in ("applied", "stale", "duplicate")
        assert running.state == "FINISHED"

    @pytest.mark.parametrize("word", ["FINISHED ", "finished\n", "\t Finished"])
    def test_blanks_do_not_count(self, gateway: Gateway, running: StoredJob, word: str) -> None:
        assert told(gateway, b"", url(running, status=word))["job"]["state"] == "FINISHED"

    def test_one_id_for_every_status(self, gateway: Gateway, running: StoredJob) -> None:
        for status, state in (("RUNNING", "RUNNING"), ("FINISHED", "FINISHED")):
            results = [told(gateway, b"text", url(running, status=status, x_event_id="fixed")) for _ in range(2)]
            assert [result["verdict"] for result in results] == ["applied", "duplicate"]
            assert running.state == state


class TestEvents:
    @pytest.mark.parametrize("label", ["text/plain", "application/x-www-form-urlencoded", "application/json"])
    @pytest.mark.parametrize(
        ("body", "kept"),
        [(b"disk full", "disk full"), (b'{"message": "disk full"}', "disk full"), (b'["a", 1]', ["a", 1]), (b"5", 5)],
    )
    def test_a_body_that_is_no_object_is_data(
        self, gateway: Gateway, running: StoredJob, body: bytes, kept: Any, label: str
    ) -> None:
        result = told(gateway, body, url(running, event="FAIL"), content_type=label)
        assert (result["verdict"], result["job"]["lastEvent"], result["msg"]) == ("applied", "fail", kept)
        assert running.last["data"] == {"body": kept}
        assert running.last["name"] == "fail"

    @pytest.mark.parametrize("body", [odd("agave", "NaN"), b"\xff", b'{"x": 1e400}', b"\xef\xbb\xbf{}"])
    def test_they_are_as_strict_as_ever(self, gateway: Gateway, running: StoredJob, body: bytes) -> None:
        answer = gateway.post(body, running.url("update", status="FINISHED"))
        assert answer.status_code == 400
        assert running.names == ["create"]


class TestWhatIsKept:
    @pytest.mark.parametrize("where", ["the URL", "the body"])
    def test_a_malformed_delivery_with_a_token_of_the_job(
        self, gateway: Gateway, running: StoredJob, where: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        if where == "the URL":
            answer = gateway.post(b"nonsense", running.url())
        else:
            answer = gateway.post(running.event("finsh"))
        assert answer.status_code == 400
        (row,) = eventually(lambda: list(gateway.parts.store.refused.of(running.uuid)))
        reason = answer.json()["result"]["reason"]
        assert (row["verdict"], row["reason"], row["state"], row["sender"]) == (
            "malformed",
            reason,
            "RUNNING",
            "sender",
        )
        assert row["execution"] == answer.json()["result"]["executionId"]
        assert running.token not in str(row)
        (line,) = [record for record in caplog.records if record.getMessage() == reason]
        assert line.levelname == "WARNING"
        explained = gateway.ask("GET", f"/jobs/{running.uuid}/explain").json()["result"]
        assert explained["refused"][0]["reason"] == reason

    def test_one_that_was_too_large(self, gateway: Gateway, running: StoredJob) -> None:
        assert gateway.post(b"x" * (MIB + 1), running.url("update")).status_code == 413
        (row,) = eventually(lambda: list(gateway.parts.store.refused.of(running.uuid)))
        assert (row["verdict"], row["event"]) == ("malformed", "update")

    def test_one_whose_id_was_used_for_something_else(self, gateway: Gateway, running: StoredJob) -> None:
        for name in ("update", "resource"):
            answer = gateway.post(running.event(name), headers={"Idempotency-Key": "one"})
        assert answer.status_code == 400
        (row,) = eventually(lambda: list(gateway.parts.store.refused.of(running.uuid)))
        assert (row["verdict"], row["event"]) == ("malformed", "resource")

    def test_of_others_nothing_is(self, gateway: Gateway, running: StoredJob) -> None:
        for parameters in (
            running.url() | {"token": "0123456789abcdef"},
            running.url() | {"uuid": "10700000-0000-5000-8000-000000000000"},
            {"uuid": running.uuid},
        ):
            assert gateway.post(b"nonsense", parameters).status_code == 400
        last = gateway.post(b"nonsense", running.url()).json()["result"]["executionId"]

        def kept() -> list[str]:
            return [row["execution"] for row in gateway.parts.store.refused.of(running.uuid)]

        eventually(lambda: last in kept())  # after the others
        assert kept() == [last]
        assert list(gateway.parts.store.refused.of("10700000-0000-5000-8000-000000000000")) == []


@hypothesis_settings(max_examples=examples(200, 20), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=st.binary(max_size=200)
    | st.text(max_size=50).map(str.encode)
    | st.builds(odd, st.sampled_from(SYSTEMS), st.sampled_from(["NaN", "9" * 30, '"\\u0000"', "1"])),
    name=st.binary(min_size=1, max_size=8).map(lambda raw_name: "f" + quote(raw_name)),
    value=st.binary(max_size=20).map(quote),
    label=st.sampled_from(["application/json", "application/octet-stream", "multipart/form-data", ""]),
)
def test_whatever_its_body_and_parameters(
    gateway: Gateway, running: StoredJob, body: bytes, name: str, value: str, label: str
) -> None:
    query = f"{name}={value}&{url(running, status='FINISHED')}"
    assert told(gateway, body, query, content_type=label)["verdict"] in ("applied", "stale", "duplicate")
