"""The container that a message runs in: its environment, its context, and a Reactor for it."""

import importlib.machinery
import io
import json
import logging
import os
import subprocess
import sys
import threading
import time
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import pytest

from pipelinejobs import runtime
from pipelinejobs.errors import Undelivered
from pipelinejobs.messages import parameters
from pipelinejobs.runtime import Context, OurReactor, Reactor, SdkReactor
from support_server import RudeServer, answers, then_hangs

CANARY: Final = "canary-4711"
ABACO: Final = {
    "MSG": "{'uuid': '107'}",
    "_abaco_username": "jdoe",
    "_abaco_execution_id": "N4xBQWo8YyO7y",
    "_abaco_actor_id": "G1p783PxpalBB",
    "_abaco_api_server": "https://api.sd2e.org",
    "_abaco_access_token": CANARY,
    "_abaco_Content_Type": "application/json",
}

Make = Callable[[Mapping[str, str]], Reactor]
"""Makes a Reactor of one kind for an environment."""


@pytest.mark.promise("S13")
def test_the_environment_is_copied_whole_and_left_nearly_empty() -> None:
    names = (
        *("HTTPS_PROXY", "https_proxy", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE", "OPENSSL_CONF"),
        *("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NETRC", "RES_OPTIONS", "HOSTALIASES", "TZ", "LD_PRELOAD"),
        *("MONGODB_URI", "PYTHONPATH", "AGAVE_CACHE_DIR", "Path", "_reactor_x", "abaco_x", "", "LCD"),
    )
    steering = dict.fromkeys(names, "x")
    wanted = dict.fromkeys(("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "HOSTNAME", "LOCALONLY", "MSG"), "y")
    wanted |= {"_abaco_username": "jdoe", "_actor_configs": "{}", "_REACTOR_LOGS_LEVEL": "INFO", "x_src_job_id": "1"}
    wanted |= dict.fromkeys(parameters.NAMES, "z")
    environ = steering | wanted
    copy = runtime.take_environment(environ)
    assert copy == steering | wanted
    assert environ == wanted


@pytest.mark.promise("S13")
def test_the_process_itself_forgets_them() -> None:
    code = """
import ctypes, os
from pipelinejobs import runtime
copy = runtime.take_environment(os.environ)
assert copy["HTTPS_PROXY"] == "canary" and copy["x-nonce"] == "n" and len(copy) > 10_000
getenv = ctypes.CDLL(None).getenv
getenv.restype = ctypes.c_char_p
assert getenv(b"HTTPS_PROXY") is None and getenv(b"x-nonce") == b"n", "libraries in C ask the system, not Python"
assert len(os.environ) < 20
"""
    environ = {"HTTPS_PROXY": "canary", "x-nonce": "n", "PATH": os.environ["PATH"]}
    environ |= {f"name{number}": "x" for number in range(10_000)}
    encoded = {name.encode(): value.encode() for name, value in environ.items()} | {b"\xff": b"\xfe"}
    subprocess.run([sys.executable, "-c", code], env=encoded, check=True, timeout=60)


def test_a_name_that_the_system_does_not_take_out_is_no_obstacle() -> None:
    class Odd(dict[str, str]):
        def __delitem__(self, name: str) -> None:
            if name == "":  # a process can be given such a variable ("=x"), but cannot take it out
                raise OSError(22, "Invalid argument")
            super().__delitem__(name)

    environ = Odd({"": "x", "HTTPS_PROXY": "2"})
    assert runtime.take_environment(environ) == {"": "x", "HTTPS_PROXY": "2"}
    assert environ == {"": "x"}


def test_importing_it_loads_no_library() -> None:
    code = """
import sys
import pipelinejobs.runtime
print(*{"agavepy", "urllib3", "requests", "pymongo", "reactors", "jsonschema", "certifi"} & set(sys.modules))
"""
    result = subprocess.run([sys.executable, "-c", code], check=True, timeout=60, capture_output=True, text=True)
    assert result.stdout.strip() == ""


def test_a_context() -> None:
    context = runtime.context(ABACO)
    assert context.message == "{'uuid': '107'}"
    assert context.username == "jdoe"
    assert context.execution_id == "N4xBQWo8YyO7y"
    assert context.actor_id == "G1p783PxpalBB"
    assert context.api_server == "https://api.sd2e.org"
    assert context.access_token is not None
    assert context.access_token.reveal() == CANARY
    assert context.parameters == ABACO
    assert not context.binary
    assert not context.local


def test_an_empty_text_counts_as_absent() -> None:
    empty = dict.fromkeys(ABACO, "")
    assert runtime.context(empty) == Context(parameters=empty)
    assert runtime.context({}) == Context()


@pytest.mark.parametrize(("text", "local"), [("1", True), ("0", False), ("true", False), (" 1", False), ("", False)])
def test_local_is_exactly_1(text: str, local: bool) -> None:
    assert runtime.context({"LOCALONLY": text}).local is local


@pytest.mark.parametrize(
    ("kind", "binary"), [("application/octet-stream", True), ("str", False), ("application/json", False)]
)
def test_a_binary_message(kind: str, binary: bool) -> None:
    assert runtime.context({"_abaco_Content_Type": kind}).binary is binary


@pytest.mark.promise("S15")
def test_a_context_shows_no_secret() -> None:
    context = runtime.context(ABACO | {"token": CANARY, "x-nonce": CANARY, "MSG": CANARY})
    assert CANARY not in repr(context)
    assert "jdoe" in repr(context)


class FakeSdk(types.ModuleType):
    """A stand-in for the module `reactors.runtime`, with what is known of it: names, arguments and bad habits."""

    def __init__(self) -> None:
        super().__init__("reactors.runtime")
        self.sent: list[tuple[str, dict[str, Any], dict[str, Any]]] = []
        self.constructs: Callable[[], object] = lambda: None
        self.sends: Callable[[], object] = lambda: None
        fake = self

        class Sdk:
            def __init__(self, redactions: list[str] | None = None) -> None:
                fake.constructs()
                self.logger = logging.getLogger("sdk")

            def send_message(
                self,
                actorId: str,  # noqa: N803 - the SDK's name
                message: dict[str, Any],
                environment: dict[str, str] = {},  # noqa: B006 - the SDK's habit
                ignoreErrors: bool = True,  # noqa: N803
                senderTags: bool = True,  # noqa: N803
                retryMaxAttempts: int = 5,  # noqa: N803
                retryDelay: float = 1,  # noqa: N803
                sync: bool = False,
            ) -> str:
                environment["x_src_actor_id"] = "G1p783PxpalBB"
                options = {"ignoreErrors": ignoreErrors, "retryMaxAttempts": retryMaxAttempts}
                fake.sent.append((actorId, message, options | {"environment": environment}))
                fake.sends()
                return "N4xBQWo8YyO7y"

        self.Reactor = Sdk


@pytest.fixture
def sdk(monkeypatch: pytest.MonkeyPatch) -> FakeSdk:
    """The stand-in, installed."""
    package, module = types.ModuleType("reactors"), FakeSdk()
    package.__spec__ = importlib.machinery.ModuleSpec("reactors", None, is_package=True)
    monkeypatch.setitem(sys.modules, "reactors", package)
    monkeypatch.setitem(sys.modules, "reactors.runtime", module)
    return module


@pytest.fixture
def stream() -> io.StringIO:
    """Where `logger` writes."""
    return io.StringIO()


@pytest.fixture
def logger(stream: io.StringIO) -> Iterator[logging.Logger]:
    """A logger that is not the project's."""
    made, handler = logging.getLogger("test_runtime"), logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    made.addHandler(handler)
    made.setLevel("INFO")
    yield made
    made.removeHandler(handler)


@pytest.fixture(params=["ours", "the SDK's", "a stand-in for the SDK's"])
def make(request: pytest.FixtureRequest, logger: logging.Logger) -> Make:
    """Makes Reactors of each kind. The contract tests below hold for all of them."""
    if request.param == "ours":
        return lambda environ: OurReactor(environ, logger)
    if request.param == "a stand-in for the SDK's":
        request.getfixturevalue("sdk")
    elif not runtime.has_sdk():
        pytest.skip("the Reactors SDK is not installed")

    def make_sdk(environ: Mapping[str, str]) -> Reactor:
        made = runtime.reactor(environ, logger)
        assert isinstance(made, SdkReactor)
        return made

    return make_sdk


def test_every_reactor_has_the_context(make: Make) -> None:
    assert make(ABACO).context.parameters == ABACO
    assert make({"LOCALONLY": "1"}).context == runtime.context({"LOCALONLY": "1"})


@pytest.mark.parametrize("message", ["100 % done, %s %d", ""])
def test_every_reactor_ends_well(make: Make, message: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with pytest.raises(SystemExit) as ended:
        make(ABACO).on_success(message)
    assert ended.value.code == 0
    assert (caplog.records[-1].levelno, caplog.records[-1].getMessage()) == (logging.INFO, message)


@pytest.mark.parametrize("code", [1, 65, 78])
def test_every_reactor_ends_badly(make: Make, code: int, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(SystemExit) as ended:
        make(ABACO).on_failure("100 % wrong", code)
    assert ended.value.code == code
    assert (caplog.records[-1].levelno, caplog.records[-1].getMessage()) == (logging.CRITICAL, "100 % wrong")


def test_every_reactor_ends_with_1_when_nothing_is_said(make: Make) -> None:
    with pytest.raises(SystemExit) as ended:
        make(ABACO).on_failure("wrong")
    assert ended.value.code == 1


def test_every_reactor_has_a_logger(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    make(ABACO).logger.warning("careful")
    assert caplog.records[-1].getMessage() == "careful"


def test_ours_sends_to_the_actors_api(logger: logging.Logger) -> None:
    with RudeServer(answers()) as server:
        environ = ABACO | {"_abaco_api_server": server.url, "x_session": "s1"}
        OurReactor(environ, logger).send_message("jobs-indexer.prod", {"name": "index"}, {"level": "1"})
        OurReactor(environ, logger).send_message("jobs-indexer.prod", {"name": "index"})
    request, other = server.requests
    assert request.path == "/actors/v2/jobs-indexer.prod/messages"
    assert request.query == {
        "x_src_actor_id": ["G1p783PxpalBB"],
        "x_src_execution_id": ["N4xBQWo8YyO7y"],
        "x_session": ["s1"],
        "level": ["1"],
    }
    assert json.loads(request.body) == {"message": {"name": "index"}}
    assert request.headers["authorization"] == f"Bearer {CANARY}"
    assert request.headers["idempotency-key"] != other.headers["idempotency-key"]
    assert "level" not in other.query


def test_ours_holds_a_message_to_its_deadline(logger: logging.Logger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "_SEND_SECONDS", 0.3)
    began = time.monotonic()
    with RudeServer(then_hangs()) as server:
        reactor = OurReactor(ABACO | {"_abaco_api_server": server.url}, logger)
        with pytest.raises(Undelivered):
            reactor.send_message("x", {})
        assert time.monotonic() - began < 5


def test_ours_cannot_send_where_there_is_no_actors_api(logger: logging.Logger) -> None:
    with pytest.raises(Undelivered, match="_abaco_api_server"):
        OurReactor({}, logger).send_message("jobs-indexer.prod", {})


def test_the_sdk_sends_once_and_hides_no_error(sdk: FakeSdk, logger: logging.Logger) -> None:
    reactor, given = runtime.reactor(ABACO, logger), {"level": "1"}
    reactor.send_message("jobs-indexer.prod", {"name": "index"}, given)
    reactor.send_message("jobs-indexer.prod", {"name": "index"})
    first, second = (options.pop("environment") for _, _, options in sdk.sent)
    assert (
        sdk.sent
        == [
            ("jobs-indexer.prod", {"name": "index"}, {"ignoreErrors": False, "retryMaxAttempts": 0}),
        ]
        * 2
    )
    assert first == {"level": "1", "x_src_actor_id": "G1p783PxpalBB"}
    assert "level" not in second
    assert given == {"level": "1"}, "the SDK writes into what it is given"


@pytest.mark.parametrize("kind", [NameError, RuntimeError, SystemExit])
def test_whatever_the_sdk_raises_is_an_undelivered_message(
    sdk: FakeSdk, logger: logging.Logger, kind: type[BaseException]
) -> None:
    def fail() -> None:
        raise kind(CANARY)

    sdk.sends = fail
    with pytest.raises(Undelivered) as caught:
        runtime.reactor(ABACO, logger).send_message("jobs-indexer.prod", {})
    assert kind.__name__ in caught.value.reason
    assert CANARY not in caught.value.reason


def test_a_message_of_the_sdk_that_hangs(sdk: FakeSdk, logger: logging.Logger, monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    monkeypatch.setattr(runtime, "_SEND_SECONDS", 0.2)
    sdk.sends = lambda: over.wait(30)
    began = time.monotonic()
    with pytest.raises(Undelivered):
        runtime.reactor(ABACO, logger).send_message("jobs-indexer.prod", {})
    assert time.monotonic() - began < 5
    over.set()


def test_without_the_sdk_ours_is_used(logger: logging.Logger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "reactors", None)
    monkeypatch.setattr(runtime, "has_sdk", lambda: True)  # there, but not to be imported
    assert isinstance(runtime.reactor(ABACO, logger), OurReactor)
    monkeypatch.setattr(runtime, "has_sdk", lambda: False)
    assert isinstance(runtime.reactor(ABACO, logger), OurReactor)


@pytest.mark.parametrize("kind", [ImportError, AttributeError, OSError, SystemExit])
def test_an_sdk_that_does_not_start_is_replaced_by_ours(
    sdk: FakeSdk, logger: logging.Logger, stream: io.StringIO, kind: type[BaseException]
) -> None:
    def fail() -> None:
        raise kind(CANARY)

    sdk.constructs = fail
    assert isinstance(runtime.reactor(ABACO, logger), OurReactor)
    assert "WARNING the Reactors SDK is not usable here" in stream.getvalue()
    assert CANARY not in stream.getvalue()


def test_an_sdk_that_hangs_is_replaced_by_ours(
    sdk: FakeSdk, logger: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = threading.Event()
    monkeypatch.setattr(runtime, "_SDK_SECONDS", 0.2)
    sdk.constructs = lambda: over.wait(30)
    began = time.monotonic()
    with RudeServer(answers()) as server:
        reactor = runtime.reactor(ABACO | {"_abaco_api_server": server.url}, logger)
        assert isinstance(reactor, OurReactor)
        reactor.send_message("jobs-indexer.prod", {})
    assert time.monotonic() - began < 5
    over.set()
