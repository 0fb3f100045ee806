"""A delivery goes in, the event that it means comes out: the forms, their order, and what they share."""

import json
from typing import Any

import pytest

from pipelinejobs.messages.event import Kind
from pipelinejobs.messages.fields import ALLOWED
from pipelinejobs.messages.reader import explain, read
from pipelinejobs.messages.statuses import EVENT_OF
from pipelinejobs.util.errors import Malformed
from support.message_samples import JOB, OTHER_JOB, TOKEN, delivery, event_of, refusal_of, sample, token_of

EVENT = {"uuid": JOB, "name": "finish", "token": TOKEN, "data": {"any": "object"}}
REPORTS = ["agave", "aloe", "tapis"]


def callback(system: str) -> dict[str, Any]:
    return sample("tapis-notification" if system == "tapis" else f"{system}-callback")


def reduced(system: str) -> dict[str, Any]:
    left_out = {"_links", "retries", "localId", "deliveryTarget"}
    return {key: value for key, value in callback(system).items() if key not in left_out}


class TestJsonEvent:
    @pytest.mark.parametrize(
        "text",
        [
            json.dumps(EVENT),
            json.dumps({"message": EVENT}),
            json.dumps({"message": json.dumps(EVENT)}),
            repr(EVENT),
            repr({"message": EVENT}),
        ],
    )
    def test_by_every_way(self, text: str) -> None:
        event = event_of(text)
        assert (event.job, event.name, event.kind, event.data) == (JOB, "finish", Kind.COMMAND, {"any": "object"})
        assert (event.id, event.external, event.status, event.sender) == ("execution:exec-1", None, None, "jdoe")
        assert token_of(event) == TOKEN

    def test_the_token_may_be_a_parameter(self) -> None:
        assert token_of(event_of({"uuid": JOB, "name": "run"}, token=TOKEN)) == TOKEN
        assert token_of(event_of({"uuid": JOB, "name": "run"})) is None
        assert token_of(event_of({"uuid": JOB, "name": "run", "token": ""})) == ""

    def test_create_is_well_formed(self) -> None:
        assert event_of({"uuid": JOB, "name": "create"}).name == "create"

    def test_no_data_is_none(self) -> None:
        assert event_of({"uuid": JOB, "name": "run"}).data is None
        assert event_of({"uuid": JOB, "name": "run", "data": {}}).data == {}

    def test_parameters_may_repeat_the_body(self) -> None:
        assert event_of(EVENT, uuid=JOB, event="finish", name="finish", token=TOKEN).name == "finish"

    def test_a_status_parameter_is_not_looked_at(self) -> None:
        event = event_of(EVENT, status="FAILED")
        assert (event.name, event.kind, event.status) == ("finish", Kind.COMMAND, None)

    @pytest.mark.parametrize(
        ("parameters", "reason"),
        [
            ({"uuid": OTHER_JOB}, f"parameter uuid: is {OTHER_JOB}, but the body's uuid is {JOB}"),
            ({"event": "run"}, "parameter event: is run, but the body's name is finish"),
            ({"name": "run"}, "parameter name: is run, but the body's name is finish"),
        ],
    )
    def test_parameters_that_say_other_than_the_body(self, parameters: dict[str, str], reason: str) -> None:
        assert refusal_of(EVENT, **parameters) == reason

    @pytest.mark.parametrize("other", ["f337c3508de01c67", ""])
    def test_two_tokens_are_both_kept_the_bodys_first(self, other: str) -> None:
        event = event_of(EVENT | {"token": other}, token=TOKEN)
        assert [token.reveal() for token in event.tokens] == [other, TOKEN]

    def test_wrong_types_do_not_make_it_another_form(self) -> None:
        reason = refusal_of({"uuid": 5, "name": "finish"}, uuid=JOB, event="finish", token=TOKEN)
        assert reason == "uuid: must be text, not a number"


