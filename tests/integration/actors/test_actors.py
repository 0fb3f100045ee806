"""A message on its way to another actor, over real sockets, past receivers that misbehave."""

import json
import logging
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from pipelinejobs import actors
from pipelinejobs.actors import AgaveActor, HttpActor
from pipelinejobs.util import http_client
from pipelinejobs.util.errors import Undelivered
from pipelinejobs.util.secret import Secret
from support.server import HOST, RudeServer, Script, answers, says, self_signed, then_drips, then_hangs

MESSAGE: Final = {"uuid": "107b93f3-1eae-5e79-8a18-0a480f8aa3a5", "name": "index", "token": "canary-job-token"}
BODY: Final = {"message": MESSAGE}
KEY: Final = "108b93f3-1eae-5e79-8a18-0a480f8aa3a5"
NONCE: Final = "SD2E_canaryNonce12"
TOKEN: Final = "canary-access-token"
CANARIES: Final = (NONCE, TOKEN, MESSAGE["token"], "x-nonce", "canary")

DEADLINE: Final = 1.0
BOUND: Final = 30.0
"""Seconds in which all but what hangs has an answer, on a machine that is busy too."""
API: Final = "api.example.org"

HEAD: Final = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"

MISBEHAVIOUR: Final[dict[str, tuple[Script, str]]] = {
    "server error": (answers("500 Internal Server Error"), "answered 500 Internal Server Error"),
    "unknown status": (answers("799 Whatever canary"), "answered 799"),
    "refusal that repeats us": (answers("400 canary", f'"{NONCE} {TOKEN}"'.encode()), "answered 400 Bad Request"),
    "early hints only": (says(b"HTTP/1.1 103 Early Hints\r\n\r\n"), "answered 103"),
    "hangs": (then_hangs(), "did not answer in full within 1.0 s"),
    "hangs in the body": (then_hangs(HEAD + b"Content-Length: 9\r\n\r\n{"), "did not answer in full within 1.0 s"),
    "drips the status": (then_drips(b"HTTP/1.1 2", b"0"), "did not answer in full"),
    "drips headers": (then_drips(HEAD, b"X-More: 1\r\n"), "did not answer in full"),
    "drips one header": (then_drips(HEAD + b"X-More: ", b"1"), "did not answer in full"),
    "drips the body": (then_drips(HEAD + b"Content-Length: 90000\r\n\r\n", b"{"), "did not answer in full"),
    "says continue for ever": (then_drips(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), "did not answer in full"),
    "closes at once": (says(), "closed the connection"),
    "closes half-way through the body": (says(HEAD + b"Content-Length: 9\r\n\r\n{"), "closed the connection"),
    "closes in a chunk": (says(HEAD + b"Transfer-Encoding: chunked\r\n\r\n9\r\n{"), "closed the connection"),
    "not HTTP": (says(b"220 canary ESMTP\r\n"), "gave no HTTP answer"),
    "endless header line": (says(HEAD + b"X-Long: " + b"x" * 100_000), "gave no HTTP answer"),
    "many headers": (says(HEAD + b"X-More: 1\r\n" * 1_000), "gave no HTTP answer"),
}


def refused(actor: actors.Actor, deadline: float = DEADLINE, *, ends: bool = True) -> Undelivered:
    """The error of a message that is not delivered, after the checks that hold for all of them."""
    before, began = threads(), time.monotonic()
    with pytest.raises(Undelivered) as caught:
        actor.send(MESSAGE, key=KEY, deadline=deadline)
    assert time.monotonic() - began < BOUND
    if ends:
        wait_for_the_end_of_others(before)
    shown = f"{caught.value} {caught.value!r} {caught.value.reason}"
    assert not [canary for canary in CANARIES if canary in shown]
    assert len(caught.value.reason) < 300
    return caught.value


def deadline_for(reason: str) -> float:
    """A short one where nothing but the deadline ends the attempt."""
    return DEADLINE if "did not answer in full" in reason else BOUND


def threads() -> set[threading.Thread]:
    """The threads of this process, without those of servers."""
    return {thread for thread in threading.enumerate() if thread.name != "rude-server"}


