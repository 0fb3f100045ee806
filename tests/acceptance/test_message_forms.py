"""Every form of message, as Abaco hands it to the process: what the sender is told, and what is stored."""

import json
from typing import Any
from urllib.parse import unquote

import pytest
from bson import Int64

from support.process import CheckedAbaco, NewJob, StoredJob, callback
from tools.demo.abaco import Execution

DATA = {"text": 'it\'s "ü" \n', "number": 7, "half": 0.5, "yes": True, "nothing": None, "list": [1, {"a": []}]}

FORMS: dict[str, Any] = {
    "a Python literal, which Abaco makes of a JSON object": lambda event: event,
    "JSON text": json.dumps,
    "a literal in a wrapping": lambda event: {"message": event},
    "JSON text in a wrapping": lambda event: {"message": json.dumps(event)},
    "all of it JSON text": lambda event: json.dumps({"message": json.dumps(event)}),
    "pretty-printed": lambda event: "\n" + json.dumps(event, indent=4) + "\n",
}

LEFT_OUT = {"agave": {"_links", "retries", "localId"}, "aloe": {"retries", "localId"}, "tapis": {"deliveryTarget"}}


def applied(execution: Execution, job: StoredJob, event: str, state: str) -> None:
    """Checks that the delivery was applied: by its verdict line, and in the database."""
    told = {key: execution.verdict[key] for key in ("verdict", "uuid", "event", "state")}
    assert told == {"verdict": "applied", "uuid": job.uuid, "event": event, "state": state}, execution
    stored = job.stored()
    assert (stored["state"], stored["last_event"]) == (state, event)
    assert stored["history"][-1]["name"] == event
    assert stored["_properties"]["revision"] == len(stored["history"]) - 1


class TestJsonEvents:
    @pytest.mark.parametrize("form", FORMS)
    def test_however_it_is_wrapped(self, abaco: CheckedAbaco, job: StoredJob, form: str) -> None:
        execution = abaco.send(FORMS[form](job.event("run", DATA)))
        applied(execution, job, "run", "RUNNING")
        assert job.last["data"] == DATA

    def test_the_token_may_be_a_parameter(self, abaco: CheckedAbaco, job: StoredJob) -> None:
        event = job.event("run")
        del event["token"]
        applied(abaco.send(event, {"token": job.token}), job, "run", "RUNNING")

    def test_without_data_the_history_has_null(self, abaco: CheckedAbaco, job: StoredJob) -> None:
        applied(abaco.send(job.event("run")), job, "run", "RUNNING")
        assert job.last["data"] is None

    def test_types_come_back_as_they_were_sent(self, abaco: CheckedAbaco, job: StoredJob) -> None:
        data = {"long": 2**62, "int": 2**31 - 1, "float": 1.0, "true": True, "one": 1, "text": "1", "minus": -0.0}
        abaco.send(job.event("update", data))
        stored = job.last["data"]
        assert {key: type(value) for key, value in stored.items()} == {
            "long": Int64, "int": int, "float": float, "true": bool, "one": int, "text": str, "minus": float,
        }  # fmt: skip
        assert stored == data
        assert str(stored["minus"]) == "-0.0"

    @pytest.mark.parametrize(
        "template",
        [
            '{"uuid": "%s", \\\n "name": "run", \\\n "token": "%s", \\\n "data": {"launched": "x"}}',
            '{ \\\r\n"uuid": "%s",\\\r\n"name": "run", "token": "%s", "data": {"launched": "x"} \\\r\n}',
        ],
    )
    def test_the_printed_example_works_with_its_continued_lines(
        self, abaco: CheckedAbaco, job: StoredJob, template: str
    ) -> None:
        applied(abaco.send(template % (job.uuid, job.token)), job, "run", "RUNNING")
        assert job.last["data"] == {"launched": "x"}

    def test_a_parameter_that_contradicts_the_body_is_named(self, abaco: CheckedAbaco, job: StoredJob) -> None:
        execution = abaco.send(job.event("run"), {"event": "fail"})
        assert execution.verdict["verdict"] == "malformed"
        assert "event" in execution.verdict["reason"]
        assert "name" in execution.verdict["reason"]
        assert job.names == ["create"]


class TestUrlParameters:
    @pytest.mark.parametrize("body", [None, "", " ", {}])
    def test_nothing_as_the_body(self, abaco: CheckedAbaco, job: StoredJob, body: Any) -> None:
        applied(abaco.send(body, job.url("run")), job, "run", "RUNNING")
        assert not job.last["data"]

    def test_the_body_is_the_data(self, abaco: CheckedAbaco, job: StoredJob) -> None:
        applied(abaco.send(DATA, job.url("run")), job, "run", "RUNNING")
        assert job.last["data"] == DATA

    def test_the_name_may_be_called_name(self, abaco: CheckedAbaco, job: StoredJob) -> None:
        applied(abaco.send(None, job.url(name="run")), job, "run", "RUNNING")

    def test_note_and_session_go_into_the_data(self, abaco: CheckedAbaco, job: StoredJob) -> None:
        abaco.send({"a": 1}, job.url("run", note="by hand", session="s-1"))
        assert job.last["data"] == {"a": 1, "note": "by hand", "session": "s-1"}

    def test_the_bodys_own_note_wins(self, abaco: CheckedAbaco, job: StoredJob) -> None:
        abaco.send({"note": "mine", "session": None}, job.url("run", note="by hand", session="s-1"))
        assert job.last["data"] == {"note": "mine", "session": None}

    def test_a_callbacks_body_under_a_named_event_is_data(self, abaco: CheckedAbaco, job: StoredJob) -> None:
        applied(abaco.send(callback("agave", "FINISHED"), job.url("run")), job, "run", "RUNNING")
        assert job.last["data"]["status"] == "FINISHED"
        assert "_links" not in job.last["data"]

    def test_unresolved_macros_count_as_absent(self, abaco: CheckedAbaco, job: StoredJob) -> None:
        macro = unquote("$%7BSTATUS%7D")
        parameters = job.url(status=macro, note="${JOB_ERROR}", session=macro, event="${EVENT}")
        applied(abaco.send(callback("agave", "RUNNING"), parameters), job, "run", "RUNNING")
        assert not {"note", "session"} & job.last["data"].keys()

    def test_the_senders_own_id_tells_a_repetition(self, abaco: CheckedAbaco, job: StoredJob) -> None:
        first = abaco.send({"n": 1}, job.url("run", x_event_id="mine-1"))
        again = abaco.send({"n": 1}, job.url("run", x_event_id="mine-1"))
        other = abaco.send({"n": 2}, job.url("run", x_event_id="mine-1"))
        assert [run.verdict["verdict"] for run in (first, again, other)] == ["applied", "duplicate", "malformed"]
        assert again.exit_code == first.exit_code
        assert again.verdict["state"] == "RUNNING"
        assert job.names == ["create", "run"]

    def test_other_names_are_ignored(self, abaco: CheckedAbaco, job: StoredJob) -> None:
        applied(abaco.send(None, job.url("run", data='{"x": 1}', verdict="stale", _id="1")), job, "run", "RUNNING")
        assert job.last["data"] is None


