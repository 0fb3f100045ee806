"""The reference says all that the code knows and nothing else: each thing is looked for where the code says it."""

import argparse
import ast
import inspect
import json
import re
from datetime import datetime
from pathlib import Path
from typing import Final

import pytest
from docutils import nodes
from pydantic import TypeAdapter, ValidationError
from sphinx import addnodes

import fsm
import pipelinejobs
from from_code.gateway import openapi
from fsm.lifecycle import EVENTS, MOVES, STATES
from pipelinejobs import client, runtime
from pipelinejobs.cli.main import COMMANDS, parser
from pipelinejobs.core.outcome import Outcome
from pipelinejobs.core.verdict import EXIT_CODES, EXIT_WRONG_SETTING, STATUSES, Verdict
from pipelinejobs.gateway.pages.visitor import BASE
from pipelinejobs.messages.parameters import NAMES
from pipelinejobs.messages.statuses import EVENT_OF
from pipelinejobs.service import requeue
from pipelinejobs.settings import TABLE
from pipelinejobs.store import job_document
from pipelinejobs.util import errors
from support.built import Built, cells, section, sections, terms
from support.docs import ROOT

GATEWAY: Final = ROOT / "pipelinejobs" / "gateway"


def sources(directory: Path) -> str:
    """All code in a directory."""
    return "\n".join(file.read_text("utf-8") for file in sorted(directory.rglob("*.py")))


def test_settings(built: Built) -> None:
    page = built.page("reference/settings")
    assert sorted(row[0] for row in cells(page)) == sorted([*TABLE, "pinned", "require_pins"])
    rows = {row[0]: row for row in cells(page)}
    for setting in TABLE.values():
        assert setting.field_type.wanted.replace("`", "") in rows[setting.name][2].replace("`", ""), setting.name
        assert setting.meaning.replace("`", "") in rows[setting.name][2]


def test_every_section_of_config_yml(built: Built) -> None:
    written = re.findall(r"^([a-z_]+):", (ROOT / "config.yml").read_text("utf-8"), re.MULTILINE)
    titles = {one[0].astext() for one in sections(built.page("reference/settings"))}
    assert {name for name in written if name not in ("pinned", "require_pins")} <= titles


def test_variables(built: Built) -> None:
    page = built.page("reference/environment")
    assert {row[0]: row[1] for row in cells(page)} == {
        name: one.name for one in TABLE.values() for name in one.variables
    }


def test_what_a_run_is_told(built: Built) -> None:
    told = terms(section(built.page("reference/environment"), "For reactor.py: one message"))
    read = set(re.findall(r'"(_abaco_\w+[a-z]|LOCALONLY|MSG)"', inspect.getsource(runtime)))
    assert len(read) >= 7
    assert told == read


def test_what_a_gateway_or_a_command_is_told(built: Built) -> None:
    code = sources(ROOT / "pipelinejobs")
    read = set(re.findall(r'environ(?:\.get|\.pop)?[\[(]"(\w+)"', code))
    read |= set(re.findall(r'^(?:\w*VARIABLE|TOGETHER)(?:: Final)? = "(\w+)"', code, re.MULTILINE))
    assert {"PIPELINEJOBS_SECRETS", "LISTEN_FDS", "NOTIFY_SOCKET", "PROMETHEUS_MULTIPROC_DIR"} <= read
    assert read <= terms(built.page("reference/environment"))


