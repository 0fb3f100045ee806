"""The attack table against whole processes: refused with the right exit code, nothing changed, nothing shown."""

import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from pymongo import MongoClient
from pymongo.database import Database

from support.canaries import ADMIN_KEY, ADMIN_SECRET, CANARIES, NONCE, PASSWORD
from support.dump import dump, raw
from support.process import CheckedAbaco, Documents, NewJob, StoredJob, admin_token, callback, environment, verdicts
from support.server import RudeServer, answers, self_signed
from tools.demo.abaco import ROOT, Abaco, Execution
from tools.demo.indexer import Indexer

UUID = "107b93f3-1eae-5e79-8a18-0a480f8aa3a5"
MSG_LIMIT = 131_067
UNKNOWN = "10700000-0000-5000-8000-000000000000"


@pytest.fixture
def deaf(free_port: int) -> CheckedAbaco:
    """The actor with an unreachable database: a run that needs the database ends as `unavailable`."""
    uri = f"mongodb://admin:{PASSWORD}@127.0.0.1:{free_port}/"
    return CheckedAbaco(environment=environment(uri, "none", _REACTOR_LIMITS_DATABASE="0.5"))


def malformed(abaco: CheckedAbaco, body: Any, parameters: dict[str, str] | None = None) -> Execution:
    """The run of a delivery that must be refused before any database is asked."""
    execution = abaco.send(body, parameters)
    told = (execution.verdict["verdict"], execution.exit_code, execution.verdict["state"])
    assert told == ("malformed", 65, None), execution
    return execution


def event(**changes: Any) -> dict[str, Any]:
    return {"uuid": UUID, "name": "update", "token": "f337c3508de01c67"} | changes


def text(data: str) -> str:
    """An event as JSON text whose data have one value, written as given."""
    return f'{{"uuid": "{UUID}", "name": "update", "token": "t", "data": {{"x": {data}}}}}'


@pytest.mark.promise("S1")
class TestTokens:
    WRONG: dict[str, Callable[[str], str]] = {  # noqa: RUF012 - read only
        "another": lambda _: "0123456789abcdef",
        "empty": lambda _: "",
        "null as text": lambda _: "null",
        "upper case": str.upper,
        "half": lambda token: token[:8],
        "twice": lambda token: token * 2,
        "with a blank": lambda token: token + " ",
        "wide letters": lambda token: "".join(chr(ord(letter) + 0xFEE0) for letter in token),
        "very long": lambda token: token * 7000,
    }

    @pytest.mark.parametrize("wrong", WRONG)
    def test_a_wrong_token_is_refused_and_told_nothing(
        self, abaco: CheckedAbaco, job: StoredJob, jobs: Documents, wrong: str
    ) -> None:
        before = raw(jobs)
        run = abaco.send(job.event("run", token=self.WRONG[wrong](job.token)))
        assert (run.verdict["verdict"], run.verdict["state"]) == ("unauthorised", None)
        assert raw(jobs) == before

    @pytest.mark.parametrize("token", [None, [], ["f337c3508de01c67"], {"$ne": ""}, 12345, True], ids=repr)
    def test_what_is_no_text_is_malformed(self, deaf: CheckedAbaco, token: Any) -> None:
        run = malformed(deaf, event(token=token))
        assert "token" in run.verdict["reason"]
        assert "f337c3508de01c67" not in run.stdout + run.stderr

    def test_none_at_all_is_refused_in_every_form(self, abaco: CheckedAbaco, job: StoredJob, jobs: Documents) -> None:
        before = raw(jobs)
        bare = {"uuid": job.uuid, "name": "run"}
        forms: list[tuple[Any, dict[str, str]]] = [
            (bare, {}),
            (None, {"uuid": job.uuid, "event": "run"}),
            (None, {"uuid": job.uuid, "event": "run", "token": ""}),
            (callback("agave", "RUNNING"), {"uuid": job.uuid, "token": "${TOKEN}"}),
            (None, {"uuid": job.uuid, "status": "RUNNING"}),
        ]
        runs = abaco.send_all(forms)
        assert verdicts(runs) == ["unauthorised"] * len(forms)
        assert {run.verdict["state"] for run in runs} == {None}
        assert raw(jobs) == before

    def test_an_unknown_job_and_a_wrong_token_look_alike(self, abaco: CheckedAbaco, job: StoredJob) -> None:
        wrong = abaco.send(job.event("run", token="0123456789abcdef"), execution="e")
        unknown = abaco.send(job.event("run", uuid=UNKNOWN, token="0123456789abcdef"), execution="e")
        assert wrong.exit_code == unknown.exit_code == 77
        assert wrong.verdict | {"uuid": ""} == unknown.verdict | {"uuid": ""}
        assert len(wrong.stderr.splitlines()) == len(unknown.stderr.splitlines())

    @pytest.mark.promise("P9")
    def test_the_token_of_another_job(self, abaco: CheckedAbaco, new_job: NewJob, jobs: Documents) -> None:
        one, other = new_job(), new_job()
        before = raw(jobs)
        forms: list[tuple[Any, dict[str, str]]] = [
            (one.event("run", token=other.token), {}),
            (None, one.url("run", token=other.token)),
            (callback("aloe", "FINISHED"), one.url(token=other.token)),
        ]
        assert verdicts(abaco.send_all(forms)) == ["unauthorised"] * 3
        assert raw(jobs) == before

    def test_of_two_tokens_none_is_good(self, abaco: CheckedAbaco, job: StoredJob, jobs: Documents) -> None:
        before = raw(jobs)
        wrong = abaco.send(job.event("run", token="0" * 16), {"token": "another"})
        assert wrong.verdict["verdict"] == "unauthorised"
        assert raw(jobs) == before


