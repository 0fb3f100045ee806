"""Each problem at the start: one clear sentence and one exit code, at every entry point, and doctor finds it."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from pymongo import MongoClient
from pymongo.database import Database

from pipelinejobs.mongod import find, host
from support.canaries import CANARIES, PASSWORD
from support.process import CheckedAbaco, insert_job
from support.served import ROOT
from support.server import RudeServer, then_hangs
from tools.chaos import process
from tools.demo.abaco import Execution, finished

pytestmark = pytest.mark.promise("F17")

MESSAGE: Final = {"uuid": "107b93f3-1eae-5e79-8a18-0a480f8aa3a5", "name": "run", "token": "0123456789abcdef"}
SECONDS: Final = 90


@dataclass(frozen=True)
class Refusal:
    """How a process reports a problem: its exit code, and one sentence."""

    exit_code: int
    sentence: str


def one_shot(variables: dict[str, str]) -> Refusal:
    run: Execution = CheckedAbaco(environment=variables).send(MESSAGE)
    assert run.verdict["state"] is None
    return Refusal(run.exit_code, run.verdict["reason"])


def command(
    variables: dict[str, str],
    *words: str,
    launcher: tuple[str, ...] = ("-m", "pipelinejobs"),
    wrapper: tuple[str, ...] = (),
) -> Refusal:
    done = subprocess.run(
        [*wrapper, sys.executable, *launcher, *words],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **variables},
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    shown = done.stdout + done.stderr
    assert "Traceback" not in shown, shown
    assert not [secret for secret in CANARIES if secret in shown], shown
    if words[0] == "doctor":
        wrong = [one for one in json.loads(done.stdout)["findings"] if one["level"] == "wrong"]
        return Refusal(done.returncode, "; ".join(f"{one['what']}: {one['text']}" for one in wrong))
    assert done.stdout == ""
    *steps, line = done.stderr.splitlines()
    assert all(step.endswith(" ...") for step in steps), done.stderr
    return Refusal(done.returncode, line)


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that wants a password; what comes back is its address."""
    directory, port = tmp_path_factory.mktemp("secured"), host.free_port()
    options = ["--dbpath", str(directory), "--port", str(port), "--bind_ip", "127.0.0.1", "--nounixsocket", "--auth"]
    running = process.start([str(find()), *options, "--wiredTigerCacheSizeGB", "0.25"], directory / "mongod.log")
    try:
        with MongoClient[dict[str, Any]]("127.0.0.1", port, directConnection=True, timeoutMS=30_000) as client:
            roles = [{"role": "root", "db": "admin"}]
            client.admin.command("createUser", "root", pwd="canary-root-12", roles=roles)
        with MongoClient[dict[str, Any]](
            "127.0.0.1", port, username="root", password="canary-root-12", timeoutMS=30_000
        ) as client:
            elsewhere = [{"role": "readWrite", "db": "elsewhere"}]
            client.admin.command("createUser", "guest", pwd=PASSWORD, roles=elsewhere)
        yield f"127.0.0.1:{port}"
    finally:
        process.kill(running)


@pytest.fixture
def silent() -> Iterator[str]:
    """A server that accepts data and never answers."""
    with RudeServer(then_hangs()) as server:
        yield f"127.0.0.1:{server.port}"


@pytest.fixture
def address(request: pytest.FixtureRequest, cause: str, free_port: int) -> str:
    """The connection string that leads to the trouble."""
    if cause == "no server":
        return f"mongodb://127.0.0.1:{free_port}/"
    if cause == "a server that is silent":
        return f"mongodb://{request.getfixturevalue('silent')}/"
    user = "guest" if cause == "a user without rights" else "nobody"
    return f"mongodb://{user}:{PASSWORD}@{request.getfixturevalue('secured')}/"