class TestUrlParameters:
    @pytest.mark.parametrize("name", ["event", "name"])
    @pytest.mark.parametrize("body", [None, "", " ", '{"message": ""}'])
    def test_without_a_body(self, name: str, body: str | None) -> None:
        event = event_of(body, **{"uuid": JOB, name: "finish", "token": TOKEN})
        assert (event.job, event.name, event.kind, event.data) == (JOB, "finish", Kind.COMMAND, None)
        assert (event.id, event.external, event.status) == ("execution:exec-1", None, None)
        assert token_of(event) == TOKEN

    @pytest.mark.promise("S7")
    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"any": "object"},
            {"$set": {"state": "x"}, "a.b": 1, "_id": 5, "__proto__": {}, "": None, "0.state": []},
            {"uuid": OTHER_JOB, "name": "run", "more": 1},
            {"uuid": OTHER_JOB},
            {"status": "FAILED"},
            {"message": "text", "more": 1},
            {"event": {"type": "files.x"}},
        ],
    )
    def test_the_body_is_the_data(self, body: dict[str, Any]) -> None:
        event = event_of(body, uuid=JOB, event="update")
        assert (event.job, event.name, event.data) == (JOB, "update", body)

    def test_the_name_counts_for_more_than_the_status(self) -> None:
        event = event_of(uuid=JOB, event="update", status="FINISHED")
        assert (event.name, event.kind, event.status) == ("update", Kind.COMMAND, None)

    @pytest.mark.parametrize("wrapped", [False, True])
    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("[]", []),
            ('["a", {"b": 1}]', ["a", {"b": 1}]),
            ("5", 5),
            ("true", True),
            ("disk full", "disk full"),
            ('{"uuid": ', '{"uuid": '),
        ],
    )
    def test_a_body_that_is_no_object(self, text: str, value: Any, wrapped: bool) -> None:
        event = event_of({"message": text} if wrapped else text, uuid=JOB, event="FAIL", note="n")
        assert (event.name, event.kind, event.data) == ("fail", Kind.COMMAND, {"body": value, "note": "n"})
        assert event.message == {"message": value}

    def test_a_json_string_is_text(self) -> None:
        assert event_of('"disk full"', uuid=JOB, event="fail").data == {"body": "disk full"}
        assert event_of({"message": [1]}, uuid=JOB, event="fail").data == {"body": [1]}
        assert event_of("null", uuid=JOB, event="fail").data is None

    @pytest.mark.promise("S9")
    @pytest.mark.parametrize(
        "body",
        [
            '{"x": NaN}',
            "[1e400]",
            '[{"a": 1, "a": 2}]',
            "9" * 30,
            '["\\ud800"]',
            "\ufeff{}",
            "a\0",
            "[" * 40 + "]" * 40,
        ],
    )
    def test_a_command_is_as_strict_as_ever(self, body: str) -> None:
        assert refusal_of(body, uuid=JOB, event="update", token=TOKEN, status="FINISHED")

    def test_the_job_must_be_said(self) -> None:
        assert refusal_of(event="update") == "parameter uuid: is missing"
        assert refusal_of({"uuid": JOB, "more": 1}, uuid="${UUID}", event="update") == "parameter uuid: is missing"