@pytest.mark.promise("S6")
class TestOperators:
    @pytest.mark.parametrize("value", [{"$ne": None}, [UUID], None, 107, True], ids=repr)
    @pytest.mark.parametrize("key", ["uuid", "name", "token"])
    def test_as_a_value_of_the_event(self, deaf: CheckedAbaco, key: str, value: Any) -> None:
        malformed(deaf, event(**{key: value}))

    @pytest.mark.parametrize("data", [[{"$ne": None}], None, 107, True, "text"], ids=repr)
    def test_as_data_that_are_no_object(self, deaf: CheckedAbaco, data: Any) -> None:
        malformed(deaf, event(data=data))

    @pytest.mark.parametrize(
        "parameters",
        [
            {"uuid[$ne]": "", "event": "run", "token": "t"},
            {"uuid": '{"$ne": null}', "event": "run", "token": "t"},
            {"uuid": UUID, "event[$ne]": "x"},
            {"uuid": UUID + ".*", "event": "run", "token": "t"},
            {"uuid": "$where", "event": "run", "token": "t"},
            {"uuid": UUID, "event": "$set", "token": "t"},
            {"uuid": UUID.upper(), "event": "run", "token": "t"},
            {"uuid": "urn:uuid:" + UUID, "event": "run", "token": "t"},
            {"uuid": UUID + "\n.*", "event": "run", "token": "t"},
        ],
        ids=repr,
    )
    def test_in_the_url(self, deaf: CheckedAbaco, parameters: dict[str, str]) -> None:
        malformed(deaf, None, parameters)

    def test_a_token_that_is_an_operator_is_only_wrong(
        self, abaco: CheckedAbaco, job: StoredJob, jobs: Documents
    ) -> None:
        before = raw(jobs)
        forms: list[tuple[Any, dict[str, str]]] = [
            (None, job.url("run", token='{"$ne": null}')),
            (None, {"uuid": job.uuid, "event": "run", "token[$ne]": ""}),
            (job.event("run", token="$_salt"), {}),
        ]
        assert verdicts(abaco.send_all(forms)) == ["unauthorised"] * 3
        assert raw(jobs) == before


