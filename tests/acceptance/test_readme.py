"""README.rst is true: its examples run, and what it says of verdicts, settings and commands is what the code says."""

import base64
import configparser
import io
import json
import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from docutils import nodes
from docutils.core import publish_doctree
from pymongo.collection import Collection
from pymongo.database import Database

from demo.abaco import Abaco, posted
from fsm.lifecycle import ADMINISTRATIVE, MOVES, RESERVED, SAME, STATES
from pipelinejobs.cli.main import COMMANDS
from pipelinejobs.gateway.problem import STATUSES
from pipelinejobs.settings import CONFIG, TABLE, load
from pipelinejobs.settings.table import SECTIONS, Settings
from pipelinejobs.verdict import EXIT_CODES, EXIT_WRONG_SETTING
from support_gateway import serving, settings
from support_readme import Curl, Shell

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "README.rst").read_text(encoding="utf-8")
Documents = Collection[dict[str, Any]]


def parse() -> tuple[nodes.document, str]:
    warnings = io.StringIO()
    settings = {"warning_stream": warnings, "report_level": 1, "halt_level": 5, "syntax_highlight": "none"}
    return publish_doctree(TEXT, settings_overrides=settings), warnings.getvalue()


DOCUMENT, WARNINGS = parse()


def section(title: str) -> nodes.section:
    """The section with this title, which must be there once."""
    (found,) = [each for each in DOCUMENT.findall(nodes.section) if each[0].astext() == title]
    return found


def blocks(place: nodes.Element, language: str) -> list[str]:
    """The code blocks in a section."""
    return [each.astext() for each in place.findall(nodes.literal_block) if language in each["classes"]]


def rows(title: str) -> list[list[str]]:
    """The table in a section, without its head."""
    (body,) = section(title).findall(nodes.tbody)
    return [[entry.astext() for entry in row.findall(nodes.entry)] for row in body.findall(nodes.row)]


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


@pytest.fixture
def environment(mongodb_uri: str, database: Database[dict[str, Any]]) -> dict[str, str]:
    """The settings of the test's own database."""
    return {
        "_REACTOR_MONGODB_AUTHN": base64.urlsafe_b64encode(mongodb_uri.encode()).decode(),
        "_REACTOR_MONGODB_DATABASE": database.name,
    }


def test_is_restructured_text_without_warnings() -> None:
    assert WARNINGS == ""
    assert not list(DOCUMENT.findall(nodes.system_message))


def test_every_example_is_tested_here() -> None:
    """A new block in a section that no test below runs would be an untested example."""
    tested = {
        "Two commands",
        "Try the actor on this machine",
        "Who gets in",
        "Running it for real",
        "Pointing senders at it",
        "A JSON event",
        "An event as URL parameters",
        "A job system's callback",
        "Deploying to Abaco",
        "The source",
    }
    for block in DOCUMENT.findall(nodes.literal_block):
        parent: Any = block.parent
        while not isinstance(parent, nodes.section):
            parent = parent.parent
        assert parent[0].astext() in tested
        assert {"sh", "python", "text", "ini"} & set(block["classes"])


def test_two_commands(shell: Shell) -> None:
    (block,) = blocks(section("Two commands"), "sh")
    shell.run(block)
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for make, target in shell.calls():
        assert make == "make"
        assert target in targets


def test_trying_it_on_this_machine(shell: Shell, environment: dict[str, str], jobs: Documents) -> None:
    printed = shell.run("\n".join(blocks(section("Try the actor on this machine"), "sh")), **environment)
    verdicts = [json.loads(line) for line in printed.splitlines() if line.startswith('{"verdict"')]
    assert [(told["verdict"], told["event"], told["state"]) for told in verdicts] == [
        ("applied", "run", "RUNNING"),
        ("applied", "update", "RUNNING"),
        ("applied", "finish", "FINISHED"),
    ]
    assert f"{verdicts[0]['uuid']} is FINISHED" in printed
    stored = jobs.find_one()
    assert stored is not None
    assert [entry["name"] for entry in stored["history"]] == ["create", "run", "update", "finish"]


def test_messages(shell: Shell, environment: dict[str, str], jobs: Documents) -> None:
    made = json.loads(shell.run("python -m pipelinejobs create --pipeline-name readme --json", **environment))
    abaco = Abaco(environment=environment)
    given = {"UUID": made["uuid"], "TOKEN": made["token"], "NONCE": "SD2E_JKx3PqOeWvLm"}
    sent = []
    for title in ("A JSON event", "An event as URL parameters", "A job system's callback"):
        (block,) = blocks(section(title), "sh")
        shell.run(block, **given)
        (call,) = shell.calls()
        curl = Curl(shell, call)
        assert curl.path == "/actors/v2/jobs-manager.prod/messages"
        assert curl.parameters["x-nonce"] == given["NONCE"]
        execution = abaco.send(posted(curl.data), curl.parameters)
        assert execution.exit_code == 0, execution
        sent.append((execution.verdict["verdict"], execution.verdict["event"], execution.verdict["state"]))
    assert sent == [("applied", "run", "RUNNING"), ("applied", "update", "RUNNING"), ("applied", "finish", "FINISHED")]
    stored = jobs.find_one({"uuid": made["uuid"]})
    assert stored is not None
    assert stored["history"][2]["data"] == {"progress": 0.75, "note": "half-way"}
    assert given["NONCE"] not in str(stored)


