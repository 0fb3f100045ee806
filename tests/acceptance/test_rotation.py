"""Every secret that can be changed here is changed, while a sender sends all along and none of its messages is refused.

The gateway is restarted as systemd does it, with the socket held outside (`support.supervised`). What is tried is
docs/how-to/rotate-secrets.rst.
"""

import contextlib
import json
import socket
import ssl
import sys
import threading
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from pymongo import MongoClient
from pymongo.errors import OperationFailure

from pipelinejobs.cli import main as cli
from pipelinejobs.mongod import find, host
from support.gateway import ALIAS, eventually
from support.process import StoredJob, admin_token, insert_job
from support.supervised import Supervised, supervised
from support.tls import make
from tools.chaos import process

ROOT = Path(__file__).resolve().parents[2]
ADMIN, FIRST, SECOND = ("admin", "pw-admin"), ("jobs-1", "pw-1"), ("jobs-2", "pw-2")
DATABASE: Final = "rotated"
Client = MongoClient[dict[str, Any]]


@pytest.fixture
def mongodb(tmp_path: Path) -> Iterator[str]:
    """host:port of a server that lets in only those it knows, with an administrator and the gateway's first user."""
    data, port = tmp_path / "data", host.free_port()
    data.mkdir()
    options = ["--auth", "--dbpath", str(data), "--port", str(port), "--bind_ip", host.LOOPBACK, "--nounixsocket"]
    options += ["--wiredTigerCacheSizeGB", "0.25", "--setParameter", "diagnosticDataCollectionEnabled=false"]
    running = process.start([str(find()), *options], tmp_path / "mongod.log")
    address = f"{host.LOOPBACK}:{port}"
    try:
        eventually(lambda: host.listens(port, 1), 60)
        with Client(f"mongodb://{address}/", timeoutMS=30_000) as client:
            client.admin.command("createUser", ADMIN[0], pwd=ADMIN[1], roles=["root"])
        user(address, FIRST)
        yield address
    finally:
        process.kill(running)


def user(address: str, login: tuple[str, str]) -> None:
    """Makes a user of the gateway, as deploy/initiate.py does."""
    with Client(uri(address, ADMIN), timeoutMS=30_000) as administrator:
        roles = [{"role": "readWrite", "db": DATABASE}]
        administrator.admin.command("createUser", login[0], pwd=login[1], roles=roles)


def uri(address: str, login: tuple[str, str]) -> str:
    return f"mongodb://{':'.join(login)}@{address}/?authSource=admin"


class Deployment:
    """The files of a deployment, and the gateway that was started with them."""

    def __init__(self, directory: Path, gateway: Supervised, address: str) -> None:
        self.secrets: dict[str, str] = {
            "_REACTOR_MONGODB_URI": uri(address, FIRST),
            "_REACTOR_MONGODB_DATABASE": DATABASE,
            "_REACTOR_TOKENS_ADMIN_KEY": "key-1" * 8,
            "_REACTOR_TOKENS_ADMIN_SECRET": "secret-1" * 5,
        }
        self.directory = directory
        self.gateway = gateway
        self.file = directory / "secrets.json"
        self.trusted = ssl.create_default_context()
        self.certify()

    def certify(self) -> None:
        """Makes a new certificate. Clients trust it before it is used, as they trust a certificate authority."""
        made = make(self.directory, "127.0.0.1", name=uuid.uuid4().hex)
        self.trusted.load_verify_locations(made.certificate)
        self.certificate = made

    def restart(self, **settings: str) -> None:
        """`systemctl restart`, after settings were changed."""
        self.secrets |= settings
        self.file.write_text(json.dumps(self.secrets))
        if self.gateway.process is not None:
            assert self.gateway.stop() == 0
        tls = {
            "_REACTOR_GATEWAY_TLS_CERTIFICATE": str(self.certificate.certificate),
            "_REACTOR_GATEWAY_TLS_KEY": str(self.certificate.key),
        }
        command = [sys.executable, "-Es", "-m", "pipelinejobs", "serve"]
        self.gateway.start(command, {"PIPELINEJOBS_SECRETS": str(self.file), **tls}, ROOT)

    def ask(self, method: str, path: str, credential: str, body: Any = None, **parameters: str) -> httpx.Response:
        """Sends a request over a new connection."""
        headers = {} if credential.startswith("SD2E_") else {"Authorization": f"Bearer {credential}"}
        nonce = {"x-nonce": credential} if credential.startswith("SD2E_") else {}
        with httpx.Client(verify=self.trusted, timeout=60, trust_env=False) as client:
            url = f"https://127.0.0.1:{self.gateway.port}/actors/v2/{path}"
            return client.request(method, url, json=body, headers=headers, params={**parameters, **nonce})