UNREACHABLE: Final = {
    "no server": (75, "no MongoDB server could be reached in time"),
    "a server that is silent": (75, "no MongoDB server could be reached in time"),
    "a wrong password": (78, "mongodb: the server refuses the user or password"),
    "a user without rights": (78, "mongodb: the server refuses the user or password, or the user lacks a permission"),
}


@pytest.mark.parametrize("cause", UNREACHABLE)
class TestNoWayToTheDatabase:
    @pytest.fixture
    def variables(self, address: str) -> dict[str, str]:
        short = {"_REACTOR_LIMITS_DATABASE": "1.5", "_REACTOR_LIMITS_ONE_SHOT": "10", "_REACTOR_GATEWAY_PORT": "0"}
        indexer = {"_REACTOR_PIPELINES_JOB_INDEXER_URL": "http://127.0.0.1:1/"}
        return {"_REACTOR_MONGODB_URI": address, **short, **indexer}

    def test_one_shot(self, variables: dict[str, str], cause: str) -> None:
        exit_code, words = UNREACHABLE[cause]
        refusal = one_shot(variables)
        assert refusal.exit_code == exit_code
        assert words in refusal.sentence

    @pytest.mark.parametrize("name", ["serve", "jobs", "drain"])
    def test_commands(self, variables: dict[str, str], cause: str, name: str) -> None:
        exit_code, words = UNREACHABLE[cause]
        refusal = command(variables, name)
        assert refusal.exit_code == exit_code
        assert refusal.sentence.startswith(f"{name}: ")
        assert words in refusal.sentence

    def test_doctor(self, variables: dict[str, str], cause: str) -> None:
        refusal = command(variables, "doctor", "--json")
        assert refusal.exit_code == 1
        assert refusal.sentence.startswith("server: ")
        assert UNREACHABLE[cause][1] in refusal.sentence


UNUSABLE: Final = {
    "a file in its way": "Not a directory",
    "a file in its place": "File exists",
    "no permission to make it": "Permission denied",
    "no permission to write into it": "Permission denied",
    "no permission to write into its data": "read-only directory",
}