@pytest.mark.promise("S7")
class TestKeys:
    DATA = {  # noqa: RUF012 - read only
        "$where": "sleep(1)", "$set": {"state": "RETIRED"}, "a.b": 1, "": "empty", "__proto__": {"x": 1}, "_id": "1",
        "0.state": "x", "history": [], "state": "RETIRED", "$": 1, ".": 2, "$$ROOT": "$_salt", "é\u202e": "\ufeff",
        "inner": [{"$oid": "6b047c42021d9cbd13ba28e4"}, {"$date": 0}, {"$numberLong": "1"}],
    }  # fmt: skip

    @pytest.mark.parametrize("as_text", [False, True])
    def test_are_data_and_come_back_exactly(self, abaco: CheckedAbaco, job: StoredJob, as_text: bool) -> None:
        message = job.event("run", self.DATA)
        assert abaco.send(json.dumps(message) if as_text else message).verdict["state"] == "RUNNING"
        assert job.last["data"] == self.DATA
        assert list(job.last["data"]) == list(self.DATA)
        assert job.state == "RUNNING"

    @pytest.mark.promise("P2")
    def test_what_looks_like_a_reference_of_mongodb_is_data_too(self, abaco: CheckedAbaco, job: StoredJob) -> None:
        data = {"x": {"$ref": "jobs", "$id": 1}}
        runs = [abaco.send(job.event("run", data), execution="the same") for _ in range(2)]
        assert verdicts(runs) == ["applied", "duplicate"]
        command = [sys.executable, "-m", "pipelinejobs", "history", "--json", job.uuid]
        shown = subprocess.run(
            command, cwd=ROOT, env={**os.environ, **abaco.environment}, capture_output=True, text=True, timeout=60
        )
        assert shown.returncode == 0, shown
        assert json.loads(shown.stdout)[-1]["data"] == data

    def test_also_when_the_refusal_is_kept(
        self, abaco: CheckedAbaco, job: StoredJob, database: Database[dict[str, Any]]
    ) -> None:
        assert abaco.send(job.event("retire", self.DATA)).verdict["verdict"] == "illegal"
        (row,) = database["jobs_refused"].find({"job": job.uuid})
        assert json.loads(row["data"]) == self.DATA

    @pytest.mark.parametrize("data", ['{"a\\u0000": 1}', '"a\\u0000b"', '{"\\ud800": 1}', '"\\udfff"'])
    def test_what_mongodb_cannot_hold_is_malformed(self, deaf: CheckedAbaco, data: str) -> None:
        malformed(deaf, text(data))


@pytest.mark.promise("S8")
class TestNames:
    NAMES = (
        "may_reset", "trigger", "states", "__class__", "fin ish", "f\u0131nish", "to_FINISHED", "is_FINISHED",
        "\ufb01nish", "re\u017fet", "events", "add_transition", "delete", "", "run,finish", "finish\u00a0",
    )  # fmt: skip

    @pytest.mark.parametrize("name", NAMES)
    def test_in_the_body(self, deaf: CheckedAbaco, name: str) -> None:
        malformed(deaf, event(name=name))

    @pytest.mark.parametrize("name", NAMES[:10])
    def test_in_the_url(self, deaf: CheckedAbaco, name: str) -> None:
        malformed(deaf, None, {"uuid": UUID, "event": name, "token": "t"})

    def test_create_is_refused_for_all_senders(self, abaco: CheckedAbaco, job: StoredJob, jobs: Documents) -> None:
        before = raw(jobs)
        runs = [abaco.send(job.event("create", token=token)) for token in (job.token, admin_token())]
        assert all(run.exit_code in (65, 77) for run in runs)
        assert raw(jobs) == before


@pytest.mark.promise("S9")
class TestNumbersAndText:
    @pytest.mark.parametrize(
        "data",
        [
            "9223372036854775808", "-9223372036854775809", "1e400", "-1e400", "NaN", "Infinity", "-Infinity",
            "1" * 4301, "1" * 100_000, '"\\ud800"', '1, "x": 2', '{"a": 1, "a": 1}', "1}}} trailing", "01", "0x1",
            "1_000", "nan", "1j", "b'x'", "f''", "{1}", "(1,)", "...", "[1,]", "print(1)",
            "__import__('os').system('true')", "[1 for x in []]", "lambda: 1", "1 if 1 else 2", '"a" "b"', "# c",
        ],
        ids=lambda data: data[:30],
    )  # fmt: skip
    def test_are_malformed(self, deaf: CheckedAbaco, data: str) -> None:
        malformed(deaf, text(data))

    @pytest.mark.parametrize(
        "literal",
        ["9223372036854775808", "1e400", "'\\ud800'", "'\\x00'", "1, 'x': 2", "float('nan')", "{1: 2}", "1" * 5000],
        ids=lambda literal: literal[:30],
    )
    def test_are_malformed_as_a_literal_too(self, deaf: CheckedAbaco, literal: str) -> None:
        malformed(deaf, f"{{'uuid': '{UUID}', 'name': 'update', 'token': 't', 'data': {{'x': {literal}}}}}")

    @pytest.mark.parametrize(
        "body",
        [
            "\ufeff" + json.dumps(event()),
            json.dumps(event()) + "\udcff",
            '{"uuid": "\udcc3("}',
            "\udcff\udcfe{",
            json.dumps(event()) + "{}",
            json.dumps(event()).replace('"', "“"),
        ],
        ids=["byte order mark", "bad UTF-8 behind", "bad UTF-8 inside", "UTF-16", "two messages", "curly quotes"],
    )
    def test_are_malformed_in_odd_encodings(self, deaf: CheckedAbaco, body: str) -> None:
        malformed(deaf, body)

    def test_bad_utf8_in_a_parameter_is_replaced(self, abaco: CheckedAbaco, job: StoredJob) -> None:
        assert abaco.send(None, job.url("run", note="a\udcffb")).verdict["verdict"] == "applied"
        assert job.last["data"] == {"note": "a\ufffdb"}

    def test_the_largest_that_fit_are_stored(self, abaco: CheckedAbaco, job: StoredJob) -> None:
        data = '{"most": 9223372036854775807, "least": -9223372036854775808, "minus": -0, "tiny": 5e-324}'
        message = json.dumps(job.event("update"))[:-1] + f', "data": {data}}}'
        assert abaco.send(message).verdict["verdict"] == "applied"
        assert job.last["data"] == {"most": 2**63 - 1, "least": -(2**63), "minus": 0, "tiny": 5e-324}