class TestReport:
    @pytest.mark.parametrize("system", REPORTS)
    def test_a_callback(self, system: str) -> None:
        event = event_of(callback(system), uuid=JOB, token=TOKEN)
        assert event.kind is Kind.REPORT
        assert event.job == JOB
        assert event.data == reduced(system)
        assert event.sender == "jdoe"
        assert token_of(event) == TOKEN

    def test_what_the_samples_say(self) -> None:
        agave = event_of(callback("agave"), uuid=JOB)
        assert (agave.name, agave.status) == ("run", "RUNNING")
        assert agave.external == "agave:4183620957716350441-a81f0c2e9b7d-0001-007"
        aloe = event_of(callback("aloe"), uuid=JOB)
        assert aloe.external == "aloe:8d0f1b52-6c3e-4f7a-9b24-0e5a7c91d3f6-007"
        tapis = event_of(callback("tapis"), uuid=JOB)
        assert (tapis.name, tapis.status) == ("finish", "FINISHED")
        assert tapis.external == "tapis:5e2d7a90-3c41-4b68-9f07-c8a1d6e4b253-007"
        assert tapis.id == "tapis:1f6b8e24-9c3d-4a75-b0e1-72d5f4a8c960"

    @pytest.mark.parametrize("status", sorted(EVENT_OF))
    @pytest.mark.parametrize("spelt", [str.upper, str.lower, str.title])
    def test_every_status_of_every_system(self, status: str, spelt: Any) -> None:
        word, expected = spelt(status), (EVENT_OF[status], status)
        for system in ("agave", "aloe"):
            by_body = event_of(callback(system) | {"status": word}, uuid=JOB)
            by_parameter = event_of(callback(system), uuid=JOB, status=word)
            assert (by_body.name, by_body.status) == (by_parameter.name, by_parameter.status) == expected
        for change in (
            {"data": json.dumps({"newJobStatus": word})},
            {"type": f"jobs.JOB_NEW_STATUS.{word}", "data": None},
        ):
            body = callback("tapis")
            event = event_of(body | {"event": body["event"] | change}, uuid=JOB)
            assert (event.name, event.status) == expected

    def test_other_notifications_are_updates(self) -> None:
        body = callback("tapis")
        body["event"]["type"] = "jobs.JOB_ERROR_MESSAGE.FAILED"
        event = event_of(body, uuid=JOB, status="FINISHED")
        assert (event.name, event.status, event.kind) == ("update", None, Kind.REPORT)

    def test_the_status_parameter_is_not_for_tapis(self) -> None:
        assert event_of(callback("tapis"), uuid=JOB, status="FAILED").status == "FINISHED"

    def test_a_macro_leaves_the_bodys_status(self) -> None:
        assert event_of(callback("agave"), uuid=JOB, status="${JOB_STATUS}").status == "RUNNING"
        assert event_of(callback("agave"), uuid=JOB, status="${JOB_STATUS}", state="failed").status == "FAILED"

    @pytest.mark.parametrize("system", REPORTS)
    def test_the_job_comes_from_the_parameter_alone(self, system: str) -> None:
        assert refusal_of(callback(system)) == "parameter uuid: is missing"
        assert refusal_of(callback(system) | {"uuid": JOB, "token": TOKEN}) == "parameter uuid: is missing"
        assert token_of(event_of(callback(system) | {"token": TOKEN}, uuid=JOB)) is None

    @pytest.mark.parametrize("system", REPORTS)
    def test_with_a_name_it_is_an_explicit_event(self, system: str) -> None:
        event = event_of(callback(system), uuid=JOB, event="update", status="FAILED")
        assert (event.name, event.kind) == ("update", Kind.COMMAND)
        assert (event.id, event.external, event.status) == ("execution:exec-1", None, None)
        assert event.data == reduced(system)


class TestStatusParameter:
    @pytest.mark.parametrize("name", ["status", "state"])
    @pytest.mark.parametrize("body", [None, {}, {"uuid": JOB, "x": 1}, {"status": "FAILED", "id": "x"}])
    def test_a_report_without_a_body_of_its_own(self, name: str, body: dict[str, Any] | None) -> None:
        event = event_of(body, **{"uuid": JOB, name: "finished"})
        assert (event.name, event.kind, event.status) == ("finish", Kind.REPORT, "FINISHED")
        assert (event.external, event.id) == (None, "execution:exec-1")
        assert event.data == {"status": "FINISHED"} | (body or {}), "nothing else would tell KILLED from FAILED"

    def test_agaves_blank_body(self) -> None:
        assert event_of(" ", uuid=JOB, status="RUNNING").name == "run"

    def test_the_job_must_be_said(self) -> None:
        assert refusal_of(status="RUNNING") == "parameter uuid: is missing"