@pytest.mark.parametrize("cause", UNUSABLE)
class TestAnUnusableDirectory:
    @pytest.fixture
    def variables(self, tmp_path: Path, cause: str) -> Iterator[dict[str, str]]:
        directory = tmp_path / "parent" / "mongodb"
        directory.parent.mkdir()
        if cause == "a file in its way":
            directory = tmp_path / "file" / "mongodb"
            directory.parent.write_text("")
        elif cause == "a file in its place":
            directory.write_text("")
        elif cause != "no permission to make it":
            (directory / "data").mkdir(parents=True)
        closed = {
            "no permission to make it": directory.parent,
            "no permission to write into it": directory,
            "no permission to write into its data": directory / "data",
        }.get(cause)
        if closed is not None:
            closed.chmod(0o500)
        yield {"LOCALONLY": "1", "_REACTOR_MONGODB_EMBEDDED_DIRECTORY": str(directory)}
        if closed is not None:
            closed.chmod(0o700)

    @pytest.fixture
    def wrapper(self) -> tuple[str, ...]:
        """Root may write everywhere; here without the capability that lets it."""
        if os.geteuid() != 0:
            return ()
        if shutil.which("setpriv") is None:
            pytest.skip("root may write everywhere, and there is no `setpriv` here to take that from it")
        return ("setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all")

    def test_one_shot(self, variables: dict[str, str], wrapper: tuple[str, ...], cause: str) -> None:
        abaco = CheckedAbaco(environment=variables, names={"_abaco_actor_id": None})
        process = subprocess.Popen(
            [*wrapper, sys.executable, "-Es", str(ROOT / "reactor.py")],
            env=abaco.variables(MESSAGE, {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        run = abaco.check(finished(process))
        assert run.exit_code == 78
        assert run.verdict["reason"].startswith("mongodb.embedded_directory: ")
        assert UNUSABLE[cause] in run.verdict["reason"]

    @pytest.mark.parametrize("name", ["serve", "jobs"])
    def test_commands(self, variables: dict[str, str], wrapper: tuple[str, ...], cause: str, name: str) -> None:
        refusal = command({**variables, "_REACTOR_GATEWAY_PORT": "0"}, name, wrapper=wrapper)
        assert refusal.exit_code == 78
        assert refusal.sentence.startswith(f"{name}: mongodb.embedded_directory: ")
        assert UNUSABLE[cause] in refusal.sentence

    def test_doctor(self, variables: dict[str, str], wrapper: tuple[str, ...], cause: str) -> None:
        refusal = command(variables, "doctor", "--json", wrapper=wrapper)
        assert refusal.exit_code == 1
        assert refusal.sentence.startswith("server: mongodb.embedded_directory: ")
        assert UNUSABLE[cause] in refusal.sentence


class TestATakenPort:
    """Of the gateway alone: no other entry point wants it."""

    @pytest.fixture
    def variables(self, mongodb_uri: str, database: Database[Any]) -> Iterator[dict[str, str]]:
        with socket.create_server(("127.0.0.1", 0)) as other:
            yield {
                "_REACTOR_MONGODB_URI": mongodb_uri,
                "_REACTOR_MONGODB_DATABASE": database.name,
                "_REACTOR_GATEWAY_PORT": str(other.getsockname()[1]),
            }

    def test_serve(self, variables: dict[str, str]) -> None:
        port = variables["_REACTOR_GATEWAY_PORT"]
        refusal = command(variables, "serve")
        assert refusal.exit_code == 78
        problem = f"serve: gateway.port: cannot listen at 127.0.0.1 port {port}: Address already in use"
        assert refusal.sentence == f"{problem}; choose another with --port (make: PORT=)"

    def test_doctor_says_so_and_calls_nothing_wrong(self, variables: dict[str, str]) -> None:
        """It may be this very gateway that has it."""
        assert command(variables, "doctor", "--json", "--fix") == Refusal(0, "")
        printed = subprocess.run(
            [sys.executable, "-m", "pipelinejobs", "doctor"],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], **variables},
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=True,
        ).stdout
        where = f"127.0.0.1 port {variables['_REACTOR_GATEWAY_PORT']}"
        assert f"note   gateway: gateway.port: {where} is in use. If the gateway is not running," in printed

    def test_one_shot_does_not_care(self, variables: dict[str, str], database: Database[Any]) -> None:
        job = insert_job(database["jobs"])
        assert CheckedAbaco(environment=variables).send(job.event("run")).exit_code == 0


def test_an_old_server_serves_no_gateway(mongodb_uri: str, database: Database[Any]) -> None:
    """No old server is available here, so the test replaces the version in the process."""
    old = "import sys; from pipelinejobs.store import Store; Store.server_version = lambda _: '4.4.29'; "
    main = "from pipelinejobs.cli.main import main; sys.exit(main(sys.argv[1:]))"
    variables = {
        "_REACTOR_MONGODB_URI": mongodb_uri,
        "_REACTOR_MONGODB_DATABASE": database.name,
        "_REACTOR_GATEWAY_PORT": "0",
    }
    refusal = command(variables, "serve", launcher=("-c", old + main))
    assert refusal == Refusal(78, "serve: mongodb: MongoDB 4.4.29 is too old; 5.0 or newer is needed")
    doctor = command(variables, "doctor", "--json", launcher=("-c", old + main))
    assert doctor.exit_code == 1
    assert "MongoDB 4.4.29 is too old" in doctor.sentence


class TestAForeignDatabase:
    """What is there already, and stands in the way of an index or of everything."""

    @pytest.fixture
    def variables(self, mongodb_uri: str, database: Database[Any]) -> dict[str, str]:
        return {"_REACTOR_MONGODB_URI": mongodb_uri, "_REACTOR_MONGODB_DATABASE": database.name}

    def test_no_indexes(self, variables: dict[str, str], database: Database[Any]) -> None:
        insert_job(database["jobs"])
        refusal = command(variables, "doctor", "--json")
        assert refusal.exit_code == 1
        assert "indexes: " in refusal.sentence
        command(variables, "doctor", "--json", "--fix")
        assert command(variables, "doctor", "--json") == Refusal(0, "")

    def test_two_jobs_with_one_uuid(self, variables: dict[str, str], database: Database[Any]) -> None:
        job = insert_job(database["jobs"])
        document = job.stored()
        del document["_id"]
        database["jobs"].insert_one(document)
        refusal = command(variables, "doctor", "--json", "--fix")
        assert refusal.exit_code == 1
        assert "uuid" in refusal.sentence
        self.serves_but_is_not_ready(variables)

    def test_an_index_of_the_same_name_that_is_another(
        self, variables: dict[str, str], database: Database[Any]
    ) -> None:
        insert_job(database["jobs"])
        database["jobs"].create_index([("state", 1)], name="uuid_1")
        refusal = command(variables, "doctor", "--json", "--fix")
        assert refusal.exit_code == 1
        assert "uuid_1" in refusal.sentence or "index" in refusal.sentence
        self.serves_but_is_not_ready(variables)

    def test_jobs_that_is_a_view(self, variables: dict[str, str], database: Database[Any]) -> None:
        job = insert_job(database["older"])
        database.create_collection("jobs", viewOn="older", pipeline=[])
        refusal = command(variables, "doctor", "--json")
        assert refusal.exit_code == 1
        run = CheckedAbaco(environment=variables).send(job.event("run"))
        assert run.exit_code in (75, 78)
        assert job.names == ["create"]
        refused = command({**variables, "_REACTOR_GATEWAY_PORT": "0"}, "serve")
        assert refused.exit_code in (75, 78)

    def serves_but_is_not_ready(self, variables: dict[str, str]) -> None:
        """If an index cannot be made, events are still handled; /readyz and doctor report it."""

        served = subprocess.Popen(
            [sys.executable, "-m", "pipelinejobs", "serve"],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], **variables, "_REACTOR_GATEWAY_PORT": "0"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert served.stdout is not None
            url = served.stdout.readline().split()[-1]
            answer = httpx.get(f"{url}/readyz", trust_env=False)
            assert answer.status_code == 503
            assert "index" in answer.text
        finally:
            served.kill()
            served.communicate()


@pytest.mark.promise("F18")
def test_a_gateway_killed_while_it_makes_indexes_leaves_nothing_half_done(
    mongodb_uri: str, database: Database[Any]
) -> None:
    """With so many jobs that a build takes a while; events are applied meanwhile, and the next start goes on."""
    job = insert_job(database["jobs"])
    document = job.stored()
    del document["_id"]
    many = [{**document, "uuid": f"107{number:033}"} for number in range(20_000)]
    database["jobs"].insert_many(many)
    variables = {
        "_REACTOR_MONGODB_URI": mongodb_uri,
        "_REACTOR_MONGODB_DATABASE": database.name,
        "_REACTOR_GATEWAY_PORT": "0",
    }
    abaco = CheckedAbaco(environment=variables)
    for delay in (0.9, 1.0, 1.1, 1.2):
        gateways = [
            subprocess.Popen(
                [sys.executable, "-m", "pipelinejobs", "serve"],
                cwd=ROOT,
                env={"PATH": os.environ["PATH"], **variables},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            for _ in range(2)
        ]
        running = abaco.start(job.event("update"))
        time.sleep(delay)  # anywhere in the build; the outcome is the same wherever it is
        for gateway in gateways:
            gateway.kill()
            gateway.wait()
        assert abaco.check(finished(running)).verdict["verdict"] == "applied"
    command(variables, "doctor", "--json", "--fix", "--jobs", "1")
    assert command(variables, "doctor", "--json", "--jobs", "1") == Refusal(0, "")
    assert job.names == ["create", *["update"] * 4]