def test_the_message_of_a_reactor(shell: Shell, environment: dict[str, str]) -> None:
    made = json.loads(shell.run("python -m pipelinejobs create --pipeline-name readme --json", **environment))
    messages = []

    class Rx:
        def send_message(self, actor_id: str, message: dict[str, Any]) -> None:
            assert actor_id == "jobs-manager.prod"
            messages.append(message)

    (block,) = blocks(section("A JSON event"), "python")
    exec(block, {"rx": Rx(), "uuid": made["uuid"], "token": made["token"]})
    execution = Abaco(environment=environment).send(posted(json.dumps({"message": messages[0]})))
    assert (execution.verdict["verdict"], execution.verdict["event"]) == ("applied", "update")


def test_the_callback_url(environment: dict[str, str]) -> None:
    (url,) = blocks(section("A job system's callback"), "text")
    names = dict(parse_qsl(urlsplit(url).query))
    assert names == {"uuid": "$UUID", "token": "$TOKEN", "status": "${JOB_STATUS}", "x-nonce": "$NONCE"}


def test_deploying(shell: Shell, environment: dict[str, str], jobs: Documents) -> None:
    steps = blocks(section("Deploying to Abaco"), "sh")
    (start, token, check, build, register, access) = steps

    uri = shell.run(start).strip()
    assert base64.urlsafe_b64decode(uri) == b"mongodb://user:password@db.example.org:27017/?authSource=admin"
    key = shell.run(token).strip()
    secrets = json.loads((shell.root / "secrets.json").read_text())
    secrets |= {**environment, "_REACTOR_TOKENS_ADMIN_KEY": key, "_REACTOR_TOKENS_ADMIN_SECRET": key[::-1]}
    (shell.root / "secrets.json").write_text(json.dumps(secrets))

    assert "wrong" not in shell.run(check)
    assert len(list(jobs.list_indexes())) > 1

    shell.run(build, IMAGE="registry.example.org/jobs-manager:1")
    assert shell.calls() == [
        ["docker", "build", "-t", "registry.example.org/jobs-manager:1", "."],
        ["docker", "push", "registry.example.org/jobs-manager:1"],
    ]
    config = shell.root / "config.yml"
    config.write_text(config.read_text().replace("require_pins: false", "require_pins: true"))
    assert load(secrets, config).tokens.admin_key is not None

    shell.run(register, IMAGE="registry.example.org/jobs-manager:1", BEARER="b")
    (call,) = shell.calls()
    actor = Curl(shell, call)
    assert (actor.path, actor.headers["Authorization"]) == ("/actors/v2", "Bearer b")
    assert json.loads(actor.data)["default_environment"] == secrets
    assert json.loads(actor.data)["image"] == "registry.example.org/jobs-manager:1"

    shell.run(access, BEARER="b", ACTOR="G1p783PxpalBB")
    requests = [Curl(shell, call) for call in shell.calls()]
    assert [(request.path, json.loads(request.data)) for request in requests] == [
        ("/actors/v2/aliases", {"alias": "jobs-manager.prod", "actorId": "G1p783PxpalBB"}),
        ("/actors/v2/aliases/jobs-manager.prod/nonces", {"level": "EXECUTE"}),
        ("/actors/v2/G1p783PxpalBB/permissions", {"user": "jdoe", "level": "EXECUTE"}),
    ]


def test_verdicts_and_exit_codes() -> None:
    table = {verdict: (int(code), int(status)) for verdict, code, status, _ in rows("Verdicts")}
    assert table == {verdict.value: (code, STATUSES[verdict]) for verdict, code in EXIT_CODES.items()}
    assert f"Exit code {EXIT_WRONG_SETTING} says" in TEXT


def test_events() -> None:
    table = {event: (sources, after) for event, sources, after in rows("Events")}
    expected = {
        move.event: (
            "any state" if set(move.sources) == set(STATES) else ", ".join(move.sources),
            "stays" if move.destination == SAME else move.destination,
        )
        for move in MOVES
        if move.event not in RESERVED
    }
    assert table == expected
    assert {"reset", "ready"} == ADMINISTRATIVE


