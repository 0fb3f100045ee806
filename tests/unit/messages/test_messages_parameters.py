"""The URL parameters."""

import pytest

from pipelinejobs.messages.marks import Marks
from pipelinejobs.messages.parameters import NAMES, Parameters, dry_run, has_unresolved_status, of_report, read
from pipelinejobs.util.errors import Malformed
from support.message_samples import JOB


def refused(**given: str) -> str:
    with pytest.raises(Malformed) as caught:
        read(given)
    return caught.value.reason


def test_all_of_them() -> None:
    given = read(
        {
            "uuid": JOB,
            "event": "finish",
            "token": "t0ken",
            "note": "n",
            "status": "s",
            "session": "q",
            "x_event_id": "e",
        }
    )
    assert (given.job, given.name, given.note, given.status, given.session, given.event_id) == (
        JOB,
        "finish",
        "n",
        "s",
        "q",
        "e",
    )
    assert given.token is not None
    assert given.token.reveal() == "t0ken"
    assert "t0ken" not in repr(given)


def test_none_of_them() -> None:
    assert read({}) == Parameters()


@pytest.mark.promise("S6")
@pytest.mark.promise("S13")
def test_other_names_are_ignored() -> None:
    others = {
        "uuid[$ne]": "",
        "UUID": "x",
        "environment": "uuid",
        "LD_PRELOAD": "\udcff",
        "message": "\0",
        "Event": "run",
    }
    assert read(others) == Parameters()


@pytest.mark.parametrize("name", [name for name in NAMES if name != "dry_run"])
@pytest.mark.parametrize("value", ["", "${STATUS}", "${}", "${JOB_ERROR}"])
def test_empty_values_and_macros_count_as_absent(name: str, value: str) -> None:
    assert read({name: value}) == Parameters()


@pytest.mark.parametrize("note", ["${A} failed", "$STATUS", "${A}${B}", "{A}", "%24{A}", " "])
def test_a_note_around_a_macro_is_a_note(note: str) -> None:
    assert read({"note": note}).note == note


@pytest.mark.promise("S9")
@pytest.mark.parametrize("name", NAMES)
def test_unstorable_text_is_refused_by_name(name: str) -> None:
    assert refused(**{name: "a\0b"}) == f"parameter {name}: holds a NUL character"


@pytest.mark.promise("S9")
def test_bytes_that_are_not_utf_8_are_replaced() -> None:
    assert read({"note": "a\udcffb"}).note == "a\ufffdb"
    assert read({"note": "\udcc3\udca9"}).note == "\u00e9", "the environment was not read as UTF-8"
    assert read({"session": "\ud800"}).session == "\ufffd"
    assert refused(event="r\udcff").startswith("parameter event: ")


def test_blanks_around_words_do_not_count() -> None:
    given = read({"uuid": f" {JOB}\n", "event": "RUN ", "name": "\trun", "status": "FINISHED\n", "note": " n "})
    assert (given.job, given.name, given.status, given.note) == (JOB, "run", "FINISHED", " n ")
    assert read({"uuid": " ", "event": "\n", "status": " ${STATUS} ", "state": "x"}) == Parameters(status="x")


class TestDryRun:
    """A flag that is read wrongly would have an event applied that was not to be."""

    @pytest.mark.parametrize(
        ("value", "meant"),
        [
            ("true", True),
            ("1", True),
            ("True", True),
            (" TRUE\n", True),
            ("false", False),
            ("0", False),
            ("False", False),
        ],
    )
    def test_its_values(self, value: str, meant: bool) -> None:
        assert dry_run({"dry_run": value}) is meant
        assert read({"dry_run": value}).dry_run is meant
        of_a_report = of_report({"uuid": JOB, "status": "FINISHED", "dry_run": value}, None, Marks())
        assert of_a_report is not None
        assert of_a_report.dry_run is meant

    @pytest.mark.parametrize(
        "value", ["", " ", "yes", "on", "t", "2", "01", "true,false", "${DRY_RUN}", "\uff11", "\udcff"]
    )
    def test_any_other_is_refused(self, value: str) -> None:
        assert dry_run({"dry_run": value}) is None
        assert refused(dry_run=value) == "parameter dry_run: must be true or false (or 1 or 0)"
        assert of_report({"uuid": JOB, "status": "FINISHED", "dry_run": value}, None, Marks()) is None

    def test_without_it(self) -> None:
        assert dry_run({"DRY_RUN": "true"}) is False