def wait_for_the_end_of_others(before: set[threading.Thread]) -> None:
    """Waits for threads that still send: each ends soon, whatever its server does."""
    end = time.monotonic() + BOUND
    while left := threads() - before:
        assert time.monotonic() < end, left
        time.sleep(0.02)


def http_actor(server: RudeServer) -> HttpActor:
    """The actor behind a server, with a nonce in the URL and a token."""
    return HttpActor(Secret(f"{server.url}/actors/v2/x/messages?x-nonce={NONCE}"), Secret(TOKEN))


@pytest.fixture(autouse=True)
def nothing_leaks(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """No test may leave a canary in a log, at any level, nor on the terminal."""
    caplog.set_level(logging.DEBUG)
    yield
    written = [caplog.text, *capfd.readouterr()]
    assert not [canary for canary in CANARIES if any(canary in text for text in written)]


@pytest.fixture(autouse=True)
def no_thread_stays() -> Iterator[None]:
    """Afterwards the threads that sent are gone."""
    before = threads()
    yield
    wait_for_the_end_of_others(before)


def resolves(monkeypatch: pytest.MonkeyPatch, *found: str) -> list[str]:
    """Makes every host name resolve to these addresses, and gives the list of names that were looked up."""
    asked: list[str] = []
    real = socket.getaddrinfo

    def getaddrinfo(host: str, port: int, *arguments: Any, **options: Any) -> Any:
        if host in (*found, HOST):
            return real(host, port, *arguments, **options)
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


@contextmanager
def black_hole(host: str, port: int) -> Iterator[int]:
    """Gives a port that does not answer connection attempts."""
    with socket.create_server((host, port), backlog=0) as full, socket.socket() as first, socket.socket() as second:
        for filler in (first, second):  # takes a place in the queue, of which there are not more
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        yield full.getsockname()[1]


def connects_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keeps a test from reaching a real metadata service, should the code fail."""

    def connect(*_: object, **__: object) -> socket.socket:
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", connect)


def test_a_message_arrives_as_it_was_sent() -> None:
    with RudeServer(answers()) as server:
        http_actor(server).send(MESSAGE, key=KEY, deadline=BOUND)
    (request,) = server.requests
    assert (request.method, request.target) == ("POST", f"/actors/v2/x/messages?x-nonce={NONCE}")
    assert json.loads(request.body) == BODY
    assert request.headers["content-type"] == "application/json"
    assert request.headers["idempotency-key"] == KEY
    assert request.headers["authorization"] == f"Bearer {TOKEN}"
    assert request.headers["host"] == f"{HOST}:{server.port}"


@pytest.mark.parametrize("path", ["/a%20b/../c;d?x=%7b&&y=1+2&x=%zz", "", "?only=query"])
def test_a_url_is_used_as_it_is(path: str) -> None:
    with RudeServer(answers()) as server:
        HttpActor(Secret(f"{server.url}{path}#fragment")).send(MESSAGE, key=KEY, deadline=BOUND)
    assert server.requests[0].target == (path if path.startswith("/") else f"/{path}")
    assert "authorization" not in server.requests[0].headers


def test_a_password_in_the_url_goes_out_as_basic_credentials() -> None:
    with RudeServer(answers("500 Error")) as server:
        error = refused(HttpActor(Secret(f"http://ind%40exer:canary%2F1@{HOST}:{server.port}/")))
    assert server.requests[0].headers["authorization"] == "Basic aW5kQGV4ZXI6Y2FuYXJ5LzE="
    assert error.reason.startswith(f"{HOST}:{server.port} answered")


@pytest.mark.parametrize("status", ["200 OK", "201 Created", "202 Accepted", "204 No Content"])
def test_every_2xx_is_a_success(status: str) -> None:
    with RudeServer(answers(status, b"" if status.startswith("204") else b"not even JSON")) as server:
        http_actor(server).send(MESSAGE, key=KEY, deadline=BOUND)


@pytest.mark.promise("F9")
def test_of_ten_megabytes_only_the_beginning_is_read() -> None:
    sent = []

    def script(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(HEAD + b"Content-Length: 10000000\r\n\r\n")
        for _ in range(100):
            connection.sendall(b"x" * 100_000)
            sent.append(100_000)

    with RudeServer(script) as server:
        http_actor(server).send(MESSAGE, key=KEY, deadline=BOUND)
    assert sum(sent) < 10_000_000


@pytest.mark.promise("F9", "S15")
@pytest.mark.parametrize("name", MISBEHAVIOUR)
def test_a_receiver_that_misbehaves(name: str) -> None:
    script, reason = MISBEHAVIOUR[name]
    with RudeServer(script) as server:
        error = refused(http_actor(server), deadline_for(reason))
        assert len(server.requests) == 1, "the message is sent once"
    assert reason in error.reason
    assert error.retry_after is None


@pytest.mark.promise("F9")
@pytest.mark.parametrize(
    ("status", "header", "seconds"),
    [
        ("429 Too Many Requests", "7", 7),
        ("503 Service Unavailable", "120", 120),
        ("503 Service Unavailable", "soon", None),
        ("500 Internal Server Error", "7", None),
    ],
)
def test_a_receiver_that_asks_to_wait(status: str, header: str, seconds: float | None) -> None:
    with RudeServer(answers(status, Retry_After=header)) as server:
        assert refused(http_actor(server)).retry_after == seconds


@pytest.mark.promise("F9", "S16")
@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    with RudeServer(answers()) as elsewhere, RudeServer(answers(f"{status} Go", Location=elsewhere.url)) as server:
        error = refused(http_actor(server))
    assert f"answered {status}" in error.reason
    assert "redirects are not followed" in error.reason
    assert elsewhere.requests == []


@pytest.mark.promise("S13")
def test_no_proxy_and_no_password_file_is_taken_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".netrc").write_text(f"machine {HOST} login netrc password netrc\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    with RudeServer(answers()) as proxy, RudeServer(answers()) as server:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        HttpActor(Secret(server.url)).send(MESSAGE, key=KEY, deadline=BOUND)
    assert proxy.requests == []
    assert "authorization" not in server.requests[0].headers


@pytest.mark.promise("F9")
def test_nobody_listens(free_port: int) -> None:
    error = refused(HttpActor(Secret(f"http://{HOST}:{free_port}/?x-nonce={NONCE}")))
    assert error.reason == f"nothing answers at {HOST}:{free_port}"


@pytest.mark.promise("F9")
def test_a_black_hole() -> None:
    with black_hole(HOST, 0) as port:
        error = refused(HttpActor(Secret(f"http://{HOST}:{port}/?x-nonce={NONCE}")))
    assert "did not answer in full" in error.reason


@pytest.mark.promise("F9")
@pytest.mark.parametrize("host", ["no-such-host.invalid", "a..b", "x" * 64, "x." * 200])
def test_a_name_that_does_not_resolve(host: str) -> None:
    refused(HttpActor(Secret(f"http://{host}/?x-nonce={NONCE}")))


@pytest.mark.promise("F9")
def test_after_a_resolver_that_hangs_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = threading.Event()

    def resolve(host: str, port: int) -> list[str]:
        answer.wait(30)
        return [HOST]

    monkeypatch.setattr(http_client, "resolve", resolve)
    with RudeServer(answers()) as server:
        error = refused(http_actor(server), 0.2, ends=False)
        answer.set()
        time.sleep(0.3)
    assert "did not answer" in error.reason
    assert server.requests == [], "the caller has given up waiting, and will send the message again"


def test_without_time_nothing_is_sent() -> None:
    with RudeServer(answers()) as server:
        refused(http_actor(server), 0.0)
        time.sleep(0.1)
    assert server.requests == []


@pytest.mark.promise("S16")
@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd?canary",
        "ftp://canary.example.org/",
        "gopher://canary:70/",
        "unix:/canary",
        "//canary/",
        "canary",
        "",
        "http:///canary",
        "http://[::1/canary",
        "http://h:99999/canary",
        "http://h:port/canary",
        "http://h/canary canary",
        "http://h/canary\r\nX: y",
        "http://h/c\u00e4n\u00e4ry",
    ],
)
def test_a_url_that_is_none_of_ours(url: str) -> None:
    assert "URL" in refused(HttpActor(Secret(url))).reason


@pytest.mark.promise("S16")
@pytest.mark.parametrize("host", ["169.254.169.254", "2852039166", "[fe80::1]", "[::ffff:169.254.169.254]"])
def test_link_local_addresses_are_refused(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    connects_nowhere(monkeypatch)
    assert "link-local" in refused(HttpActor(Secret(f"http://{host}/latest/meta-data?{NONCE}"))).reason


@pytest.mark.promise("S16")
def test_a_name_that_leads_to_a_link_local_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    resolves(monkeypatch, HOST, "169.254.169.254")
    connects_nowhere(monkeypatch)
    with RudeServer(answers()) as server:
        error = refused(HttpActor(Secret(f"http://indexer.example.org:{server.port}/")))
    assert "link-local" in error.reason
    assert server.requests == []


@pytest.mark.promise("S16")
def test_a_name_is_looked_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = resolves(monkeypatch, HOST)
    with RudeServer(answers()) as server:
        HttpActor(Secret(f"http://indexer.example.org:{server.port}/")).send(MESSAGE, key=KEY, deadline=BOUND)
    assert asked == ["indexer.example.org"]
    assert server.requests[0].headers["host"] == f"indexer.example.org:{server.port}"


def test_the_next_address_is_tried_when_one_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    resolves(monkeypatch, "127.0.0.2", HOST)  # the server listens on the second alone
    with RudeServer(answers()) as server:
        HttpActor(Secret(f"http://indexer.example.org:{server.port}/")).send(MESSAGE, key=KEY, deadline=BOUND)
    assert len(server.requests) == 1


def test_an_address_that_leads_nowhere_leaves_time_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    resolves(monkeypatch, "127.0.0.2", HOST)
    with RudeServer(answers()) as server, black_hole("127.0.0.2", server.port):
        HttpActor(Secret(f"http://indexer.example.org:{server.port}/")).send(MESSAGE, key=KEY, deadline=4 * DEADLINE)
    assert len(server.requests) == 1


class TestTls:
    """https, with a certificate made for the test."""

    pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="the command openssl is not installed")

    @pytest.fixture
    def server(self, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RudeServer]:
        """A server that shows a certificate for api.example.org. Its script may come as a parameter."""
        self.certificate, tls = self_signed(tmp_path, API)
        with RudeServer(getattr(request, "param", answers()), tls) as server:
            yield server

    @pytest.fixture
    def trusted(self, server: RudeServer, monkeypatch: pytest.MonkeyPatch) -> None:
        """The system trusts that certificate."""
        monkeypatch.setenv("SSL_CERT_FILE", str(self.certificate))

    @pytest.fixture
    def api(self, server: RudeServer, trusted: None, monkeypatch: pytest.MonkeyPatch) -> None:
        """Connections to api.example.org, port 443, come to the server."""
        resolves(monkeypatch, HOST)
        real = socket.create_connection

        def connect(address: tuple[str, int], timeout: float) -> socket.socket:
            assert address == (HOST, 443)
            return real((HOST, server.port), timeout)

        monkeypatch.setattr(socket, "create_connection", connect)

    def actor(self, nonce: str | None = NONCE, token: str | None = TOKEN, **provenance: str) -> AgaveActor:
        """The Indexer, by way of agavepy."""
        actor = actors.on_abaco(
            "jobs-indexer.prod",
            api_server=f"https://{API}",
            nonce=Secret(nonce) if nonce is not None else None,
            access_token=Secret(token) if token is not None else None,
            provenance=provenance,
        )
        assert isinstance(actor, AgaveActor)
        return actor

    @pytest.mark.promise("F9")
    def test_an_unknown_certificate_is_refused(self, server: RudeServer) -> None:
        assert "certificate" in refused(http_actor(server)).reason
        assert server.requests == []

    def test_a_known_certificate_is_good(self, server: RudeServer, trusted: None) -> None:
        http_actor(server).send(MESSAGE, key=KEY, deadline=BOUND)
        assert json.loads(server.requests[0].body) == BODY

    def test_another_ones_certificate_is_refused(
        self, server: RudeServer, trusted: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        resolves(monkeypatch, HOST)
        error = refused(HttpActor(Secret(f"https://other.example.org:{server.port}/?x-nonce={NONCE}")))
        assert "certificate" in error.reason
        assert server.requests == []

    @pytest.mark.promise("F9")
    def test_a_server_without_tls(self) -> None:
        def noise(connection: socket.socket, over: threading.Event) -> None:
            connection.sendall(b"220 hello\r\n")

        with RudeServer(noise) as plain, socket.create_server((HOST, 0)) as silent:
            refused(HttpActor(Secret(f"https://{HOST}:{plain.port}/?x-nonce={NONCE}")))
            error = refused(HttpActor(Secret(f"https://{HOST}:{silent.getsockname()[1]}/?x-nonce={NONCE}")))
        assert "did not answer in full" in error.reason

    @pytest.mark.parametrize(
        ("nonce", "token"), [(NONCE, None), (None, TOKEN), (NONCE, TOKEN)], ids=["nonce", "token", "both"]
    )
    def test_agavepy_makes_the_request(
        self, server: RudeServer, api: None, nonce: str | None, token: str | None
    ) -> None:
        self.actor(nonce, token, x_src_actor_id="G1p783PxpalBB").send(MESSAGE, key=KEY, deadline=BOUND)
        (request,) = server.requests
        assert (request.method, request.path) == ("POST", "/actors/v2/jobs-indexer.prod/messages")
        assert request.query["x_event_id"] == [KEY]
        assert request.query["x_src_actor_id"] == ["G1p783PxpalBB"]
        assert request.query.get("x-nonce") == ([nonce] if nonce else None)
        assert request.headers.get("authorization") == (f"Bearer {token}" if token else None)
        assert request.headers["idempotency-key"] == KEY
        assert request.headers["content-type"] == "application/json"
        assert request.headers["host"] == API
        assert json.loads(request.body) == BODY

    def test_a_second_message_uses_the_same_client(self, server: RudeServer, api: None) -> None:
        actor = self.actor()
        for key in ("first", "second"):
            actor.send(MESSAGE, key=key, deadline=BOUND)
        assert [request.query["x_event_id"] for request in server.requests] == [["first"], ["second"]]

    def test_what_the_answer_says_does_not_matter(self, tmp_path: Path, server: RudeServer, api: None) -> None:
        """A 2xx is a success even where agavepy could not read it: the message was taken."""
        server._script = answers("200 OK", b"<html>")
        self.actor().send(MESSAGE, key=KEY, deadline=BOUND)

    @pytest.mark.promise("F9", "S15")
    @pytest.mark.parametrize(
        ("server", "reason"),
        [pytest.param(*case, id=name) for name, case in MISBEHAVIOUR.items()],
        indirect=["server"],
    )
    def test_a_receiver_that_misbehaves(self, server: RudeServer, api: None, reason: str) -> None:
        actor = self.actor()
        actor._connected(API)  # it takes a while to make agavepy's client; that is not what is timed here
        assert reason in refused(actor, deadline_for(reason)).reason
        assert len(server.requests) == 1, "the message is sent once"

    @pytest.mark.promise("F9")
    @pytest.mark.parametrize("server", [answers("429 Too Many", Retry_After="9")], indirect=True)
    def test_a_receiver_that_asks_to_wait(self, server: RudeServer, api: None) -> None:
        assert refused(self.actor(), BOUND).retry_after == 9

    @pytest.mark.parametrize(
        "server",
        [answers("401 Unauthorized", b'{"fault": {"message": "Invalid Credentials"}}')],
        indirect=True,
    )
    def test_a_token_that_has_expired_is_not_refreshed(self, server: RudeServer, api: None) -> None:
        assert "answered 401" in refused(self.actor(), BOUND).reason
        assert len(server.requests) == 1

    @pytest.mark.promise("S13")
    def test_no_password_file_replaces_the_token(
        self, server: RudeServer, api: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        (tmp_path / ".netrc").write_text(f"machine {API} login netrc password netrc\n")
        monkeypatch.setenv("HOME", str(tmp_path))
        self.actor().send(MESSAGE, key=KEY, deadline=BOUND)
        assert server.requests[0].headers["authorization"] == f"Bearer {TOKEN}"

    @pytest.mark.promise("S16")
    def test_link_local_addresses_are_refused(self, api: None, monkeypatch: pytest.MonkeyPatch) -> None:
        resolves(monkeypatch, "169.254.169.254")
        connects_nowhere(monkeypatch)
        assert "link-local" in refused(self.actor(), BOUND).reason


@pytest.mark.parametrize(
    ("api_server", "token", "kind"),
    [
        ("https://api.sd2e.org", None, AgaveActor),
        ("https://api.sd2e.org", TOKEN, AgaveActor),
        ("https://API.sd2e.org/", TOKEN, AgaveActor),
        ("https://api.sd2e.org:8443", None, AgaveActor),
        ("https://api.sd2e.org:8443", TOKEN, HttpActor),
        ("https://api.sd2e.org:443", TOKEN, HttpActor),
        ("http://api.sd2e.org", None, HttpActor),
        ("api.sd2e.org", TOKEN, HttpActor),
        ("http://[", TOKEN, HttpActor),
    ],
)
def test_agavepy_is_used_where_it_can_be(api_server: str, token: str | None, kind: type) -> None:
    access_token = Secret(token) if token is not None else None
    actor = actors.on_abaco("x", api_server=api_server, nonce=None, access_token=access_token, provenance={})
    assert isinstance(actor, kind)


def test_abaco_over_plain_http() -> None:
    with RudeServer(answers()) as server:
        actors.on_abaco(
            "an/alias?",
            api_server=f"{server.url}/",
            nonce=Secret("SD2E_a b&c"),
            access_token=Secret(TOKEN),
            provenance={"x_src_actor_id": "G1p783PxpalBB"},
        ).send(MESSAGE, key=KEY, deadline=BOUND)
    (request,) = server.requests
    assert request.path == "/actors/v2/an%2Falias%3F/messages"
    assert request.query == {"x-nonce": ["SD2E_a b&c"], "x_src_actor_id": ["G1p783PxpalBB"]}
    assert request.headers["authorization"] == f"Bearer {TOKEN}"


def test_a_url_of_the_settings() -> None:
    with RudeServer(answers()) as server:
        actors.at_url(Secret(f"{server.url}/hook")).send(MESSAGE, key=KEY, deadline=BOUND)
    assert server.requests[0].target == "/hook"


@pytest.mark.parametrize(
    ("api_server", "actor_id", "nonce", "reason"),
    [
        (f"https://{API}", "jobs-indexer.prod", None, "pipelines.job_indexer_nonce"),
        (f"http://{API}", "jobs-indexer.prod", NONCE, "agavepy needs https"),
        (f"https://{API}", "../../meta/v2/data", NONCE, "neither an id nor an alias"),
        ("https://", "jobs-indexer.prod", NONCE, "has no usable host"),
    ],
)
def test_what_agavepy_is_not_asked(api_server: str, actor_id: str, nonce: str | None, reason: str) -> None:
    secret = Secret(nonce) if nonce is not None else None
    assert reason in refused(AgaveActor(api_server, actor_id, nonce=secret, token=None, provenance={})).reason


def test_agavepy_leaves_no_trace_in_the_process() -> None:
    code = """
import logging, sys, warnings
logging.basicConfig(level=logging.DEBUG)
before, filters = list(sys.path), list(warnings.filters)
from pipelinejobs.actors import AgaveActor
from pipelinejobs.util.errors import Undelivered
from pipelinejobs.util.secret import Secret
assert not {"agavepy", "requests", "urllib3"} & set(sys.modules), "they are loaded when they are needed"
try:
    actor = AgaveActor("https://127.0.0.1:1", "x", nonce=Secret("SD2E_canary"), token=None, provenance={})
    actor.send({"token": "canary"}, key="k", deadline=30)
except Undelivered as error:
    assert error.reason == "nothing answers at 127.0.0.1:1", error.reason
assert "agavepy" in sys.modules
assert sys.path == before and warnings.filters == filters
"""
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode == 0, result.stderr
    assert "canary" not in result.stdout + result.stderr
