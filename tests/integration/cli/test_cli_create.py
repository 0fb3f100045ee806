"""`create`: new jobs, as python-datacatalog's agents make them."""

import json
from typing import Any

import pytest
from pymongo.collection import Collection

from integration.cli.conftest import Cli
from pipelinejobs.core import uuids
from pipelinejobs.core.tokens import job_token
from support import datacatalog
from support.factories import catalogued
from support.process import StoredJob

Jobs = Collection[dict[str, Any]]
PARENT = "10483e8d-6602-532a-8941-176ce20dd05a"


def test_makes_a_job_with_the_uuid_that_others_derive(cli: Cli, jobs: Jobs) -> None:
    told = cli.ok("create", "--pipeline-name", "sample", "--child-of", PARENT, "--data", '{"b": [1, 2.5], "a": null}')
    stored = jobs.find_one({"uuid": told["uuid"]})
    assert stored is not None
    identity = {"pipeline_uuid": told["pipeline_uuid"], "child_of": [PARENT], "data": {"b": [1, 2.5], "a": None}}
    assert told["uuid"] == uuids.job_uuid(identity)
    assert told["token"] == job_token(stored["uuid"], stored["_salt"], stored["_admin"])
    assert (stored["state"], stored["last_event"], stored["_properties"]["revision"]) == ("CREATED", "create", 0)
    assert stored["child_of"] == [PARENT]
    assert stored["data"] == {"b": [1, 2.5], "a": None}


def test_has_the_keys_of_a_job_of_python_datacatalog(cli: Cli, jobs: Jobs) -> None:
    cli.ok("create", "--pipeline-name", "sample", "--archive-system", "data", "--session", "run-1", "--owner", "ada")
    stored = jobs.find_one()
    assert stored is not None
    assert stored.keys() - {"_life", "_tokens", "_alone"} == catalogued("job-created.json").keys()
    assert stored["_admin"] == {"owner": "ada", "project": "SD2E-Community", "tenant": "sd2e"}


def test_the_archive_path_is_each_jobs_own(cli: Cli) -> None:
    paths = {cli.make(n=1)["archive_path"], cli.make(n=2)["archive_path"]}
    assert len(paths) == 2
    job = cli.make(n=3)
    assert job["archive_path"] == f"/products/v2/{job['pipeline_uuid']}/{job['uuid']}"


def test_the_archive_path_can_be_given(cli: Cli, jobs: Jobs) -> None:
    cli.ok("create", "--pipeline-name", "sample", "--archive-path", "/products/v2/run-42")
    assert jobs.distinct("archive_path") == ["/products/v2/run-42"]


def test_says_what_the_indexer_is_to_index(cli: Cli, jobs: Jobs) -> None:
    archive = [{"level": "1", "patterns": [r"\.csv$"]}]
    product = [{"patterns": ["x"], "derived_from": ["107"], "derived_using": [], "generated_by": []}]
    patterns = ["--archive-patterns", json.dumps(archive), "--product-patterns", json.dumps(product)]
    cli.ok("create", "--pipeline-name", "sample", *patterns)
    stored = jobs.find_one()
    assert stored is not None
    assert (stored["archive_patterns"], stored["product_patterns"]) == (archive, product)
    assert stored["archive_system"] == "data-sd2e-community"


def test_the_archive_system_can_be_given(cli: Cli, jobs: Jobs) -> None:
    cli.ok("create", "--pipeline-name", "sample", "--archive-system", "data-mine")
    assert jobs.distinct("archive_system") == ["data-mine"]


@pytest.mark.parametrize(
    ("option", "value", "why"),
    [
        ("--archive-patterns", "{}", "must be a list"),
        ("--archive-patterns", "[1]", "[0]: must be an object with level, patterns"),
        ("--archive-patterns", '[{"patterns": []}]', "[0]: must be an object with level, patterns"),
        ("--archive-patterns", '[{"level": "1", "patterns": [], "filter": 1}]', "[0]: must be an object"),
        ("--archive-patterns", '[{"level": 1, "patterns": []}]', "[0].level: must be one of 0, 1"),
        ("--archive-patterns", '[{"level": "1", "patterns": "x"}]', "[0].patterns: must be a list of texts"),
        ("--archive-patterns", '[{"level": "1", "patterns": ["("]}]', "not a regular expression"),
        ("--archive-patterns", '[{"level": "1", "patterns": ["\\ud800"]}]', "surrogate"),
        ("--product-patterns", '[{"patterns": [], "derived_from": []}]', "derived_from, derived_using, patterns"),
        ("--product-patterns", "x", "JSON"),
    ],
)
def test_refuses_patterns_that_the_indexer_would_not_read(
    cli: Cli, jobs: Jobs, option: str, value: str, why: str
) -> None:
    done = cli("create", "--pipeline-name", "a", option, value)
    assert done.exit_code == 2
    assert why in done.err
    assert len(done.err.splitlines()) == 1
    assert jobs.count_documents({}) == 0


def test_the_external_job_can_be_named(cli: Cli, jobs: Jobs) -> None:
    cli.ok("create", "--pipeline-name", "sample", "--external", "agave:1-007")
    stored = jobs.find_one()
    assert stored is not None
    assert stored["_external"] == {"system": "agave", "id": "1-007", "attempt": stored["_life"]}
    assert [row["attempt"] for row in stored["_externals"]] == [stored["_life"]]


