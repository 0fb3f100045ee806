"""Does what a compose.yaml says, without a Docker engine: the images are built, the commands run, as their users, in
containers and networks of their own.

What it does not know it refuses. The image mongo is stood for by the clean Debian and the mongod of the tests.
"""

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import yaml

from pipelinejobs.mongod import find
from support.dockerfile import NotUnderstood
from support.image import Image, Mount, build, clean
from support.network import Networks

DONE: Final = {
    *("image", "build", "user", "entrypoint", "command", "environment", "secrets", "configs", "volumes"),
    *("tmpfs", "networks", "network_mode", "depends_on", "healthcheck"),
}
"""What is carried out."""
HELD: Final = {"read_only": True, "cap_drop": ["ALL"], "security_opt": ["no-new-privileges:true"]}
"""What every container here is held to, and so must be said of each."""
NOT_TRIED: Final = {"restart", "logging", "stop_grace_period", "ports"}
"""What is Docker's own doing."""
SECONDS: Final = 120.0


def read(file: Path, environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The file, its variables filled in.

    Raises:
        NotUnderstood: a service says something that is neither carried out here nor known to be Docker's own doing.
    """
    said: dict[str, Any] = _filled(yaml.safe_load(file.read_text()), environment or {})
    for name, service in said["services"].items():
        unknown = service.keys() - DONE - HELD.keys() - NOT_TRIED
        if unknown or any(service.get(key) != value for key, value in HELD.items()):
            raise NotUnderstood(f"{name}: {unknown or 'it is not locked down'}")
    return said


def _filled(value: Any, environment: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _filled(each, environment) for key, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, environment) for each in value]
    if not isinstance(value, str):
        return value
    filled = re.sub(r"\$\{(\w+):-([^}]*)\}", lambda found: environment.get(found[1]) or found[2], value)
    if "$" in filled:
        raise NotUnderstood(f"a variable without a default: {value}")
    return filled


@dataclass
class Compose:
    """The running services of a compose file.

    Attributes:
        directory: for volumes and logs.
        secrets: instead of the file's own directory of secrets.
    """

    file: Path
    directory: Path
    secrets: Path
    networks: Networks
    said: dict[str, Any] = field(init=False)
    running: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.said = read(self.file)
        for name in self.said["networks"]:
            self.networks.network(name)
        for name, service in self.said["services"].items():
            if "network_mode" not in service:
                self.networks.host(name, service["networks"])

    def up(self, *names: str) -> None:
        """Starts these services, by default all, when those that they depend on are as they must be; returns when all
        are healthy."""
        for name in names or self.said["services"]:
            for other, wanted in self.said["services"][name].get("depends_on", {}).items():
                if wanted["condition"] == "service_completed_successfully":
                    assert self.running[other].wait(SECONDS) == 0, self.log(other)
                else:
                    self.wait_until_healthy(other)
            self.start(name)
        for name in names or self.said["services"]:
            if "healthcheck" in self.said["services"][name]:
                self.wait_until_healthy(name)

    def start(self, name: str) -> None:
        """Starts one service."""
        with (self.directory / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                self.container(name), env=self.environment(name), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def stop(self, *names: str) -> list[int]:
        """Ends services as Docker does, and gives their exit codes."""
        ended = [self.running.pop(name) for name in names]
        for process in ended:
            process.terminate()
        return [process.wait(SECONDS) for process in ended]

    def kill(self, name: str) -> None:
        """Ends a service at once, as when its machine is lost."""
        process = self.running.pop(name)
        process.kill()
        process.wait(SECONDS)

    def run(self, name: str, *command: str) -> str:
        """What a command prints in a container of a service, as with `docker compose run` or `exec`."""
        done = subprocess.run(
            self.container(name, *command),
            env=self.environment(name),
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def log(self, name: str) -> str:
        """What a service has written."""
        return (self.directory / f"{name}.log").read_text()

    def wait_until_healthy(self, name: str) -> None:
        """Waits until the health check of a service succeeds."""
        kind, *test = self.said["services"][name]["healthcheck"]["test"]
        assert kind == "CMD"
        until = time.monotonic() + SECONDS
        while subprocess.run(
            self.container(name, *test), env=self.environment(name), check=False, capture_output=True
        ).returncode:
            process = self.running[name]
            assert process.poll() is None, f"{name} has ended ({process.returncode}): {self.log(name)[-3000:]}"
            assert time.monotonic() < until, f"{name} does not become healthy: {self.log(name)[-3000:]}"
            time.sleep(0.3)

    def environment(self, name: str) -> dict[str, str]:
        """A service's environment, over its image's."""
        return {**self.image(name).environment, **self.said["services"][name].get("environment", {})}

    def container(self, name: str, *command: str) -> list[str]:
        """The command that runs a service, or another command in its place."""
        service = self.said["services"][name]
        image = self.image(name)
        run = command or (*image.entrypoint, *(service.get("command") or image.command))
        host = service.get("network_mode", f"service:{name}").removeprefix("service:")
        return image.container(
            *run, mounts=self.mounts(name), network=self.networks.namespace(host), user=service.get("user")
        )

    def image(self, name: str) -> Image:
        """What a service runs in."""
        service = self.said["services"][name]
        if "build" in service:
            context = (self.file.parent / service["build"]["context"]).resolve()
            image = build(service["build"]["target"], root=context)
        elif service["image"].startswith("mongo:"):
            image = mongo(self.directory)
        else:
            raise NotUnderstood(f"image: {service['image']}")
        return replace(image, entrypoint=tuple(service.get("entrypoint", image.entrypoint)))

    def mounts(self, name: str) -> list[Mount]:
        """The files of a service."""
        service = self.said["services"][name]
        made = [Mount(self.networks.hosts_file, "/etc/hosts")]
        for secret in service.get("secrets", []):
            file = Path(self.said["secrets"][secret]["file"])
            assert file.parent == Path("secrets"), "secrets are where make_secrets.py makes them"
            made.append(Mount(self.secrets / file.name, f"/run/secrets/{secret}"))
        for config in service.get("configs", []):
            made.append(Mount(self.file.parent / self.said["configs"][config["source"]]["file"], config["target"]))
        for volume in service.get("volumes", []):
            place, target = volume.split(":")
            assert place in self.said["volumes"]
            made.append(Mount(self.volume(place, self.image(name).path(target)), target, writable=True))
        return made

    def volume(self, name: str, inside: Path) -> Path:
        """A named volume; a new one has the owner of the place that it takes in the image."""
        place = self.directory / "volumes" / name
        if not place.exists():
            place.mkdir(parents=True)
            os.chown(place, inside.stat().st_uid, inside.stat().st_gid)
        return place

    def down(self) -> None:
        """Ends everything at once; volumes stay."""
        for process in self.running.values():
            with suppress(ProcessLookupError):
                process.kill()
            process.wait()
        self.running.clear()


def mongo(directory: Path) -> Image:
    """The image mongo, as far as it matters here: its user 999, who owns /data/db, and a mongod."""
    layer = directory / "mongo"
    base = clean()
    binary = find()
    if not layer.exists():
        data = layer / "data" / "db"
        data.mkdir(parents=True)
        os.chown(data, 999, 999)
        libraries = layer / "usr" / "lib" / "x86_64-linux-gnu"
        libraries.mkdir(parents=True)
        (layer / "data" / "configdb").mkdir()
        listed = subprocess.run(["ldd", str(binary)], capture_output=True, text=True, check=True).stdout
        for place in map(Path, re.findall(r"=> (/\S+)", listed)):
            if not (base / "usr" / str(place.resolve()).lstrip("/").removeprefix("usr/")).exists():
                shutil.copy(place.resolve(), libraries / place.name)
        programs = layer / "usr" / "local" / "bin"
        programs.mkdir(parents=True)
        shutil.copy(binary, programs / "mongod")
    return Image((base, layer))


@contextmanager
def composed(file: Path, directory: Path, secrets: Path) -> Iterator[Compose]:
    """The services of a compose file, not started yet; all are ended afterwards."""
    with Networks(directory) as networks:
        compose = Compose(file, directory, secrets, networks)
        try:
            yield compose
        finally:
            compose.down()