class TestOrder:
    """Each body could be taken for a later form too."""

    def test_a_callback_before_parameters(self) -> None:
        event = event_of(callback("tapis") | {"name": "finish"}, uuid=JOB, status="FAILED")
        assert event.external is not None

    def test_a_callback_before_a_json_event(self) -> None:
        body = {"uuid": OTHER_JOB, "name": "run", "event": {"type": "jobs.JOB_NEW_STATUS.FAILED"}}
        assert event_of(body, uuid=JOB).name == "fail"

    def test_a_json_event_before_parameters(self) -> None:
        assert event_of(EVENT, uuid=JOB, event="finish").data == {"any": "object"}

    def test_a_name_before_a_status(self) -> None:
        assert event_of({"a": 1}, uuid=JOB, event="fail", status="FINISHED").kind is Kind.COMMAND

    def test_nothing_at_all(self) -> None:
        assert refusal_of().startswith("body: names no event; send ")
        assert refusal_of(uuid=JOB, note="x", status="${STATUS}").startswith("body: names no event"), (
            "there is no token"
        )


class TestRemarks:
    """The parameters `note` and `session`."""

    FORMS: tuple[tuple[Any, dict[str, str]], ...] = (
        (None, {"event": "update"}),
        ({"a": 1}, {"event": "update"}),
        ({"uuid": JOB, "name": "update"}, {}),
        (None, {"status": "RUNNING"}),
        (sample("agave-callback"), {}),
        (sample("aloe-callback"), {"event": "update"}),
        (sample("tapis-notification"), {}),
    )

    @pytest.mark.parametrize(("body", "parameters"), FORMS)
    def test_are_stored_with_the_data(self, body: Any, parameters: dict[str, str]) -> None:
        plain = event_of(body, uuid=JOB, **parameters)
        event = event_of(body, uuid=JOB, note="a\r\nb", session="s-1", **parameters)
        assert event.data == {**(plain.data or {}), "note": "a\r\nb", "session": "s-1"}
        assert event.id == plain.id

    def test_do_not_replace_the_datas_own(self) -> None:
        event = event_of({"note": None, "a": 1}, uuid=JOB, event="update", note="n", session="s")
        assert event.data == {"note": None, "a": 1, "session": "s"}


class TestIdentity:
    COMMAND: tuple[tuple[Any, dict[str, str]], ...] = (
        ({"uuid": JOB, "name": "update"}, {}),
        (None, {"uuid": JOB, "event": "update"}),
        (sample("agave-callback"), {"uuid": JOB, "event": "update"}),
        (None, {"uuid": JOB, "status": "RUNNING"}),
        ({key: value for key, value in sample("agave-callback").items() if key != "id"}, {"uuid": JOB}),
    )

    @pytest.mark.parametrize(("body", "parameters"), COMMAND)
    def test_is_the_senders_or_the_deliverys(self, body: Any, parameters: dict[str, str]) -> None:
        assert read(delivery(body, parameters, execution="exec-9")).id == "execution:exec-9"
        assert event_of(body, x_event_id="mine", **parameters).id == "sender:mine"
        assert event_of(body, x_event_id="mine", **parameters).external is None

    @pytest.mark.parametrize("system", REPORTS)
    def test_of_a_report_is_what_it_says(self, system: str) -> None:
        body = callback(system)
        first = event_of(body, uuid=JOB)
        others = {"uuid": JOB, "note": "n", "session": "s", "x_event_id": "e", "token": TOKEN}
        again = read(delivery(repr(dict(reversed(body.items()))), others, execution="exec-2"))
        assert again.id == first.id
        assert first.id.startswith("tapis:" if system == "tapis" else "sha256:")

    def test_of_a_report_differs_with_what_it_says(self) -> None:
        body = callback("agave")
        ids = {
            event_of(body, uuid=JOB).id,
            event_of(body, uuid=JOB, status="FINISHED").id,
            event_of(body | {"id": "other"}, uuid=JOB).id,
            event_of(body | {"endTime": "now"}, uuid=JOB).id,
        }
        assert len(ids) == 4
        assert event_of(body | {"retries": 5, "_links": {}}, uuid=JOB).id in ids
        assert event_of(body, uuid=JOB, status="running").id in ids

    def test_of_a_notification_without_an_id(self) -> None:
        body = callback("tapis")
        del body["event"]["uuid"]
        assert event_of(body, uuid=JOB).id == f"tapis:{body['eventUuid']}"
        del body["eventUuid"]
        assert event_of(body, uuid=JOB).id.startswith("sha256:")
        del body["event"]["subject"]
        assert event_of(body, uuid=JOB).id == "execution:exec-1"