class TestCallbacks:
    @pytest.mark.parametrize("system", ["agave", "aloe", "tapis"])
    def test_the_sample_is_stored_without_what_is_bulky_or_private(
        self, abaco: CheckedAbaco, job: StoredJob, system: str
    ) -> None:
        body = callback(system, "RUNNING")
        applied(abaco.send(body, job.url()), job, "run", "RUNNING")
        assert job.last["data"] == {key: value for key, value in body.items() if key not in LEFT_OUT[system]}

    @pytest.mark.parametrize("system", ["agave", "aloe"])
    def test_the_status_parameter_counts_for_more_than_the_body(
        self, abaco: CheckedAbaco, job: StoredJob, system: str
    ) -> None:
        applied(abaco.send(callback(system, "QUEUED"), job.url(status="RUNNING")), job, "run", "RUNNING")

    def test_json_text_does_as_well(self, abaco: CheckedAbaco, job: StoredJob) -> None:
        applied(abaco.send({"message": json.dumps(callback("tapis", "RUNNING"))}, job.url()), job, "run", "RUNNING")


class TestStatusParameter:
    @pytest.mark.parametrize("name", ["status", "state"])
    def test_a_status_alone_is_a_report(self, abaco: CheckedAbaco, job: StoredJob, name: str) -> None:
        applied(abaco.send(None, job.url(**{name: "finished"})), job, "finish", "FINISHED")
        assert job.names == ["create", "run", "finish"]

    def test_it_never_counts_as_an_illegal_command(self, abaco: CheckedAbaco, new_job: NewJob) -> None:
        job = new_job("job-finished.json")
        execution = abaco.send(None, job.url(status="RUNNING"))
        assert (execution.verdict["verdict"], execution.verdict["state"]) == ("stale", "FINISHED")

    def test_it_is_known_again_by_its_execution(self, abaco: CheckedAbaco, job: StoredJob) -> None:
        runs = [abaco.send(None, job.url(status="RUNNING"), execution="exec-1") for _ in range(2)]
        assert [run.verdict["verdict"] for run in runs] == ["applied", "duplicate"]


class TestNoForm:
    @pytest.mark.parametrize(
        ("body", "parameters", "said"),
        [
            (None, {}, "uuid"),
            ("hello", {}, "body"),
            ({"uuid": "x", "event": "run"}, {}, "name"),
            ({"a": 1}, {"uuid": "107b93f3-1eae-5e79-8a18-0a480f8aa3a5"}, "event"),
            (None, {"event": "run"}, "uuid"),
            (None, {"event": "run", "name": "fail"}, "name"),
            ([1, 2], {}, "object"),
        ],
    )
    def test_is_malformed_and_says_what_is_wrong(
        self, abaco: CheckedAbaco, body: Any, parameters: dict[str, str], said: str
    ) -> None:
        execution = abaco.send(body, parameters)
        assert execution.verdict["verdict"] == "malformed"
        assert execution.verdict["state"] is None
        assert said in execution.verdict["reason"]


class TestVerdicts:
    def test_illegal_keeps_the_state_and_says_what_is_allowed(self, abaco: CheckedAbaco, job: StoredJob) -> None:
        execution = abaco.send(job.event("finish"))
        assert (execution.verdict["verdict"], execution.verdict["state"]) == ("illegal", "CREATED")
        assert "run" in execution.verdict["reason"]
        assert job.names == ["create"]

    def test_the_whole_life_by_commands(self, abaco: CheckedAbaco, job: StoredJob) -> None:
        life = [
            "run",
            "update",
            "resource",
            "finish",
            "index",
            "indexed",
            "validate",
            "validated",
            "finalize",
            "retire",
        ]
        states = [abaco.send(job.event(name)).verdict["state"] for name in life]
        assert states == [
            "RUNNING", "RUNNING", "RUNNING", "FINISHED", "INDEXING", "FINISHED",
            "VALIDATING", "VALIDATED", "FINALIZED", "RETIRED",
        ]  # fmt: skip
        assert job.names == ["create", *life]
        assert len({entry["uuid"] for entry in job.stored()["history"]}) == len(life) + 1
        assert all(entry["uuid"].startswith("108") for entry in job.stored()["history"])
