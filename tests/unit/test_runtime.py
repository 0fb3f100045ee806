"""The container that a message runs in: its environment, its context, and a Reactor for it."""

import io
import logging
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import pytest

from pipelinejobs import runtime
from pipelinejobs.messages import parameters
from pipelinejobs.runtime import Context, OurReactor, Reactor, SdkReactor
from support.sdk import SDK

pytestmark = [  # agavepy's constructor, which every kind of SDK calls, leaves this file open
    pytest.mark.filterwarnings("ignore:.*resource_exceptions.json:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:.*resource_exceptions.json:pytest.PytestUnraisableExceptionWarning"),
]

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


class RecordedEnvironment(dict[str, str]):
    """An environment that records which names are read."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.names: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        self.names.add(name)
        return super().get(name, default)

    def __getitem__(self, name: str) -> str:
        self.names.add(name)
        return super().__getitem__(name)


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


@pytest.mark.promise("S13")
def test_only_abaco_names_the_sender() -> None:
    """Abaco writes its own names last; the caller chooses all other names of the environment."""
    environ = RecordedEnvironment()
    runtime.context(environ)
    assert {name for name in environ.names if not name.startswith("_abaco_")} == {"MSG", "LOCALONLY"}
    claimed = {name: "sd2eadm" for name in environ.names if name != "_abaco_username"}
    assert runtime.context(claimed).username is None
    assert runtime.context({**claimed, "_abaco_username": "jdoe"}).username == "jdoe"


@pytest.mark.promise("S15")
def test_a_context_shows_no_secret() -> None:
    context = runtime.context(ABACO | {"token": CANARY, "x-nonce": CANARY, "MSG": CANARY})
    assert CANARY not in repr(context)
    assert "jdoe" in repr(context)


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The environment of the process, which the SDK reads by itself, is that of an actor; no name can be looked up."""

    def nowhere(*_: object, **__: object) -> None:
        raise socket.gaierror

    for name in os.environ:
        if name not in ("PATH", "TMPDIR"):
            monkeypatch.delenv(name)
    for name, value in {**ABACO, "HOME": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(socket, "getaddrinfo", nowhere)  # the SDK asks a server on the internet for our address


@pytest.fixture
def sdk(monkeypatch: pytest.MonkeyPatch, process: None) -> Iterator[Any]:
    """The stand-in for the SDK, installed: its module `reactors.runtime`."""
    hidden = {name: sys.modules.pop(name) for name in tuple(sys.modules) if name.partition(".")[0] == "reactors"}
    monkeypatch.syspath_prepend(str(SDK))
    yield import_module("reactors.runtime")
    del sys.modules["reactors"], sys.modules["reactors.runtime"]
    sys.modules.update(hidden)


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
    else:
        request.getfixturevalue("process")

    request.getfixturevalue("monkeypatch").setattr(runtime, "_SDK_SECONDS", 120.0)  # the machine may be busy

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


def test_the_sdk_logs_as_we_do(sdk: Any, logger: logging.Logger, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []

    def make(self: Any) -> None:
        made.append(self)
        self.uid = "G1p783PxpalBB"

    monkeypatch.setattr(sdk.Reactor, "__init__", make)
    reactor: Any = runtime.reactor(ABACO, logger)
    assert reactor.logger is logger
    assert made == [], "it is not made before one of its names is used"
    assert (reactor.uid, reactor.uid) == ("G1p783PxpalBB", "G1p783PxpalBB")
    assert [one.logger for one in made] == [logger]


def test_a_name_that_neither_has(sdk: Any, logger: logging.Logger) -> None:
    reactor: Any = runtime.reactor(ABACO, logger)
    for name in ("no_such_name", "_private"):
        with pytest.raises(AttributeError, match=name):
            getattr(reactor, name)


def test_without_the_sdk_ours_is_used(logger: logging.Logger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "has_sdk", lambda: False)
    assert type(runtime.reactor(ABACO, logger)) is OurReactor


def assert_unusable(logger: logging.Logger) -> None:
    """Our names work all the same; one of the SDK's says why it does not."""
    reactor: Any = runtime.reactor(ABACO, logger)
    with pytest.raises(RuntimeError, match="the Reactors SDK is not usable here"):
        assert reactor.uid
    with pytest.raises(SystemExit) as ended:
        reactor.on_failure("wrong", 65)
    assert ended.value.code == 65


def test_an_sdk_that_cannot_be_imported(logger: logging.Logger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "reactors", None)
    monkeypatch.setattr(runtime, "has_sdk", lambda: True)
    assert_unusable(logger)


@pytest.mark.parametrize("kind", [ImportError, AttributeError, OSError, SystemExit])
def test_an_sdk_that_does_not_start_harms_nothing(
    sdk: Any, logger: logging.Logger, stream: io.StringIO, kind: type[BaseException]
) -> None:
    def fail() -> None:
        raise kind(CANARY)

    sdk.constructs = fail
    assert_unusable(logger)
    assert "WARNING the Reactors SDK is not usable here" in stream.getvalue()
    assert CANARY not in stream.getvalue()


def test_an_sdk_that_hangs_harms_nothing(sdk: Any, logger: logging.Logger, monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    monkeypatch.setattr(runtime, "_SDK_SECONDS", 0.2)
    sdk.constructs = lambda: over.wait(30)
    assert_unusable(logger)
    over.set()