class TestExplain:
    @pytest.mark.parametrize(
        ("body", "expected"),
        [
            (
                {"uuid": 5, "name": "finish!", "data": [], "token": None},
                [
                    "uuid: must be text, not a number",
                    f'name: "finish!" is not an event; the events are {ALLOWED}',
                    "token: must be text, not null",
                    "data: must be an object, not a list",
                ],
            ),
            (
                {"uuid": JOB, "event": "run", "x": 1},
                [
                    "event: is not a key of a JSON event; put the event's name under `name`",
                    "name: is missing",
                    "x: is not a key of a JSON event, whose keys are uuid, name, token, data",
                ],
            ),
            (
                {"message": json.dumps({"appId": 5, "owner": "o", "status": "s", "_links": {}})},
                [
                    "appId: must be text, not a number",
                    "executionSystem: is missing from what looks like an Agave callback",
                ],
            ),
            ({"event": {"type": 5}}, ["event.type: must be text, not a number"]),
        ],
    )
    def test_names_every_problem_of_the_form(self, body: object, expected: list[str]) -> None:
        given = delivery(body)
        with pytest.raises(Malformed) as caught:
            read(given)
        explained = explain(given, caught.value)
        assert explained.startswith(caught.value.reason)
        assert len(explained) == len("; ".join(expected))
        assert all(problem in explained for problem in expected)

    @pytest.mark.parametrize(
        ("body", "parameters"),
        [
            (None, {}),
            ("{", {}),
            ('{"message": [1]}', {}),
            ({"data": {"a": "\0"}, "x": 1}, {}),
            ({"any": "object"}, {}),
            (sample("agave-callback"), {}),
            (EVENT, {"event": "run"}),
            ({"uuid": 5, "name": 5}, {"uuid": "x"}),
            ({"uuid": 5, "name": 5, "data": {"x": "x" * 20_000}}, {}),
        ],
    )
    def test_is_the_reason_for_all_other_refusals(self, body: object, parameters: dict[str, str]) -> None:
        given = delivery(body, parameters)
        with pytest.raises(Malformed) as caught:
            read(given)
        assert explain(given, caught.value) == caught.value.reason

    def test_never_raises(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def broken(body: object) -> list[str]:
            raise RuntimeError(body)

        monkeypatch.setattr("pipelinejobs.messages.recognition.problems", broken)
        assert explain(delivery({"uuid": 5, "name": 5}), Malformed("uuid", "is odd")) == "uuid: is odd"


@pytest.mark.promise("P6")
@pytest.mark.parametrize(
    ("body", "parameters"),
    [
        ({"uuid": JOB, "name": "nonsense", "token": TOKEN}, {"token": "f337c3508de01c67"}),
        ({"uuid": JOB, "name": "run", "token": [TOKEN]}, {}),
        ({"uuid": TOKEN, "name": JOB}, {}),
        ({"uuid": JOB, "name": TOKEN}, {}),
        ({"uuid": JOB, "token": TOKEN}, {}),
        (None, {"uuid": TOKEN, "token": JOB, "event": "run"}),
        (None, {"uuid": JOB, "event": TOKEN}),
        (None, {"uuid": JOB, "event": "run", "token": f"{TOKEN}\0"}),
        (None, {"uuid": JOB, "x-nonce": f"{TOKEN}\udcff"}),
        (f'{{"token": "{TOKEN}" x', {}),
        (f"{{'token': ('{TOKEN}',)}}", {}),
        ({"event": {"type": f"files.{TOKEN}"}, "deliveryTarget": TOKEN}, {}),
    ],
)
def test_no_reason_shows_a_token(body: object, parameters: dict[str, str]) -> None:
    given = delivery(body, parameters)
    with pytest.raises(Malformed) as caught:
        read(given)
    assert TOKEN not in explain(given, caught.value)
    assert "f337c3508de01c67" not in explain(given, caught.value)
