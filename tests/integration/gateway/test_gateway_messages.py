"""Messages over HTTP: every form, every verdict, Abaco's envelope, and the limits while reading."""

import gzip
import json
import re
import threading
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from support.gateway import ACTOR, ALIAS, OTHER_ALIAS, TOKENS, Gateway, eventually, raw
from support.process import StoredJob, admin_token, callback
from tools.demo.indexer import Indexer

MIB = 1024 * 1024
Answer = dict[str, Any]


def result(answer: Any, status: int = 200) -> Answer:
    """The result in an answer. Checks that the envelope is Abaco's."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    whole: Answer = answer.json()
    assert list(whole) == ["message", "result", "status", "version"]
    assert whole["status"] == ("success" if status == 200 else "error")
    if status == 200:
        assert whole["message"] == "The request was successful"
    else:
        assert whole["message"] == whole["result"]["reason"]
        assert list(whole["result"]) == ["verdict", "reason", "executionId"]
    inner: Answer = whole["result"]
    return inner


class TestForms:
    def test_a_json_event(self, gateway: Gateway, job: StoredJob) -> None:
        told = result(gateway.post(job.event("run", {"node": "c401"})))
        assert re.fullmatch(r"[A-Za-z0-9]{8,}", told["executionId"])
        assert told["msg"] == job.event("run", {"node": "c401"}) | {"token": "***"}
        assert (told["verdict"], told["reason"]) == ("applied", "run: CREATED -> RUNNING")
        assert told["job"] == {"uuid": job.uuid, "state": "RUNNING", "lastEvent": "run"}
        base = f"{gateway.url}/actors/v2/{ACTOR}"
        assert told["_links"] == {
            "self": f"{base}/executions/{told['executionId']}",
            "owner": f"{gateway.url}/profiles/v2/sender",
            "messages": f"{base}/messages",
        }
        assert job.names == ["create", "run"]
        assert job.last["data"] == {"node": "c401"}

    @pytest.mark.parametrize("wrap", [lambda e: {"message": e}, lambda e: {"message": json.dumps(e)}])
    def test_one_in_a_message(self, gateway: Gateway, job: StoredJob, wrap: Callable[[Any], Any]) -> None:
        told = result(gateway.post(wrap(job.event("run"))))
        assert told["verdict"] == "applied"
        assert told["msg"] == job.event("run") | {"token": "***"}

    @pytest.mark.parametrize("body", [None, b"", b" ", b"\r\n", b"{}", b'{"message": ""}'])
    def test_url_parameters_with_an_empty_body(self, gateway: Gateway, job: StoredJob, body: bytes | None) -> None:
        assert result(gateway.post(body, job.url("run")))["verdict"] == "applied"
        assert job.last["data"] in (None, {})

    def test_url_parameters_with_data(self, gateway: Gateway, job: StoredJob) -> None:
        told = result(gateway.post({"progress": 0.5}, job.url("update", note="half", session="s 1")))
        assert told["msg"] == {"progress": 0.5}
        assert job.last["data"] == {"progress": 0.5, "note": "half", "session": "s 1"}

    @pytest.mark.parametrize("system", ["agave", "aloe", "tapis"])
    def test_callbacks(self, gateway: Gateway, job: StoredJob, system: str) -> None:
        for status, state in (("RUNNING", "RUNNING"), ("FINISHED", "FINISHED")):
            told = result(gateway.post(callback(system, status), job.url()))
            assert (told["verdict"], told["job"]["state"]) == ("applied", state)

    def test_curl_calls_json_a_form(self, gateway: Gateway, job: StoredJob) -> None:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        assert result(gateway.post(job.event("run"), headers=headers))["verdict"] == "applied"

    def test_a_form_with_a_message(self, gateway: Gateway, job: StoredJob) -> None:
        answer = gateway.ask(
            "POST", f"/actors/v2/{ALIAS}/messages", "EXECUTE", data={"message": json.dumps(job.event("run"))}
        )
        assert result(answer)["verdict"] == "applied"

    def test_a_message_as_a_parameter(self, gateway: Gateway, job: StoredJob) -> None:
        assert result(gateway.post(None, {"message": json.dumps(job.event("run"))}))["verdict"] == "applied"

    def test_the_first_of_repeated_parameters_counts(self, gateway: Gateway, job: StoredJob) -> None:
        query = f"uuid={job.uuid}&event=run&event=fail&token={job.token}&token=x&environment=uuid&environment=event"
        assert result(gateway.ask("POST", f"/actors/v2/{ALIAS}/messages?{query}", "EXECUTE"))["verdict"] == "applied"
        assert job.names == ["create", "run"]

    @pytest.mark.parametrize("name", [ALIAS, OTHER_ALIAS, ACTOR])
    def test_by_id_and_by_alias(self, gateway: Gateway, job: StoredJob, name: str) -> None:
        assert result(gateway.post(job.event("run"), name=name))["verdict"] == "applied"

    def test_the_dialect_of_v3(self, gateway: Gateway, job: StoredJob) -> None:
        data = {"camelCase": 1, "executionId": 2}
        answer = gateway.post(job.event("run", data), base="/v3/actors")
        whole = answer.json()
        assert list(whole) == ["message", "result", "status", "version", "metadata"]
        told = whole["result"]
        assert told["job"] == {"uuid": job.uuid, "state": "RUNNING", "last_event": "run"}
        assert told["_links"]["self"] == f"{gateway.url}/v3/actors/{ACTOR}/executions/{told['execution_id']}"
        assert told["_links"]["owner"] == f"{gateway.url}/v3/oauth2/profiles/sender"
        assert told["msg"]["data"] == data  # what the sender put there is not renamed
        refused = gateway.post({"uuid": job.uuid}, base="/v3/actors").json()
        assert list(refused["result"]) == ["verdict", "reason", "execution_id"]
        assert refused["metadata"] == {}


class TestVerdicts:
    def test_duplicate_gets_the_first_status(self, gateway: Gateway, job: StoredJob) -> None:
        headers = {"Idempotency-Key": "launch-1"}
        first = result(gateway.post(job.event("run"), headers=headers))
        again = result(gateway.post(job.event("run"), headers=headers))
        by_parameter = result(gateway.post(job.event("run"), {"x_event_id": "launch-1"}))
        assert [told["verdict"] for told in (first, again, by_parameter)] == ["applied", "duplicate", "duplicate"]
        assert again["job"] == first["job"]
        assert again["executionId"] != first["executionId"]
        assert job.names == ["create", "run"]

    def test_the_same_id_for_something_else(self, gateway: Gateway, job: StoredJob) -> None:
        headers = {"Idempotency-Key": "launch-1"}
        gateway.post(job.event("run"), headers=headers)
        told = result(gateway.post(job.event("update"), headers=headers), 400)
        assert told["verdict"] == "malformed"
        assert "launch-1" in told["reason"]

    def test_a_key_that_contradicts_the_parameter(self, gateway: Gateway, job: StoredJob) -> None:
        answer = gateway.post(job.event("run"), {"x_event_id": "a"}, headers={"Idempotency-Key": "b"})
        assert "Idempotency-Key" in result(answer, 400)["reason"]
        assert job.names == ["create"]

    def test_without_an_id_every_delivery_is_another(self, gateway: Gateway, job: StoredJob) -> None:
        for _ in range(3):
            assert result(gateway.post(job.event("update")))["verdict"] == "applied"
        assert job.names == ["create", "update", "update", "update"]

    @pytest.mark.promise("P2")
    def test_a_repeated_callback_is_the_same_by_whatever_way(self, gateway: Gateway, job: StoredJob) -> None:
        body = callback("agave", "RUNNING")
        assert result(gateway.post(body, job.url()))["verdict"] == "applied"
        headers = {"X-Agave-Delivery": str(uuid.uuid4()), "Idempotency-Key": "another"}
        assert result(gateway.post(body, job.url(), headers=headers))["verdict"] == "duplicate"
        assert result(gateway.post({"message": body}, job.url(), name=ACTOR))["verdict"] == "duplicate"

    def test_a_callback_is_never_refused_for_coming_late(self, gateway: Gateway, job: StoredJob) -> None:
        told = [
            result(gateway.post(callback("agave", status), job.url()))
            for status in ("FINISHED", "RUNNING", "ARCHIVING", "QUEUED", "FINISHED")
        ]
        assert [one["verdict"] for one in told] == ["applied", "stale", "stale", "stale", "duplicate"]
        assert {one["job"]["state"] for one in told} == {"FINISHED"}
        assert job.names == ["create", "run", "finish"]

    def test_illegal(self, gateway: Gateway, job: StoredJob) -> None:
        told = result(gateway.post(job.event("finish")), 409)
        assert told["verdict"] == "illegal"
        assert "CREATED" in told["reason"]
        (kept,) = eventually(lambda: list(gateway.parts.store.refused.of(job.uuid)))
        assert (kept["verdict"], kept["execution"], kept["sender"]) == ("illegal", told["executionId"], "sender")

    @pytest.mark.promise("S1")
    def test_a_wrong_token_and_an_unknown_job_look_alike(self, gateway: Gateway, job: StoredJob) -> None:
        wrong = gateway.post(job.event("run") | {"token": "0123456789abcdef"})
        unknown = gateway.post(job.event("run") | {"uuid": "107" + str(uuid.uuid4())[3:]})
        assert result(wrong, 403)["verdict"] == "unauthorised"
        assert result(wrong, 403)["reason"] == result(unknown, 403)["reason"]
        missing = job.event("run")
        del missing["token"]
        assert result(gateway.post(missing), 403)["verdict"] == "unauthorised"
        assert job.names == ["create"]

    def test_an_administrative_token(self, gateway: Gateway, job: StoredJob) -> None:
        assert result(gateway.post(job.event("reset")), 403)["verdict"] == "unauthorised"
        assert result(gateway.post(job.event("reset") | {"token": admin_token()}))["job"]["state"] == "RESET"

    @pytest.mark.parametrize(
        ("body", "place"),
        [
            (b'{"uuid": ', "body"),
            (b"hello", "body"),
            (b"[]", "body"),
            (b"{'uuid': 'x'}", "body"),
            ({"name": "run"}, "uuid"),
            ({"uuid": "x", "name": "run"}, "uuid"),
            ({"uuid": str(uuid.uuid4()), "name": "RUN!"}, "name"),
            ({"uuid": str(uuid.uuid4()), "name": "run", "data": []}, "data"),
            (b'{"uuid": "\xff"}', "body"),
            (b"\xff\xfe{\0}\0", "body"),
        ],
        ids=["cut", "text", "list", "literal", "no-uuid", "bad-uuid", "no-event", "data-list", "not-utf8", "utf16"],
    )
    def test_malformed_says_where(self, gateway: Gateway, body: Any, place: str) -> None:
        told = result(gateway.post(body), 400)
        assert told["verdict"] == "malformed"
        assert place in told["reason"]

    @pytest.mark.parametrize(
        "query", ["uuid[$ne]=x&event=run", "uuid=%FF&event=run", "uuid=x&event=run", "event=run&event%5B%5D=x"]
    )
    def test_malformed_parameters(self, gateway: Gateway, query: str) -> None:
        assert result(gateway.ask("POST", f"/actors/v2/{ALIAS}/messages?{query}", "EXECUTE"), 400)

    def test_malformed_asks_no_database(self, gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(gateway.parts.batcher._judge, "judge", lambda *_: pytest.fail("it was asked"))
        assert result(gateway.post({"uuid": "x"}), 400)["verdict"] == "malformed"

    def test_create_is_refused_for_all_tokens(self, gateway: Gateway, job: StoredJob) -> None:
        assert result(gateway.post(job.event("create") | {"token": admin_token()}), 403)["verdict"] == "unauthorised"

    def test_internal_errors_are_not_shown_to_the_sender(
        self, gateway: Gateway, job: StoredJob, monkeypatch: Any
    ) -> None:
        def broken(*_: object) -> None:
            raise RuntimeError(f"canary {job.token}")

        monkeypatch.setattr(gateway.parts.batcher._judge, "judge", broken)
        answer = gateway.post(job.event("run"))
        assert result(answer, 503)["verdict"] == "unavailable"
        assert answer.headers["retry-after"] == "1"
        assert "canary" not in answer.text


class TestWhatIsNotRead:
    @pytest.mark.parametrize(
        ("headers", "content"),
        [
            ({"Content-Type": "application/octet-stream"}, b"\x00\x01"),
            ({"Content-Encoding": "gzip"}, gzip.compress(b'{"uuid": "x"}')),
            ({"Content-Type": "multipart/form-data; boundary=x"}, b"--x--"),
            ({"Content-Type": "application/x-www-form-urlencoded"}, b"messages=1"),
        ],
        ids=["binary", "gzip", "multipart", "form-without-message"],
    )
    def test_it_says_what_to_send_instead(self, gateway: Gateway, headers: dict[str, str], content: bytes) -> None:
        assert "send" in result(gateway.post(content, headers=headers), 400)["reason"]

    def test_an_unknown_actor(self, gateway: Gateway, job: StoredJob) -> None:
        answer = gateway.post(job.event("run"), name="jobs-manager.staging")
        assert answer.status_code == 404
        assert answer.json()["result"] is None

    @pytest.mark.promise("S22")
    @pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"])
    def test_nothing_but_post_changes_anything(self, gateway: Gateway, job: StoredJob, method: str) -> None:
        before = eventually(lambda: "_tokens" in job.stored() and job.stored())
        for base in ("/actors/v2", "/v3/actors"):
            answer = gateway.ask(method, f"{base}/{ALIAS}/messages", params=job.url("run"))
            assert answer.status_code == (200 if method == "GET" else 405)
            if answer.status_code == 405:
                assert answer.headers["allow"] == "GET, POST"
        assert job.stored() == before

    def test_how_many_wait(self, gateway: Gateway) -> None:
        answer = gateway.ask("GET", f"/actors/v2/{ALIAS}/messages", "READ").json()
        assert answer["result"]["messages"] == 0
        assert answer["result"]["_links"]["self"] == f"{gateway.url}/actors/v2/{ACTOR}/messages"


def head(extra: str, target: str = f"/actors/v2/{ALIAS}/messages") -> bytes:
    return (
        f"POST {target} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {TOKENS['EXECUTE']}\r\n"
        f"Content-Type: application/json\r\n{extra}\r\n\r\n"
    ).encode()


@pytest.mark.promise("S11")
class TestLimits:
    def test_the_largest_message_goes_through(self, gateway: Gateway, job: StoredJob) -> None:
        bare = len(json.dumps(job.event("update", {"x": ""})))
        body = json.dumps(job.event("update", {"x": "y" * (MIB - bare)})).encode()
        assert len(body) == MIB
        assert result(gateway.post(body))["verdict"] == "applied"
        told = result(gateway.post(body + b" "), 413)
        assert (told["verdict"], told["reason"]) == ("malformed", f"body: is larger than {MIB} bytes")

    def test_an_announced_one_is_not_read(self, gateway: Gateway) -> None:
        answer = raw(gateway.port, head(f"Content-Length: {MIB + 1}"))
        assert answer.startswith(b"HTTP/1.1 413")

    def test_one_in_chunks_is_read_no_further_than_the_limit(self, gateway: Gateway) -> None:
        chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
        answer = raw(gateway.port, head("Transfer-Encoding: chunked") + chunk * 17)
        assert answer.startswith(b"HTTP/1.1 413")

    def test_a_length_that_is_no_number(self, gateway: Gateway) -> None:
        assert raw(gateway.port, head("Content-Length: many")).startswith(b"HTTP/1.1 400")

    def test_a_body_that_breaks_off_changes_nothing(self, gateway: Gateway, job: StoredJob) -> None:
        body = json.dumps(job.event("run")).encode()
        raw(gateway.port, head(f"Content-Length: {len(body) + 1}") + body, close=True, seconds=5)
        assert job.names == ["create"]
        assert result(gateway.post(job.event("run")))["verdict"] == "applied"

    def test_without_a_credential_the_body_is_not_waited_for(self, gateway: Gateway) -> None:
        request = head("Content-Length: 1000").replace(TOKENS["EXECUTE"].encode(), b"wrong")
        assert raw(gateway.port, request, seconds=5).startswith(b"HTTP/1.1 401")


@pytest.mark.promise("F13")
def test_the_same_event_at_once(gateway: Gateway, job: StoredJob, indexer: Indexer) -> None:
    gateway.post(job.event("run"))
    told = []
    barrier = threading.Barrier(16)

    def send() -> None:
        barrier.wait()
        told.append(result(gateway.post(job.event("finish"), headers={"Idempotency-Key": "once"})))

    threads = [threading.Thread(target=send) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(one["verdict"] for one in told) == ["applied"] + ["duplicate"] * 15
    assert job.names == ["create", "run", "finish"]
    eventually(lambda: indexer.received)
    assert [request.body["message"]["name"] for request in indexer.received] == ["index"]