def test_uses_a_pipeline_that_others_registered_under_the_name(cli: Cli, jobs: Jobs) -> None:
    uuid = "106c46ff-b186-5981-859e-6ee0bbdcfd5a"
    jobs.database["pipelines"].insert_one({"uuid": uuid, "name": "RNA-seq", "id": "rnaseq-0.1", "components": [{}]})
    assert cli.ok("create", "--pipeline-name", "RNA-seq")["pipeline_uuid"] == uuid
    jobs.database["pipelines"].insert_one({"uuid": f"{uuid[:-1]}b", "name": "RNA-seq", "components": [{}]})
    done = cli("create", "--pipeline-name", "RNA-seq", "--data", '{"n": 1}')
    assert done.exit_code == 1
    assert uuid in done.err
    assert jobs.count_documents({}) == 1


def test_prints_the_token_for_people_too(cli: Cli) -> None:
    done = cli("create", "--pipeline-name", "sample", "--data", '{"n": 1}')
    lines = dict(line.split(": ") for line in done.out.splitlines())
    assert lines.keys() == {"uuid", "token", "state", "pipeline_uuid", "archive_path"}
    assert len(lines["token"]) == 16


def test_leaves_a_job_that_exists_as_it_is(cli: Cli, jobs: Jobs) -> None:
    job = cli.make(n=1)
    cli.ok("send", job["uuid"], "run")
    before = jobs.find_one()
    done = cli("create", "--pipeline-name", "sample", "--data", '{"n": 1}')
    assert done.exit_code == 1
    assert job["uuid"] in done.err
    assert "it was not changed" in done.err
    assert len(done.err.splitlines()) == 1
    assert done.out == ""
    assert list(jobs.find()) == [before]


def test_uses_a_pipeline_that_exists(cli: Cli) -> None:
    pipeline = cli.make()["pipeline_uuid"]
    assert cli.ok("create", "--pipeline", pipeline, "--data", '{"n": 1}')["pipeline_uuid"] == pipeline


def test_blanks_around_a_uuid_do_not_count(cli: Cli) -> None:
    pipeline = cli.make()["pipeline_uuid"]
    assert cli.ok("create", "--pipeline", f" {pipeline}\n", "--data", '{"n": 1}')["pipeline_uuid"] == pipeline


def test_refuses_a_pipeline_that_does_not_exist(cli: Cli, jobs: Jobs) -> None:
    done = cli("create", "--pipeline", "10650844-1baa-55c5-a481-5e945b19c065")
    assert done.exit_code == 1
    assert "there is no pipeline" in done.err
    assert jobs.count_documents({}) == 0


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--pipeline-name", ""],
        ["--pipeline-name", "a\nb"],
        ["--pipeline-name", "\udcff"],
        ["--pipeline-name", "a", "--pipeline", PARENT],
        ["--pipeline", "demo"],
        ["--pipeline", PARENT.upper()],
        ["--pipeline", f"{PARENT} {PARENT}"],
        ["--pipeline-name", "a", "--child-of", "10483e8d"],
        ["--pipeline-name", "a", "--owner", "\udcff"],
        ["--pipeline-name", "a", "--archive-path", "\0"],
        ["--pipeline-name", "a", "--external", "1-007"],
    ],
)
def test_refuses_wrong_arguments_in_one_line(cli: Cli, jobs: Jobs, arguments: list[str]) -> None:
    done = cli("create", *arguments)
    assert done.exit_code == 2
    assert done.err.startswith("create: ")
    assert len(done.err.splitlines()) == 1
    assert jobs.count_documents({}) == 0


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ("", "JSON"),
        ("{", "JSON"),
        ("[]", "must be an object, not a list"),
        ("null", "must be an object, not null"),
        ("{'a': 1}", "JSON"),
        ('{"a": NaN}', "data.a"),
        ('{"a": [-Infinity]}', "a[0]"),
        ('{"a": 1, "a": 2}', "twice"),
        ('{"a": 9223372036854775808}', "64 bits"),
        ('{"a": "\\ud800"}', "surrogate"),
        ('{"a": "\\u0000"}', "NUL"),
        ('{"a": ' + "[" * 40 + "]" * 40 + "}", "nested deeper"),
        ("[" * 100_000, "nested deeper"),
        ('{"a": ' + "1" * 5000 + "}", "64 bits"),
        ("\udcff", "surrogate"),
    ],
)
@pytest.mark.parametrize("command", [["create", "--pipeline-name", "a"], ["send", PARENT, "run"]])
def test_refuses_data_that_cannot_be_stored(cli: Cli, jobs: Jobs, command: list[str], data: str, why: str) -> None:
    done = cli(*command, "--data", data)
    assert done.exit_code == 2
    assert why.removeprefix("data.") in done.err
    assert len(done.err.splitlines()) == 1
    assert jobs.count_documents({}) == 0


def test_keeps_keys_of_data_as_they_are(cli: Cli, jobs: Jobs) -> None:
    data = {"$set": 1, "a.b": {"$ne": None}, "": 0, "_id": "x", "message": {"a": 1}}
    uuid = cli.make(**data)["uuid"]
    stored = jobs.find_one({"uuid": uuid})
    assert stored is not None
    assert json.dumps(stored["data"]) == json.dumps(data)


def test_the_token_that_is_printed_outlives_the_salt(cli: Cli, jobs: Jobs) -> None:
    made = cli.make()
    datacatalog.writes(StoredJob(jobs, made["uuid"], made["token"]), "run", "RUNNING")
    strict: dict[str, Any] = {"_REACTOR_TOKENS_TRUST_ON_FIRST_USE": "false"}
    sent = cli("send", made["uuid"], "update", "--token", made["token"], "--json", **strict)
    assert sent.json["verdict"] == "applied"