@pytest.mark.promise("S10")
class TestDepthAndSize:
    @pytest.mark.parametrize("depth", [33, 100, 1_000, 5_000, 60_000])
    @pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")], ids=["lists", "objects"])
    def test_deep_json_is_malformed(self, deaf: CheckedAbaco, depth: int, opening: str, closing: str) -> None:
        depth = min(depth, (MSG_LIMIT - 200) // len(opening + closing))
        malformed(deaf, text(opening * depth + "1" + closing * depth))

    @pytest.mark.parametrize("depth", [33, 150, 1_000, 60_000])
    @pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ("{'a':", "}")], ids=["lists", "objects"])
    def test_a_deep_literal_is_malformed(self, deaf: CheckedAbaco, depth: int, opening: str, closing: str) -> None:
        depth = min(depth, (MSG_LIMIT - 200) // len(opening + closing))
        malformed(deaf, f"{{'uuid': '{UUID}', 'name': 'run', 'data': {{'x': {opening * depth}1{closing * depth}}}}}")

    def test_many_wrappings_are_malformed(self, deaf: CheckedAbaco) -> None:
        malformed(deaf, '{"message":' * 5000 + "1" + "}" * 5000)

    def test_many_keys_and_elements_are_data(self, abaco: CheckedAbaco, job: StoredJob) -> None:
        data = {"keys": {str(n): n for n in range(4000)}, "elements": [0] * 20_000}
        assert abaco.send(job.event("update", data)).verdict["verdict"] == "applied"
        assert job.last["data"] == data

    @pytest.mark.parametrize("shape", ["[" * 60_000, "{" * 60_000, "\\\n" * 60_000, "'" * 60_000, "-" * 60_000])
    def test_long_nonsense_is_malformed(self, deaf: CheckedAbaco, shape: str) -> None:
        malformed(deaf, shape)


@pytest.mark.promise("S12")
class TestMsg:
    def test_the_longest_that_linux_passes_on_is_read(self, abaco: CheckedAbaco, job: StoredJob) -> None:
        message = json.dumps(job.event("update", {"x": ""}))
        message = message.replace('"x": ""', '"x": "' + "a" * (MSG_LIMIT - len(message)) + '"')
        assert len(message) == MSG_LIMIT
        assert abaco.send(message).verdict["verdict"] == "applied"
        assert set(job.last["data"]["x"]) == {"a"}

    def test_the_longest_literal_as_well(self, abaco: CheckedAbaco, job: StoredJob) -> None:
        message = str(job.event("update", {"x": ""}))
        message = message.replace("'x': ''", "'x': '" + "a" * (MSG_LIMIT - len(message)) + "'")
        assert abaco.send(message).verdict["verdict"] == "applied"

    def test_one_byte_more_never_starts(self, abaco: CheckedAbaco) -> None:
        with pytest.raises(OSError, match="Argument list too long"):
            Abaco.start(abaco, "a" * (MSG_LIMIT + 1))

    def test_what_was_cut_off_is_malformed(self, deaf: CheckedAbaco) -> None:
        malformed(deaf, text('"' + "a" * MSG_LIMIT)[:MSG_LIMIT])

    def test_binary_is_malformed(self, deaf: CheckedAbaco) -> None:
        binary = CheckedAbaco(
            environment=deaf.environment, names={"MSG": None, "_abaco_Content_Type": "application/octet-stream"}
        )
        run = malformed(binary, None, {"uuid": UUID, "event": "run", "token": "t"})
        assert "octet-stream" in run.verdict["reason"]

    @pytest.mark.parametrize("body", ["", " \n", "hello", "1", "True", "None", "[]", "{}", "{'message': None}", '"x"'])
    def test_what_is_no_message_is_malformed(self, deaf: CheckedAbaco, body: str) -> None:
        malformed(deaf, body)


@pytest.mark.promise("S13")
class TestParametersBecomeEnvironment:
    @pytest.fixture
    def trap(self, tmp_path: Path) -> Path:
        """A directory whose modules and start-up file cry out when they are loaded."""
        for name in ("sitecustomize", "usercustomize", "json", "pymongo", "yaml", "start"):
            (tmp_path / f"{name}.py").write_text("print('TRAPPED')\n")
        return tmp_path

    @pytest.mark.parametrize(
        "name", ["PYTHONPATH", "PYTHONSTARTUP", "PYTHONHOME", "PYTHONUSERBASE", "PYTHONPLATLIBDIR"]
    )
    def test_python_is_not_led_elsewhere(self, abaco: CheckedAbaco, job: StoredJob, trap: Path, name: str) -> None:
        value = str(trap / "start.py" if name == "PYTHONSTARTUP" else trap)
        run = abaco.send(job.event("run"), {name: value})
        assert run.verdict["state"] == "RUNNING"
        assert "TRAPPED" not in run.stdout + run.stderr

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("PYTHONINSPECT", "1"), ("PYTHONDEBUG", "3"), ("PYTHONVERBOSE", "2"), ("PYTHONWARNINGS", "error"),
            ("PYTHONIOENCODING", "utf-16"), ("PYTHONHASHSEED", "nonsense"), ("PYTHONOPTIMIZE", "2"),
            ("PYTHONBREAKPOINT", "os.abort"), ("PYTHONMALLOC", "debug"), ("PYTHONTRACEMALLOC", "9"),
            ("MONGODB_URI", "mongodb://evil.invalid/"), ("TZ", "Asia/Tokyo"), ("LANG", "C"), ("LC_ALL", "tr_TR.UTF-8"),
            ("HOME", "/nonexistent"), ("TMPDIR", "/nonexistent"), ("PATH", "/nonexistent"), ("LOCALONLY", "1"),
            ("_abaco_username", "sd2eadm"), ("_abaco_execution_id", "chosen"), ("_actor_configs", "{"),
            ("MSG", "{}"), ("_REACTOR_", "x"), ("_REACTOR_NO_SUCH_SETTING", "x"), ("CATALOG_ADMIN_TOKEN_KEY", "key"),
            ("REQUESTS_CA_BUNDLE", "/nonexistent"), ("SSLKEYLOGFILE", "/nonexistent/keys"),
            ("OPENSSL_CONF", "/dev/null"),
        ],
    )  # fmt: skip
    def test_nothing_changes(self, abaco: CheckedAbaco, job: StoredJob, name: str, value: str) -> None:
        run = abaco.send(job.event("run"), {name: value})
        assert (run.exit_code, run.verdict["verdict"], run.verdict["state"]) == (0, "applied", "RUNNING")
        (entry,) = job.stored()["history"][1:]
        assert abs((job.stored()["updated"] - entry["date"]).total_seconds()) == 0

    def test_the_time_zone_of_a_caller_moves_no_date(self, abaco: CheckedAbaco, new_job: NewJob) -> None:
        dates = []
        for zone in ("America/Chicago", "Asia/Tokyo"):
            job = new_job()
            abaco.send(job.event("run"), {"TZ": zone})
            dates += [job.last["date"], job.stored()["_properties"]["modified_date"]]
        assert (max(dates) - min(dates)).total_seconds() < 600

    def test_ten_thousand_names(self, abaco: CheckedAbaco, job: StoredJob) -> None:
        run = abaco.send(job.event("run"), {f"_REACTOR_X{n}" if n % 2 else f"p{n}": str(n) for n in range(10_000)})
        assert run.verdict["state"] == "RUNNING"

    @pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"])
    def test_no_proxy_sees_the_index_request(
        self, abaco: CheckedAbaco, job: StoredJob, indexer: Indexer, name: str
    ) -> None:
        with RudeServer(answers()) as proxy:
            abaco.send(callback("agave", "FINISHED"), job.url(**{name: proxy.url, "NO_PROXY": ""}))
            assert proxy.requests == []
        assert len(indexer.received) == 1

    @pytest.mark.parametrize("name", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
    def test_no_certificate_of_the_callers_is_trusted(
        self, abaco: CheckedAbaco, job: StoredJob, tmp_path: Path, name: str
    ) -> None:
        certificate, context = self_signed(tmp_path, "localhost")
        with RudeServer(answers(), tls=context) as evil:
            url = f"{evil.url}/messages"
            run = abaco.configured(_REACTOR_PIPELINES_JOB_INDEXER_URL=url, _REACTOR_OUTBOX_FIRST_DELAY="60").send(
                callback("agave", "FINISHED"),
                job.url(**{name: str(certificate if name.endswith("FILE") else tmp_path)}),
            )
            assert run.verdict["verdict"] == "applied"
            assert evil.requests == []
        assert job.stored()["_outbox"]

    def test_identity_comes_from_abaco_alone(self, abaco: CheckedAbaco, job: StoredJob) -> None:
        trusting = abaco.configured(_REACTOR_TOKENS_TRUSTED_INDEXERS="sd2eadm")
        for name in ("run", "finish", "index"):
            trusting.send(job.event(name))
        parameters = {"uuid": job.uuid, "event": "indexed", "_abaco_username": "sd2eadm", "LOCALONLY": "1"}
        assert trusting.send(None, parameters).verdict["verdict"] == "unauthorised"
        assert job.state == "INDEXING"

    def test_without_a_user_name_there_is_no_sender(self, deaf: CheckedAbaco) -> None:
        for name in (None, ""):
            anonymous = CheckedAbaco(environment=deaf.environment, names={"_abaco_username": name})
            run = anonymous.send(event())
            assert (run.verdict["verdict"], run.exit_code, run.verdict["state"]) == ("unauthorised", 77, None)

    def test_an_empty_msg_is_not_replaced_by_a_parameter(self, deaf: CheckedAbaco) -> None:
        malformed(deaf, "", {"MSG": json.dumps(event())})


@pytest.mark.promise("S14")
class TestLogInjection:
    NOTES = {  # noqa: RUF012 - read only
        "line breaks": 'ok\r\n{"verdict": "applied"}\r\n{"level": "INFO", "message": "forged"}',
        "escapes": "\x1b[2J\x1b]0;title\x07\x1b[31mred\x9b1m",
        "formats": "%n%s%(token)s{0}{message}$(id)`id`${HOME}",
        "separators": "a\u2028b\u2029c\x85d\x0be\x0cf",
        "length": "x" * 120_000,
    }

    @pytest.mark.parametrize("kind", NOTES)
    def test_a_note_is_stored_as_it_is_and_forges_no_line(self, abaco: CheckedAbaco, job: StoredJob, kind: str) -> None:
        run = abaco.send(None, job.url("run", note=self.NOTES[kind], session="s\r\n"))
        assert run.verdict["verdict"] == "applied"
        assert job.last["data"] == {"note": self.NOTES[kind], "session": "s\r\n"}
        self.tame(run)

    @pytest.mark.parametrize("kind", NOTES)
    @pytest.mark.parametrize("where", ["event", "uuid", "x_event_id", "key", "x_src_actor_id", "_abaco_api_server"])
    def test_in_other_places_it_forges_none_either(self, deaf: CheckedAbaco, kind: str, where: str) -> None:
        note = self.NOTES[kind]
        parameters = {"uuid": UUID, "event": "no_such_event", "token": "t"}
        if where == "key":
            self.tame(malformed(deaf, event(**{note: 1})))
        else:
            self.tame(malformed(deaf, None, parameters | {where: note}))

    def tame(self, run: Execution) -> None:
        assert len(run.stdout.splitlines()) == 1
        assert run.stdout.isascii()
        assert run.stderr.isascii()
        assert "\x1b" not in run.stdout + run.stderr
        for line in run.stderr.split("\n")[:-1]:
            assert len(line) < 20_000
            assert isinstance(json.loads(line), dict)


@pytest.mark.promise("S15")
@pytest.mark.promise("P6")
class TestLeakage:
    """Secrets are in the environment of all tests here, and no run may show one; these look at what is stored too."""

    @pytest.fixture
    def authenticated(
        self, mongodb_uri: str, database: Database[dict[str, Any]], mongodb_client: MongoClient[dict[str, Any]]
    ) -> Iterator[str]:
        """A connection string with a password in it that the server asks for."""
        if "@" in mongodb_uri:
            pytest.skip("the server has users of its own")
        name = f"user_{uuid4().hex}"
        mongodb_client["admin"].command("createUser", name, pwd=PASSWORD, roles=[{"role": "root", "db": "admin"}])
        yield mongodb_uri.replace("mongodb://", f"mongodb://{name}:{PASSWORD}@")
        mongodb_client["admin"].command("dropUser", name)

    def test_nothing_of_it_is_shown_or_stored(
        self, abaco: CheckedAbaco, new_job: NewJob, authenticated: str, database: Database[dict[str, Any]]
    ) -> None:
        encoded = base64.urlsafe_b64encode(authenticated.encode()).decode()
        actor = abaco.configured(_REACTOR_MONGODB_AUTHN=encoded, _REACTOR_LOGS_LEVEL="DEBUG")
        abaco.hidden.update({encoded, admin_token(), "wrong-canary-token"})
        job, other = new_job(), new_job()
        credential = {"x-nonce": NONCE}
        forms: list[tuple[Any, dict[str, str]]] = [
            (job.event("run"), credential),
            (None, job.url("update", **credential)),
            (None, job.url("retire", **credential)),
            (job.event("run", token="wrong-canary-token"), credential),
            (callback("tapis", "FINISHED"), job.url(**credential)),
            (callback("tapis", "RUNNING"), job.url(**credential)),
            (job.event("reset", token=admin_token()), credential),
            (job.event("run", token=other.token), credential),
            ({"uuid": job.token, "name": "run"}, credential),
            ({"uuid": job.uuid, "name": job.token}, credential),
            (None, {"uuid": job.token, "event": job.token} | credential),
            (f"{{'uuid': '{job.uuid}', 'token': '{job.token}' '{ADMIN_KEY}'}}", credential),
            (job.event("run", token=[job.token]), credential),
            (None, job.url("run", x_event_id=job.token * 20)),
        ]
        runs = [actor.send(body, parameters) for body, parameters in forms]
        assert verdicts(runs)[:4] == ["applied", "applied", "illegal", "unauthorised"]
        assert len(list(database["jobs_refused"].find())) >= 4
        stored = dump(database)
        for secret in (*CANARIES, job.token, other.token, admin_token(), "wrong-canary-token"):
            assert secret not in stored, secret

    def test_an_unreachable_server_is_not_quoted(self, deaf: CheckedAbaco) -> None:
        run = deaf.configured(_REACTOR_LOGS_LEVEL="DEBUG").send(event())
        assert (run.verdict["verdict"], run.exit_code) == ("unavailable", 75)

    def test_a_refused_password_is_not_quoted(
        self, mongodb_uri: str, database: Database[dict[str, Any]], abaco: CheckedAbaco
    ) -> None:
        if "@" in mongodb_uri:
            pytest.skip("the server has users of its own")
        uri = mongodb_uri.replace("mongodb://", f"mongodb://nobody:{PASSWORD}@")
        encoded = base64.urlsafe_b64encode(uri.encode()).decode()
        abaco.hidden.add(encoded)
        run = abaco.configured(_REACTOR_MONGODB_AUTHN=encoded).send(event())
        assert run.exit_code == 78

    def test_an_indexers_answer_is_not_repeated(self, abaco: CheckedAbaco, job: StoredJob) -> None:
        echo = answers(f"500 {ADMIN_SECRET}", f"{job.token} {ADMIN_SECRET}".encode(), Location=ADMIN_SECRET)
        with RudeServer(echo) as rude:
            url = f"{rude.url}/messages?x-nonce={NONCE}"
            run = abaco.configured(_REACTOR_PIPELINES_JOB_INDEXER_URL=url, _REACTOR_OUTBOX_FIRST_DELAY="60").send(
                callback("agave", "FINISHED"), job.url()
            )
        assert run.verdict["verdict"] == "applied"
        (row,) = job.stored()["_outbox"]
        assert not [secret for secret in (*CANARIES, job.token) if secret in repr(row)]
