"""`send`: events by hand, with the manager's own verdicts."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pymongo.collection import Collection
from pymongo.database import Database

from integration.cli.conftest import Cli
from pipelinejobs.core.verdict import EXIT_CODES, Verdict
from support.dump import everything
from support.message_samples import sample
from support.misbehaving import TAKEN, Manager, manager, refusal

Jobs = Collection[dict[str, Any]]
UNKNOWN = "1073f4ff-c2b9-5190-bd9a-e6a406d9796a"
CALLBACK = f"https://manager.invalid/messages?uuid={UNKNOWN}&token=0dc73dc3ff39b49a"
ADMINISTRATION: dict[str, Any] = {"_REACTOR_TOKENS_ADMIN_KEY": "k" * 20, "_REACTOR_TOKENS_ADMIN_SECRET": "s" * 20}


def test_applies_an_event_with_the_jobs_own_token(cli: Cli, jobs: Jobs) -> None:
    uuid = cli.make()["uuid"]
    told = cli.ok("send", uuid, "run", "--data", '{"note": "by hand", "message": {"a": 1}}')
    assert (told["verdict"], told["state"], told["event"]) == ("applied", "RUNNING", "run")
    assert jobs.distinct("history.data.note") == ["by hand"]
    assert jobs.distinct("history.data.message.a") == [1]


def test_data_that_is_only_a_message_is_data(cli: Cli, jobs: Jobs) -> None:
    uuid = cli.make()["uuid"]
    cli.ok("send", uuid, "run", "--data", '{"message": "hello"}')
    assert jobs.distinct("history.data.message") == ["hello"]


def test_tells_people_verdict_state_and_reason(cli: Cli) -> None:
    assert cli("send", cli.make()["uuid"], "run").out == "applied (now RUNNING): run: CREATED -> RUNNING\n"


def test_the_exit_code_is_the_verdicts(cli: Cli) -> None:
    job = cli.make()
    asked = {
        Verdict.ILLEGAL: ["send", job["uuid"], "finish"],
        Verdict.UNAUTHORISED: ["send", job["uuid"], "run", "--token", "0123456789abcdef"],
        Verdict.MALFORMED: ["send", job["uuid"], "finsh"],
        Verdict.APPLIED: ["send", job["uuid"], "run", "--id", "one"],
        Verdict.DUPLICATE: ["send", job["uuid"], "run", "--id", "one"],
    }
    for verdict, arguments in asked.items():
        done = cli(*arguments, "--json")
        assert (done.json["verdict"], done.exit_code) == (verdict.value, EXIT_CODES[verdict])
        assert set(done.json) == {"verdict", "uuid", "event", "state", "last_event", "reason", "execution"}


def test_is_unavailable_without_a_server(cli: Cli, free_port: int) -> None:
    done = cli(
        "send",
        UNKNOWN,
        "run",
        "--json",
        _REACTOR_MONGODB_URI=f"mongodb://127.0.0.1:{free_port}/",
        _REACTOR_LIMITS_DATABASE="0.2",
    )
    assert (done.exit_code, done.json["verdict"]) == (75, "unavailable")


@pytest.mark.parametrize("uuid", ["", "x", UNKNOWN.upper(), "../etc", "\udcff", "$ne", "-1", " " * 100])
def test_a_bad_uuid_is_malformed_and_asks_no_database(cli: Cli, uuid: str) -> None:
    done = cli("send", "--json", "--", uuid, "run", _REACTOR_MONGODB_URI="mongodb://127.0.0.1:1/")
    assert done.exit_code == 65
    assert "uuid" in done.json["reason"]


def test_an_operator_is_told_that_a_job_is_unknown(cli: Cli) -> None:
    done = cli("send", UNKNOWN, "run", "--json")
    assert (done.exit_code, done.json["verdict"]) == (77, "unauthorised")
    assert f"there is no job {UNKNOWN} in the database" in done.json["reason"]


def test_with_a_token_an_unknown_job_looks_like_to_any_sender(cli: Cli) -> None:
    assert cli("send", UNKNOWN, "run", "--token", "0123456789abcdef").exit_code == 77


@pytest.mark.parametrize("event", ["reset", "ready"])
def test_administrative_events_take_an_administrative_token(cli: Cli, event: str) -> None:
    uuid = cli.make()["uuid"]
    assert cli("send", uuid, "reset", **ADMINISTRATION).exit_code == 77
    assert cli.ok("send", uuid, "reset", "--admin", **ADMINISTRATION)["state"] == "RESET"
    if event == "ready":
        assert cli.ok("send", uuid, "ready", "--admin", **ADMINISTRATION)["state"] == "CREATED"


def test_says_when_there_are_no_administrative_tokens(cli: Cli) -> None:
    done = cli("send", cli.make()["uuid"], "reset", "--admin")
    assert done.exit_code == 1
    assert "tokens.admin_key" in done.err


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        [UNKNOWN],
        [UNKNOWN, "run", "--message", "-"],
        ["--message", "-", "--data", "{}"],
        [UNKNOWN, "run", "--data", "[]"],
        [UNKNOWN, "run", "--admin", "--token", "x"],
        [UNKNOWN, "run", "--parameter", "note"],
        [UNKNOWN, "run", "--parameter", "staus=FINISHED"],
        [UNKNOWN, "run", "--token", "a", "--parameter", "token=b"],
        [UNKNOWN, "run", "--id", "a", "--parameter", "x_event_id=b"],
        [UNKNOWN, "--message", "-", "--parameter", "uuid=other"],
        [UNKNOWN, "run", "fast"],
        ["run"],
        ["--flush"],
        ["--flush", "--spool", "spool", "run"],
        ["--callback", CALLBACK],
        ["--callback", CALLBACK, UNKNOWN, "run"],
        ["--callback", CALLBACK, "run", "--admin"],
        ["--callback", CALLBACK, "run", "--token", "x"],
        ["--callback", CALLBACK, "run", "--parameter", "note=x"],
        ["--callback", CALLBACK, "run", "--message", "-"],
        ["--callback", CALLBACK, "run", "--later"],
        ["--callback", "http://manager.example.org/messages?uuid=x&token=y", "run"],
        [UNKNOWN, "run", "--spool", "spool"],
    ],
)
def test_refuses_wrong_arguments_in_one_line(cli: Cli, arguments: list[str]) -> None:
    done = cli("send", *arguments)
    assert done.exit_code == 2
    assert done.err.startswith("send: ")
    assert len(done.err.splitlines()) == 1


class TestByCallback:
    """tests/unit/client tests the client; these tests check that `send` uses it."""

    @pytest.fixture
    def served(self) -> Iterator[Manager]:
        with manager(refusal(409, "illegal", "not now"), TAKEN) as listening:
            yield listening

    def test_sends_over_the_network_and_asks_no_database(self, cli: Cli, served: Manager) -> None:
        callback = f"{served.url}?uuid={UNKNOWN}&token=0dc73dc3ff39b49a"
        nowhere: dict[str, Any] = {"_REACTOR_MONGODB_URI": "mongodb://127.0.0.1:1/"}
        done = cli("send", "--callback", callback, "finish", "--data", '{"a": 1}', "--id", "7", "--json", **nowhere)
        assert (done.exit_code, done.json["verdict"], done.json["reason"]) == (70, "illegal", "not now")
        assert (served.asked[0].body["data"], served.asked[0].key) == ({"a": 1}, "7")
        done = cli("send", "run", PIPELINEJOBS_CALLBACK=callback, **nowhere)
        assert (done.exit_code, done.out) == (0, "applied (now RUNNING): done\n")

    def test_spools_and_flushes(self, cli: Cli, served: Manager, tmp_path: Path) -> None:
        callback, spool = f"{served.url}?uuid={UNKNOWN}&token=0dc73dc3ff39b49a", str(tmp_path / "spool")
        assert cli("send", "--callback", callback, "--spool", spool, "--later", "finish").exit_code == 0
        assert cli("send", "--callback", callback, "--spool", spool, "--later", "run").exit_code == 0
        assert served.asked == []
        done = cli("send", "--flush", "--spool", spool, "--json")
        assert (done.exit_code, done.json["left"]) == (70, 0)
        assert [each["event"] for each in done.json["taken"]] == ["run"]


class TestMessages:
    def send(self, cli: Cli, body: object, *parameters: str) -> Any:
        """Sends a message from stdin; returns the data with the exit code."""
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        options = [part for parameter in parameters for part in ("--parameter", parameter)]
        done = cli("send", "--message", "-", *options, "--json", stdin=text)
        return {**done.json, "exit_code": done.exit_code}

    def test_an_event_with_its_own_token(self, cli: Cli) -> None:
        job = cli.make()
        event = {"uuid": job["uuid"], "name": "run", "token": job["token"]}
        assert self.send(cli, event)["verdict"] == "applied"
        assert self.send(cli, {**event, "token": "0123456789abcdef"})["verdict"] == "unauthorised"

    def test_an_event_must_name_its_job_itself(self, cli: Cli) -> None:
        uuid = cli.make()["uuid"]
        done = cli("send", uuid, "--message", "-", "--json", stdin=b'{"name": "run"}')
        assert (done.exit_code, done.json["verdict"]) == (65, "malformed")
        assert "uuid: is missing" in done.json["reason"]

    def test_an_event_without_token_in_a_wrapping(self, cli: Cli) -> None:
        assert self.send(cli, {"message": {"uuid": cli.make()["uuid"], "name": "run"}})["verdict"] == "applied"

    def test_a_literal_as_abaco_logs_it(self, cli: Cli) -> None:
        assert self.send(cli, str({"uuid": cli.make()["uuid"], "name": "run"}).encode())["verdict"] == "applied"

    @pytest.mark.parametrize("form", ["agave-callback", "aloe-callback", "tapis-notification"])
    def test_callbacks(self, cli: Cli, form: str) -> None:
        job = cli.make()
        told = self.send(cli, sample(form), f"uuid={job['uuid']}")
        assert told["verdict"] == "applied"
        assert self.send(cli, sample(form), f"uuid={job['uuid']}")["verdict"] == "duplicate"

    def test_any_object_where_a_parameter_says_what_happened(self, cli: Cli) -> None:
        told = self.send(cli, {"progress": 0.5}, f"uuid={cli.make()['uuid']}", "event=run")
        assert (told["verdict"], told["state"]) == ("applied", "RUNNING")

    def test_from_a_file(self, cli: Cli, tmp_path: Path) -> None:
        file = tmp_path / "callback.json"
        file.write_text(json.dumps(sample("agave-callback")))
        uuid = cli.make()["uuid"]
        assert cli.ok("send", uuid, "--message", str(file), "--parameter", "status=FINISHED")["state"] == "FINISHED"

    @pytest.mark.parametrize(
        ("body", "words"),
        [
            ({}, ["names no event"]),
            ({"uuid": UNKNOWN}, ["name: is missing"]),
            ({"uuid": 5, "name": "finsh", "extra": 1, "data": []}, ["uuid: must be text", "name:", "extra", "data:"]),
            ({"uuid": UNKNOWN, "name": "run", "data": None}, ["data: must be an object, not null"]),
            ({"uuid": UNKNOWN, "name": "run", "token": None}, ["token: must be text, not null"]),
            ({"message": {"uuid": UNKNOWN, "name": 1}}, ["name: must be text"]),
            ({**sample("agave-callback"), "status": 5}, ["status: must be text"]),
            (b'{"uuid": "x", "name": NaN}', ["NaN"]),
            (b"\xff\xfe", ["UTF-8"]),
            (b"[1]", ["must be an object"]),
            (b"hello", ["JSON"]),
            (b"", ["names no event"]),
            (b"{" * 5000, ["JSON"]),
            (b" " * (1024 * 1024 + 2), ["names no event"]),
            (b"x" * (1024 * 1024 + 2), ["larger than"]),
        ],
        ids=lambda value: str(value)[:40],
    )
    def test_refusals_say_all_that_is_wrong(self, cli: Cli, body: object, words: list[str]) -> None:
        told = self.send(cli, body)
        assert (told["exit_code"], told["verdict"]) == (65, "malformed")
        assert not [word for word in words if word not in told["reason"]], told["reason"]

    def test_the_schema_speaks_for_large_bodies_too(self, cli: Cli) -> None:
        body = {"uuid": 5, "name": 6, "data": {"text": "x" * 100_000}}
        reason = self.send(cli, body)["reason"]
        assert "uuid: must be text" in reason
        assert "name: must be text" in reason

    @pytest.mark.parametrize("file", ["/does/not/exist", "/", "/proc/self/mem", "\udcff"])
    def test_a_file_that_cannot_be_read(self, cli: Cli, file: str) -> None:
        done = cli("send", "--message", file)
        assert done.exit_code == 1
        assert "cannot be read" in done.err


class TestDryRun:
    def test_prints_the_verdict_and_writes_nothing(self, cli: Cli, database: Database[dict[str, Any]]) -> None:
        uuid = cli.make()["uuid"]
        before = everything(database)
        done = cli("send", uuid, "run", "--dry-run", "--id", "one")
        assert (done.exit_code, done.out) == (0, "dry run: applied (now CREATED): run: CREATED -> RUNNING\n")
        told = cli.ok("send", uuid, "run", "--dry-run")
        assert (told["verdict"], told["state"], told["state_after"]) == ("applied", "CREATED", "RUNNING")
        assert told["dry_run"] is True
        done = cli("send", uuid, "finish", "--dry-run", "--json")
        assert (done.exit_code, done.json["verdict"]) == (70, "illegal")
        assert everything(database) == before
        assert cli.ok("send", uuid, "run", "--id", "one")["verdict"] == "applied"

    def test_of_a_callback(self, cli: Cli, tmp_path: Path, jobs: Jobs) -> None:
        uuid = cli.make()["uuid"]
        file = tmp_path / "callback.json"
        file.write_text(json.dumps(sample("agave-callback")))
        told = cli.ok("send", uuid, "--message", str(file), "--parameter", "status=FINISHED", "--dry-run")
        assert (told["verdict"], told["state_after"]) == ("applied", "FINISHED")
        assert jobs.distinct("state") == ["CREATED"]

    def test_of_what_is_malformed(self, cli: Cli) -> None:
        job = cli.make()
        told = cli("send", job["uuid"], "finsh", "--dry-run", "--json").json
        assert (told["verdict"], told["dry_run"]) == ("malformed", True)
        message = json.dumps({"uuid": job["uuid"], "name": "run", "token": 5}).encode()
        told = cli("send", "--message", "-", "--dry-run", "--json", stdin=message).json
        assert (told["verdict"], told["dry_run"]) == ("malformed", True)

    def test_of_an_unknown_job(self, cli: Cli) -> None:
        done = cli("send", UNKNOWN, "run", "--dry-run", "--json")
        assert (done.exit_code, done.json["dry_run"]) == (77, True)

    def test_by_the_parameter(self, cli: Cli, jobs: Jobs) -> None:
        uuid = cli.make()["uuid"]
        assert cli.ok("send", uuid, "run", "--parameter", "dry_run=1")["dry_run"] is True
        done = cli("send", uuid, "run", "--parameter", "dry_run=maybe", "--json")
        assert (done.exit_code, "must be true or false" in done.json["reason"]) == (65, True)
        assert cli("send", uuid, "run", "--parameter", "dry_run=false", "--dry-run").exit_code == 2
        assert jobs.distinct("state") == ["CREATED"]

    @pytest.mark.parametrize(
        "arguments",
        [
            ["--callback", CALLBACK, "finish"],
            ["finish"],
            ["--flush", "--spool", "spool"],
            ["--callback", CALLBACK, "finish", "--spool", "spool", "--later"],
        ],
    )
    def test_is_not_sent_to_a_manager_that_may_be_older(
        self, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
    ) -> None:
        monkeypatch.chdir(tmp_path)
        done = cli("send", "--dry-run", *arguments)
        assert done.exit_code == 2
        assert "--dry-run" in done.err
        assert "the URL parameter dry_run=true" in done.err
        assert list(tmp_path.iterdir()) == []