class Sender:
    """Sends without a pause, in a thread, with the credential of the moment."""

    def __init__(self, deployment: Deployment, job: StoredJob, credential: str) -> None:
        self.credential = credential
        self.answers: Counter[tuple[int, str]] = Counter()
        self.applied = 0
        self._deployment = deployment
        self._job = job
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._send, name="sender")

    def __enter__(self) -> "Sender":
        self._thread.start()
        self.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def wait(self) -> None:
        """Returns when some more have been applied."""
        before = self.applied
        eventually(lambda: self.applied > before + 5, 60)

    def use(self, credential: str) -> None:
        """Uses another credential; returns when the last that was sent with the old one is answered."""
        self.credential = credential
        self.wait()

    def _send(self) -> None:
        while not self._over.is_set():
            event = uuid.uuid4().hex
            # A connection that ends without an answer says nothing: what was sent is sent again, under the same id.
            while not self._over.is_set():
                with contextlib.suppress(httpx.TransportError):
                    answer = self._deployment.ask(
                        "POST", f"{ALIAS}/messages", self.credential, self._job.event("update"), x_event_id=event
                    )
                    verdict = (answer.json().get("result") or {}).get("verdict", answer.json()["message"])
                    self.answers[answer.status_code, verdict] += 1
                    self.applied += answer.status_code == 200
                    break


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Supervised]:
    with supervised(tmp_path) as one:
        yield one


def test_no_sender_is_refused_while_secrets_are_changed(
    tmp_path: Path,
    gateway: Supervised,
    mongodb: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    deployment = Deployment(tmp_path, gateway, mongodb)

    def told(*arguments: str) -> Any:
        """The output of a command for operators."""
        monkeypatch.setenv("PIPELINEJOBS_SECRETS", str(deployment.file))
        assert cli.main([*arguments, "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    deployment.file.write_text(json.dumps(deployment.secrets))
    old, new = (told("bearer-token", "jdoe", "--permission", "UPDATE") for _ in range(2))
    deployment.restart(_REACTOR_GATEWAY_TOKENS=old["setting"])
    with Client(uri(mongodb, FIRST)) as client:
        job = insert_job(client[DATABASE]["jobs"])
        revision = job.stored()["_properties"]["revision"]
        nonce = told("nonce", "add")["id"]
        with Sender(deployment, job, nonce) as sender:
            # A nonce: the new one, then the sender, then the old one goes.
            newer = told("nonce", "add")["id"]
            sender.use(newer)
            told("nonce", "delete", nonce)
            sender.wait()
            assert deployment.ask("GET", f"{ALIAS}/messages", nonce).status_code == 401

            # A static token: both, then the sender, then the new one alone.
            sender.use(old["token"])
            deployment.restart(_REACTOR_GATEWAY_TOKENS=f"{old['setting']},{new['setting']}")
            sender.use(new["token"])
            deployment.restart(_REACTOR_GATEWAY_TOKENS=new["setting"])
            sender.wait()
            assert deployment.ask("GET", f"{ALIAS}/messages", old["token"]).status_code == 401

            # The administrative key: tokens of the old one are nothing afterwards, jobs' own tokens go on.
            before = told("admin-token")["token"]
            deployment.restart(_REACTOR_TOKENS_ADMIN_KEY="key-2" * 8, _REACTOR_TOKENS_ADMIN_SECRET="secret-2" * 5)
            after = told("admin-token")["token"]
            other = insert_job(client[DATABASE]["jobs"])
            for token, status in ((before, 403), (after, 200)):
                reset = {"uuid": other.uuid, "name": "reset", "token": token}
                assert deployment.ask("POST", f"{ALIAS}/messages", new["token"], reset).status_code == status
            assert after == admin_token(key="key-2" * 8, secret="secret-2" * 5)

            # The certificate: new files, then a restart.
            shown = presented(gateway.port)
            deployment.certify()
            deployment.restart()
            sender.wait()
            assert presented(gateway.port) != shown

            # MongoDB's password: another user, then the gateway, then the old user goes.
            user(mongodb, SECOND)
            deployment.restart(_REACTOR_MONGODB_URI=uri(mongodb, SECOND))
            with Client(uri(mongodb, ADMIN)) as administrator:
                administrator.admin.command("dropUser", FIRST[0])
            sender.wait()
            with pytest.raises(OperationFailure), Client(uri(mongodb, FIRST)) as refused:
                refused.admin.command("connectionStatus")

    assert set(sender.answers) <= {(200, "applied"), (200, "duplicate")}, sender.answers
    with Client(uri(mongodb, SECOND)) as client:
        stored = client[DATABASE]["jobs"].find_one({"uuid": job.uuid})
    assert stored is not None
    written = stored["_properties"]["revision"] - revision
    assert written - sender.answers.total() in (0, 1), "each is written once; of the last the answer may not be known"


def presented(port: int) -> bytes:
    """The certificate that the gateway shows."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = socket.create_connection(("127.0.0.1", port), timeout=30)
    with context.wrap_socket(connection) as secured:
        return secured.getpeercert(binary_form=True) or b""