def test_what_make_run_is_told(built: Built) -> None:
    recipe = re.search(r"^run: .*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert recipe is not None
    honoured = set(re.findall(r"\$\$\{([A-Z_]+):\+", recipe[1]))
    assert terms(section(built.page("reference/environment"), "For make run")) == honoured


def test_verdicts(built: Built) -> None:
    page = section(built.page("reference/verdicts"), "Verdicts")
    told = {row[0]: (int(row[1]), int(row[2])) for row in cells(page) if len(row) == 4}
    assert told == {one.value: (EXIT_CODES[one], STATUSES[one]) for one in Verdict}
    assert f"Exit code {EXIT_WRONG_SETTING} says" in page.astext()


def test_the_verdict_line(built: Built) -> None:
    keys = Outcome(verdict=Verdict.APPLIED, reason="", execution="").as_dict()
    assert terms(section(built.page("reference/verdicts"), "The verdict line")) == set(keys)


def test_exit_codes_of_commands(built: Built) -> None:
    told = {int(row[0]) for row in cells(section(built.page("reference/verdicts"), "Exit codes of commands"))}
    named = set(map(int, re.findall(r"^EXIT_\w+: Final = (\d+)", sources(ROOT / "pipelinejobs" / "cli"), re.MULTILINE)))
    assert named <= told
    assert told - named == {0, EXIT_WRONG_SETTING, EXIT_CODES[Verdict.MALFORMED], EXIT_CODES[Verdict.UNAVAILABLE]}


def test_states_and_events(built: Built) -> None:
    page = built.page("reference/lifecycle")
    assert {row[0]: row[1] for row in cells(section(page, "States"))} == STATES
    assert {row[0]: row[1] for row in cells(section(page, "Events"))} == EVENTS


def test_transitions(built: Built) -> None:
    told = [row[:3] for row in cells(section(built.page("reference/lifecycle"), "Transitions"))]
    assert told == [
        [
            move.event,
            "any state" if set(move.sources) == set(STATES) else ", ".join(move.sources),
            "stays" if move.destination == "=" else move.destination,
        ]
        for move in MOVES
    ]


def test_parameters(built: Built) -> None:
    told = [row[0] for row in cells(section(built.page("reference/messages"), "Parameters"))]
    assert told == [*NAMES, requeue.COUNT, "message"]


def test_status_words(built: Built) -> None:
    told = {row[0]: row[1].split(", ") for row in cells(section(built.page("reference/messages"), "Status words"))}
    assert {word: event for event, words in told.items() for word in words if word.isupper()} == EVENT_OF


def test_bodies(built: Built) -> None:
    forms = json.loads((ROOT / "message.jsonschema").read_text("utf-8"))["$defs"]
    bodies = section(built.page("reference/messages"), "Bodies")
    for name, form in forms.items():
        if re.fullmatch(r"level-\d+", name):
            continue
        keys = [row[0] for row in cells(section(bodies, name))]
        assert keys == [key for key, about in form.get("properties", {}).items() if isinstance(about, dict)]


def test_metrics(built: Built) -> None:
    told = {row[0].removesuffix("_total") for row in cells(built.page("reference/metrics"))}
    assert told == set(re.findall(r'"(pipelinejobs_[a-z_]+)"', sources(GATEWAY)))


def test_commands(built: Built) -> None:
    page = built.page("reference/commands")
    tops = [one for one in sections(page) if one.parent is sections(page)[0]]
    assert [one[0].astext() for one in tops] == list(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_options(built: Built, command: str) -> None:
    (whole,) = [action for action in parser()._actions if isinstance(action, argparse._SubParsersAction)]
    wanted = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", _helps(whole.choices[command]))) - {"--help"}
    told = set(re.findall(r"--[a-z-]+", " ".join(row[0] for row in _rows_of(built, command))))
    assert told == wanted


def _helps(one: argparse.ArgumentParser) -> str:
    inner = [action for action in one._actions if isinstance(action, argparse._SubParsersAction)]
    return one.format_usage() + "".join(_helps(each) for action in inner for each in action.choices.values())


def _rows_of(built: Built, command: str) -> list[list[str]]:
    return cells(section(built.page("reference/commands"), command))


def test_endpoints(built: Built) -> None:
    titles = {one[0].astext() for one in sections(built.page("reference/endpoints"))}
    told = {title for title in titles if re.match(r"(GET|POST|PUT|DELETE) /", title)}
    served = {f"{method.upper()} {path}" for path, methods in openapi()["paths"].items() for method in methods}
    assert {name for name in served if " /v3/" not in name} <= told
    of_pages = set(re.findall(r'\bRoute\("(/[^"]*)"', sources(GATEWAY / "pages")))
    assert len(of_pages) > 8
    assert {name.split()[1] for name in told - served} == {"/", BASE} | {BASE + path for path in of_pages}


def test_every_parameter_of_an_endpoint(built: Built) -> None:
    for path, methods in openapi()["paths"].items():
        for method, about in methods.items():
            if path.startswith("/v3/"):
                continue
            part = section(built.page("reference/endpoints"), f"{method.upper()} {path}")
            assert [row[0] for row in cells(part)] == [one["name"] for one in about.get("parameters", [])]


def test_the_times_that_are_taken(built: Built) -> None:
    (paragraph,) = [
        one
        for one in built.page("reference/endpoints").findall(nodes.paragraph)
        if one.astext().startswith("A time in since")
    ]
    moments = re.findall(r"20\d\d-[0-9T:Z+-]+|\b1\d{9}\b", paragraph.astext())
    assert len(moments) == 5
    taken = TypeAdapter(datetime)
    for moment in moments:
        taken.validate_python(moment)
    with pytest.raises(ValidationError):
        taken.validate_python("2026-11-23T18:00:00 02:00")  # what becomes of a bare +


def test_the_client(built: Built) -> None:
    page = built.page("reference/client")
    told = [name for one in page.findall(addnodes.desc_signature) for name in one["ids"]]
    methods = {f"Job.{name}" for name, _ in inspect.getmembers(client.Job, inspect.isroutine) if name[0] != "_"}
    assert methods > {f"Job.{event}" for event in client.EVENTS}
    wanted = {f"pipelinejobs.client.{name}" for name in {*client.__all__, *methods}}
    assert {name for name in told if name.count(".") < 3 or ".Job." in name} == wanted


def test_what_may_be_imported(built: Built) -> None:
    """All that the modules of fsm define without an underscore, and what the package itself lists."""
    wanted = {f"pipelinejobs.{name}" for name in pipelinejobs.__all__}
    for module in fsm.__all__:
        tree = ast.parse((ROOT / "fsm" / f"{module}.py").read_text("utf-8"))
        for node in tree.body:
            names = [node.name] if isinstance(node, ast.FunctionDef | ast.ClassDef) else []
            names += [node.target.id] if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) else []
            wanted |= {f"fsm.{module}.{name}" for name in names if not name.startswith("_")}
    assert terms(built.page("reference/python")) - {"message.jsonschema", "config.yml"} == wanted


def test_errors(built: Built) -> None:
    tree = ast.parse(Path(errors.__file__).read_text("utf-8"))
    classes = {node.name for node in tree.body if isinstance(node, ast.ClassDef)}
    page = built.page("reference/errors")
    told = {name for one in page.findall(addnodes.desc_signature) for name in one["ids"]}
    assert told == {f"{errors.__name__}.{name}" for name in classes}
    drawn = set(re.findall(r"\b[A-Z]\w+\b", next(page.findall(nodes.literal_block)).astext()))
    assert drawn == classes


def test_collections(built: Built) -> None:
    page = section(built.page("reference/stored-data"), "Collections")
    used = set(re.findall(r'database\["(\w+)"\]', sources(ROOT / "pipelinejobs" / "store")))
    assert len(used) >= 6
    assert terms(page) == used


def test_fields_of_ours(built: Built) -> None:
    told = {row[0] for row in cells(section(built.page("reference/stored-data"), "Fields of a job"))}
    assert told == job_document.OWN
