"""A report is a fact: its wrapping never costs it, whatever its body and the other parameters are."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipelinejobs.messages.body import object_in
from pipelinejobs.messages.delivery import Delivery
from pipelinejobs.messages.event import Event, Kind
from pipelinejobs.messages.json_event import EVENT
from pipelinejobs.messages.marks import KEY, unmarked
from pipelinejobs.messages.parameters import NAMES
from pipelinejobs.messages.reader import read
from pipelinejobs.messages.values import check
from pipelinejobs.util.errors import Malformed
from support.message_samples import DATA, JOB, OTHER_JOB, TOKEN, refusal_of, sample, token_of

pytestmark = pytest.mark.promise("P7")

WHERE = {"uuid": JOB, "token": TOKEN}
SYSTEMS = ("agave", "aloe", "tapis")
CASES = sorted((DATA / "reports").glob("report-*.json"))


def posted(body: str | bytes | None, **parameters: str) -> Event:
    """What the gateway makes of a message."""
    return read(Delivery(id="exec-1", body=body, parameters=WHERE | parameters, sender="jdoe", literal=False))


def by_abaco(body: str | None, **parameters: str) -> Event:
    """What a run makes of it."""
    return read(Delivery(id="exec-1", body=body, parameters=WHERE | parameters, sender="jdoe"))


def callback(system: str, said: str = "FINISHED") -> dict[str, Any]:
    body = sample("tapis-notification" if system == "tapis" else f"{system}-callback")
    return body if system == "tapis" else body | {"status": said}


def marks_of(event: Event) -> list[str]:
    marks: list[str] = (event.data or {}).get(KEY, [])
    return marks


foreign = st.dictionaries(
    st.text(st.characters()).filter(lambda name: name not in (*NAMES, "message")), st.text(st.characters()), max_size=5
)
ours = st.dictionaries(
    st.sampled_from(["note", "session", "x_event_id", "x-nonce", "x_session"]), st.text(st.characters()), max_size=3
)
odd = st.sampled_from(
    ["NaN", "1e400", "9" * 30, '"\\u0000"', '"\\ud800"', "[" * 40 + "]" * 40, '{"a": 1, "a": 2}', "1"]
)
bodies = (
    st.binary()
    | st.text(st.characters(codec="utf-8")).map(str.encode)
    | st.text(st.characters(max_codepoint=255)).map(lambda text: text.encode("latin-1"))
    | st.builds(lambda value: f'{{"message": {value}}}'.encode(), odd)
    | st.builds(lambda key, value: json.dumps({key: 0}).replace("0}", f"{value}}}").encode(), st.text(), odd)
    | st.builds(
        lambda system, value, encoding: (
            json.dumps(callback(system)).replace("{", f'{{"odd": {value}, ', 1).encode(encoding)
        ),
        st.sampled_from(SYSTEMS),
        odd,
        st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32", "latin-1"]),
    )
)
labels = (
    st.sampled_from(
        [
            None,
            "application/json",
            "application/x-www-form-urlencoded",
            "multipart/form-data",
            "application/octet-stream",
        ]
    )
    | st.text()
)


def is_command(body: bytes) -> bool:
    """Whether these bytes are a JSON event, which is a command wherever it is sent."""
    try:
        value = object_in(body.decode("utf-8"), literal=False)
    except (Malformed, UnicodeDecodeError):
        return False
    return value is not None and EVENT.has_keys(value)


@given(body=bodies, others=foreign, own=ours, label=labels, encoding=st.none() | st.text(), key=st.none() | st.text())
@example(body=b"", others={}, own={"note": "\0"}, label=None, encoding=None, key=None)
@example(body=b"\xff", others={"filename": "\udce9chantillon.csv"}, own={}, label=None, encoding="gzip", key="a")
@example(body=b'{"uuid": 5, "name": "x"}', others={}, own={"x_event_id": "\0"}, label=None, encoding=None, key="b")
def test_whatever_its_body_and_parameters(
    body: bytes, others: dict[str, str], own: dict[str, str], label: str | None, encoding: str | None, key: str | None
) -> None:
    for literal, said in ((False, body), (True, body.decode("utf-8", "surrogateescape"))):
        event = read(
            Delivery(
                id="exec-1",
                body=said,
                parameters={**others, **own, **WHERE, "status": "FINISHED"},
                sender="jdoe",
                literal=literal,
                content_type=label,
                content_encoding=encoding,
                event_id=key,
            )
        )
        assert (event.job, token_of(event)) == (JOB, TOKEN)
        assert event.kind is Kind.REPORT or is_command(body)
        assert event.name == "finish" or event.external is not None or is_command(body)
        check(event.data or {})
        if KEY not in (event.data or {}):
            continue
        for mark in marks_of(event):
            assert mark.isprintable()
            assert len(mark) < 600


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
@pytest.mark.parametrize("status", [{}, {"status": "FINISHED"}, {"status": "${JOB_STATUS}"}])
def test_a_body_that_a_message_may_not_hold(path: Any, status: dict[str, str]) -> None:
    event = posted(path.read_bytes(), **status)
    assert (event.name, event.kind, event.status) == ("finish", Kind.REPORT, "FINISHED")
    assert event.external == "agave:4183620957716350441-a81f0c2e9b7d-0001-007"
    assert len(marks_of(event)) == 1
    assert posted(path.read_bytes(), note="another").id == event.id, "it is known by what it says"


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("wrapping", ["latin-1", "utf-8-sig", "utf-16", "utf-32"])
def test_the_same_report_in_another_encoding_is_the_same(system: str, wrapping: str) -> None:
    body = callback(system) | {"name": "\u00e9chantillon"}
    text = json.dumps(body, ensure_ascii=False)
    plain, other = posted(text.encode()), posted(text.encode(wrapping))
    assert marks_of(plain) == []
    assert len(marks_of(other)) == 1
    assert unmarked(other.data) == plain.data
    assert (other.id, other.external, other.name) == (plain.id, plain.external, plain.name)


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize(
    ("value", "as_literal", "kept"),
    [
        ("18446744073709551616", "18446744073709551616", "18446744073709551616"),
        ("NaN", "nan", "NaN"),
        ('"\\ud800"', "'\\ud800'", "\ufffd"),
    ],
)
def test_by_both_ways(system: str, value: str, as_literal: str, kept: str) -> None:
    body = callback(system)
    as_posted = posted(json.dumps(body).replace("{", f'{{"odd": {value}, ', 1).encode())
    as_run = by_abaco(repr(body).replace("{", f"{{'odd': {as_literal}, ", 1))
    for event in (as_posted, as_run):
        assert event.data is not None
        assert event.data["odd"] == kept
        assert len(marks_of(event)) == 1
    assert as_posted.id == as_run.id


@pytest.mark.parametrize("system", SYSTEMS)
def test_what_is_too_deep_or_too_large_is_left_out_and_its_status_counts(system: str) -> None:
    for value in ("[" * 40 + "]" * 40, json.dumps("x" * 1_100_000)):
        text = json.dumps(callback(system)).replace("{", f'{{"odd": {value}, ', 1)
        event, plain = posted(text.encode()), posted(json.dumps(callback(system)).encode())
        assert (event.name, event.status, event.external) == (plain.name, plain.status, plain.external)
        assert unmarked(event.data) == {"status": plain.status}
        assert marks_of(event)[0].endswith("; left out")


class TestText:
    def test_a_failed_job_on_abaco(self) -> None:
        event = by_abaco("Job failed. Unable to stage inputs: no such file", status="FAILED")
        assert (event.name, event.kind, event.status) == ("fail", Kind.REPORT, "FAILED")
        assert event.data == {
            "status": "FAILED",
            "body": "Job failed. Unable to stage inputs: no such file",
            KEY: ["body: is text and no object; kept under `body`"],
        }

    def test_without_a_status_it_is_malformed(self) -> None:
        assert refusal_of("Job failed", **WHERE).startswith("body: is neither JSON")

    def test_where_the_status_is_still_a_macro_it_is_an_update(self) -> None:
        event = by_abaco("Job failed", status="${STATUS}", note="why")
        assert (event.name, event.kind) == ("update", Kind.REPORT)
        assert event.data is not None
        assert (event.data["body"], event.data["note"]) == ("Job failed", "why")


class TestWithoutAStatus:
    BODIES: tuple[Any, ...] = (
        None,
        "",
        " ",
        {},
        {"PROGRESS": "40", "CUSTOM_USER_JOB_EVENT_NAME": "HALF_WAY"},
        {"name": "x", "uuid": "y", "status": "FINISHED", "CUSTOM_USER_JOB_EVENT_NAME": "HALF_WAY"},
        {"job": {"status": "RUNNING"}, "permission": {"username": "jdoe"}},
    )

    @pytest.mark.parametrize("status", [{}, {"status": "${JOB_STATUS}"}, {"state": "", "status": " "}])
    @pytest.mark.parametrize("body", BODIES)
    def test_it_is_an_update(self, body: Any, status: dict[str, str]) -> None:
        text = json.dumps(body) if isinstance(body, dict) else body
        for event in (posted(text.encode() if text else text, **status), by_abaco(text, **status)):
            assert (event.name, event.kind, event.status, event.external) == ("update", Kind.REPORT, None, None)
            assert unmarked(event.data) == (body if isinstance(body, dict) else {})
            assert marks_of(event) == ["status: none can be read; this is an update"]

    @pytest.mark.parametrize("body", BODIES)
    def test_but_for_a_job_with_a_token_alone(self, body: Any) -> None:
        text = json.dumps(body) if isinstance(body, dict) else body
        for parameters in ({"uuid": JOB}, {"token": TOKEN}, {"uuid": JOB, "token": "${TOKEN}"}):
            with pytest.raises(Malformed):
                read(Delivery(id="e", body=text, parameters=parameters))

    @pytest.mark.parametrize(
        ("body", "place"),
        [
            ({"any": "object"}, "body: names no event"),
            ({"uuid": JOB}, "name: is missing"),
            ({"name": "run"}, "uuid: is missing"),
            ({"event": "run"}, "event: is not a key"),
            ({"uuid": JOB, "name": "finsh"}, 'name: "finsh" is not an event'),
            ({"uuid": JOB, "name": "run", "data": []}, "data: must be an object"),
            ({"uuid": OTHER_JOB, "name": "run"}, "parameter uuid: is"),
            (sample("agave-callback") | {"status": 5}, "status: must be text"),
        ],
    )
    def test_an_attempt_at_something_else_is_told_what_is_wrong(self, body: dict[str, Any], place: str) -> None:
        assert refusal_of(body, **WHERE).startswith(place)


class TestCallbacksOfOtherTypes:
    """The keys tell a callback, and its status what happened; no other value of it matters."""

    @pytest.mark.parametrize("odd", [None, 5, [], {}, True, "text"])
    @pytest.mark.parametrize(
        ("system", "key"),
        [
            *(("agave", key) for key in ("appId", "executionSystem", "owner", "_links", "id")),
            *(("aloe", key) for key in ("appId", "executionSystem", "owner", "tenantId", "tenantQueue", "id")),
        ],
    )
    def test_it_is_a_report_all_the_same(self, system: str, key: str, odd: Any) -> None:
        body = sample(f"{system}-callback") | {"status": "FINISHED", key: odd}
        event = read(Delivery(id="e", body=json.dumps(body), parameters=WHERE))
        assert (event.kind, event.name, event.status) == (Kind.REPORT, "finish", "FINISHED")
        assert (event.data or {}).get(key, odd) == odd
        good = (key == "_links" and odd == {}) or (key != "_links" and isinstance(odd, str))
        assert bool(marks_of(event)) is not good

    def test_but_not_without_a_token(self) -> None:
        body = sample("agave-callback") | {"owner": None}
        with pytest.raises(Malformed):
            read(Delivery(id="e", body=json.dumps(body), parameters={"uuid": JOB}))


@pytest.mark.parametrize("around", ["\0", "\u00a0", "\ufeff", "\u200b", "\ufffd", " \r\n"])
def test_what_no_one_sees_around_a_status_word_does_not_count(around: str) -> None:
    event = read(Delivery(id="e", body=None, parameters=WHERE | {"status": f"{around}Finished{around}"}))
    assert (event.name, event.status) == ("finish", "FINISHED")


class TestCommands:
    """They stay strict, also with a status in the URL: a sender that names an event can correct the message."""

    @pytest.mark.parametrize("status", [{}, {"status": "FINISHED"}])
    @pytest.mark.parametrize(
        "text",
        [
            f'{{"uuid": "{JOB}", "name": "run", "data": {{"x": NaN}}}}',
            f'{{"uuid": "{JOB}", "name": "RUN", "data": {{"x": {2**64}}}}}',
            f'{{"uuid": "{JOB}", "name": "run", "name": "run"}}',
            f'{{"uuid": "{JOB}", "name": "run", "data": 5}}',
            f'{{"uuid": "{JOB}\\n", "name": "run", "token": null}}',
            f'\ufeff{{"uuid": "{JOB}", "name": "run"}}',
            f'{{"uuid": "{OTHER_JOB}", "name": "run"}}',
        ],
    )
    def test_a_json_event(self, text: str, status: dict[str, str]) -> None:
        refusal_of(text, **WHERE, **status)

    @pytest.mark.parametrize("name", ["event", "name"])
    @pytest.mark.parametrize("value", ["finsh", "f\0", "create2"])
    def test_a_name_in_the_url(self, name: str, value: str) -> None:
        for body in (None, "Job failed", {}, sample("agave-callback")):
            assert refusal_of(body, **WHERE, **{name: value}, status="FINISHED").startswith(f"parameter {name}: ")

    def test_names_that_disagree(self) -> None:
        assert refusal_of(None, **WHERE, event="run", name="fail", status="FAILED").startswith(
            "parameter event: names another event"
        )


@pytest.mark.parametrize("blank", [" {}", "{}\n", "\t{}\r\n"])
def test_blanks_around_words_and_ids_do_not_count(blank: str) -> None:
    assert posted(b"", status=blank.format("finished")).status == "FINISHED"
    body = callback("agave")
    around = body | {"status": blank.format("FINISHED"), "id": blank.format(body["id"])}
    assert posted(json.dumps(around).encode()).name == "finish"
    assert posted(json.dumps(around).encode()).external == f"agave:{body['id']}"
    event = by_abaco(None, uuid=blank.format(JOB), event=blank.format("RUN"))
    assert (event.job, event.name) == (JOB, "run")


@pytest.mark.promise("P6")
@pytest.mark.parametrize("happened", [{"event": "finish"}, {"status": "FINISHED"}])
@pytest.mark.parametrize(
    "text",
    [
        f'{{"uuid": "{JOB}", "name": "finish", "token": "{TOKEN}",}}',
        f'{{"deliveryTarget": {{"address": "https://x/messages?x-nonce=SD2E_abCDefGH1234&token={TOKEN}"}}, "event": {{',
        f"curl 'https://x/messages?x-nonce=SD2E_abCDefGH1234&token={TOKEN}'",
    ],
)
def test_a_text_that_is_kept_shows_no_token_and_no_nonce(text: str, happened: dict[str, str]) -> None:
    event = posted(text.encode(), **happened)
    kept = str(event.data)
    assert "body" in (event.data or {})
    assert TOKEN not in kept
    assert "abCDefGH1234" not in kept
    assert posted(text.encode(), **happened).data == event.data