def test_every_setting_exists() -> None:
    named = {
        name
        for literal in DOCUMENT.findall(nodes.literal)
        for name in re.findall(r"^[a-z_]+\.[a-z_*]+$", literal.astext())
    }
    named = {name for name in named if name.partition(".")[0] in SECTIONS}
    assert len(named) > 10
    assert not [name for name in named if name not in TABLE and not name.endswith((".*", "_*"))]
    variables = set(re.findall(r"_REACTOR_[A-Z_]+", TEXT)) - {"_REACTOR_A_B"}
    assert variables <= {setting.variable for setting in TABLE.values()}


def test_defaults_of_settings() -> None:
    defaults = load({}, CONFIG)
    for name, default, _ in rows("Settings"):
        section_name, _, key = name.partition(".")
        value = getattr(getattr(defaults, section_name), key)
        said = {None: "none", (): "none", False: "false"}.get(
            value, f"{value:g}" if isinstance(value, float) else str(value)
        )
        assert default == said, name
    assert not Settings().require_pins


def test_every_command_is_listed() -> None:
    table = {command for command, _ in rows("Commands for operators")}
    assert table == set(COMMANDS)
    assert set(re.findall(r"python -m pipelinejobs ([a-z-]+)", TEXT)) <= set(COMMANDS)


def test_the_layout_exists() -> None:
    (block,) = blocks(section("The source"), "text")
    for line in block.splitlines():
        assert (ROOT / line.split()[0]).exists(), line


def test_every_path_of_the_gateway_is_listed(mongodb_uri: str, database: Database[dict[str, Any]]) -> None:
    with serving(settings(mongodb_uri, database.name)) as gateway:
        documented = gateway.client.get("/openapi.json").json()["paths"]
    served = {f"{method.upper()} {path}" for path, methods in documented.items() for method in methods}
    table = {path for path, _, _ in rows("Gateway")}
    assert table == {path for path in served if "/v3/" not in path}


def test_nonces_and_tokens(shell: Shell, environment: dict[str, str]) -> None:
    nonces, tokens = blocks(section("Who gets in"), "sh")
    printed = shell.run(nonces, **environment)
    assert re.search(r"^id: SD2E_[A-Za-z0-9]{24}$", printed, re.MULTILINE)
    assert "callbacks of Agave" in printed
    row = re.search(r"^setting: (\S+)$", shell.run(tokens, **environment), re.MULTILINE)
    assert row is not None
    assert load({"_REACTOR_GATEWAY_TOKENS": row[1]}, CONFIG).gateway.tokens[0].user == "jdoe"
    (rights,) = re.findall(r"``(jdoe:\S+)``", TEXT)
    assert len(load({"_REACTOR_GATEWAY_RIGHTS": rights}, CONFIG).gateway.rights) == 3


def test_running_it_for_real() -> None:
    (install,) = blocks(section("Running it for real"), "sh")
    for name in re.findall(r"/opt/pipelinejobs/(\S+\.txt)", install):
        assert (ROOT / name).exists()
    environment, operator, _ = blocks(section("Running it for real"), "text")
    assert "EnvironmentFile=/etc/pipelinejobs.env" in operator
    assert operator.split()[-4:] == [".venv/bin/python", "-m", "pipelinejobs", "doctor"]
    given = dict(line.split("=", 1) for line in environment.splitlines())
    given["_REACTOR_GATEWAY_TOKENS"] = given["_REACTOR_GATEWAY_TOKENS"].replace("...", "0" * 64)
    loaded = load(given, CONFIG)
    assert loaded.gateway.api_server == "https://jobs.example.org"
    assert loaded.mongodb.connection() is not None
    (unit,) = blocks(section("Running it for real"), "ini")
    parser = configparser.ConfigParser()
    parser.read_string(unit)
    command = parser["Service"]["ExecStart"].split()
    assert command[1:] == ["-m", "pipelinejobs", "serve"]
    assert int(parser["Service"]["TimeoutStopSec"]) > 2 * loaded.limits.drain


def test_a_client_of_agavepy() -> None:
    (block,) = blocks(section("Pointing senders at it"), "python")
    sent = []

    class Agave:
        def __init__(self, api_server: str, token: str) -> None:
            assert api_server.startswith("https://")
            self.actors = self

        def sendMessage(self, actorId: str, body: dict[str, Any]) -> None:  # noqa: N802, N803 - agavepy's names
            sent.append((actorId, body["message"]["name"]))

    exec(block, {"Agave": Agave, "token": "t", "uuid": "u", "job_token": "t"})
    assert sent == [("jobs-manager.prod", "run")]


def test_links_lead_somewhere() -> None:
    for reference in DOCUMENT.findall(nodes.reference):
        target = reference.get("refuri")
        assert target is None or target.startswith("https://") or (ROOT / target).exists()


def test_names_nothing_of_one_machine() -> None:
    assert not re.search(r"/(home|root|work|Users)/", TEXT)
    assert os.environ.get("HOME", "/nowhere") + "/" not in TEXT