class TestOfAReport:
    def given(self, marks: Marks, key: str | None = None, **more: str) -> Parameters | None:
        return of_report({"uuid": JOB, "status": "FINISHED", **more}, key, marks)

    def test_good_ones_are_what_they_are(self) -> None:
        marks = Marks()
        good = {"uuid": JOB, "status": "FINISHED", "token": "t", "note": "n", "session": "s", "x_event_id": "e"}
        found = of_report(good, None, marks)
        assert found is not None
        assert found._replace(token=None) == read(good)._replace(token=None)
        assert marks.texts() == []

    @pytest.mark.parametrize(
        ("more", "mark"),
        [
            ({"note": "a\0b"}, "parameter note: holds a NUL character; replaced by U+FFFD"),
            ({"session": "x" * (1024 * 1024 + 1)}, "parameter session: is larger than 1048576 bytes; left out"),
            (
                {"x_event_id": "caf\xe9"},
                "parameter x_event_id: must be 1 to 128 printable ASCII characters; its digest counts",
            ),
        ],
    )
    def test_none_of_them_costs_it(self, more: dict[str, str], mark: str) -> None:
        marks = Marks()
        assert self.given(marks, **more) is not None
        assert marks.texts() == [mark]

    def test_a_bad_id_is_an_id_still(self) -> None:
        ids = {text: self.given(Marks(), x_event_id=text) for text in ("a\nb", "a\nc")}
        assert {given.event_id[:7] for given in ids.values() if given and given.event_id} == {"sha256:"}
        assert ids["a\nb"] != ids["a\nc"]
        assert self.given(Marks(), x_event_id="a\nb") == ids["a\nb"]

    def test_a_header_that_says_another_id(self) -> None:
        marks = Marks()
        found = self.given(marks, key="two", x_event_id="one")
        assert found is not None
        assert found.event_id == "one"
        assert len(marks.texts()) == 1

    @pytest.mark.parametrize("more", [{"uuid": "107"}, {"uuid": ""}, {"event": "run"}, {"event": "x"}, {"name": "y"}])
    def test_what_is_a_command_or_names_no_job(self, more: dict[str, str]) -> None:
        assert self.given(Marks(), **more) is None


@pytest.mark.parametrize(
    ("status", "answer"), [("${JOB_STATUS}", True), (" ${S}\n", True), ("RUNNING", False), ("", False)]
)
def test_a_macro_that_was_not_replaced(status: str, answer: bool) -> None:
    assert has_unresolved_status({"status": status}) is answer
    assert has_unresolved_status({"state": status}) is answer


@pytest.mark.parametrize(("given", "key", "event_id"), [({}, "one", "one"), ({"x_event_id": "one"}, "one", "one")])
def test_the_header_is_the_parameter(given: dict[str, str], key: str, event_id: str) -> None:
    assert read(given, key).event_id == event_id
    with pytest.raises(Malformed, match="header Idempotency-Key"):
        read({"x_event_id": "one"}, "two")


@pytest.mark.promise("S14")
def test_a_note_of_any_signs_up_to_a_mebibyte() -> None:
    note = "\r\n\x1b[31m%n " + "x" * (1024 * 1024 - 10)
    assert read({"note": note}).note == note
    assert refused(note="x" * (1024 * 1024 + 1)) == "parameter note: is larger than 1048576 bytes"


def test_event_and_name_are_the_same_thing() -> None:
    assert read({"name": "run"}).name == "run"
    assert read({"name": "run"}).name_path == "parameter name"
    assert read({"event": "run"}).name_path == "parameter event"
    assert read({"event": "run", "name": "run"}).name == "run"
    assert read({"event": "run", "name": "${EVENT}"}).name == "run"
    assert refused(event="run", name="finish").startswith("parameter event: names another event than parameter name")


def test_wrong_values_are_named() -> None:
    assert refused(uuid="107").startswith("parameter uuid: is not a UUID")
    assert refused(name="updated").startswith('parameter name: "updated" is not an event')


def test_status_counts_for_more_than_state() -> None:
    assert read({"status": "A", "state": "B"}).status == "A"
    assert read({"state": "B"}).status == "B"
    assert read({"status": "${STATUS}", "state": "B"}).status == "B"
    assert read({"status": "", "state": "B"}).status == "B"


@pytest.mark.parametrize("event_id", ["a", " ", "~" * 128, "107-a/b:c d"])
def test_event_ids(event_id: str) -> None:
    assert read({"x_event_id": event_id}).event_id == event_id


@pytest.mark.parametrize("event_id", ["a" * 129, "caf\xe9", "a\nb", "\x7f", "\u0661"])
def test_event_ids_are_short_printable_ascii(event_id: str) -> None:
    assert refused(x_event_id=event_id) == "parameter x_event_id: must be 1 to 128 printable ASCII characters"
