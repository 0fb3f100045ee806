"""Builds what a Dockerfile says, and runs it, without a Docker engine: each step in a clean Debian of its own.

The base is made by debootstrap, with Debian's Python 3.11 in place of the image python:3.11-slim. Each COPY and RUN is
a layer on it (overlayfs), kept in .clean-root under a digest of what made it, as Docker keeps its layers. A container
is a private mount namespace and a chroot; the network is this machine's, or a namespace that is named. Needs Linux and
root.
"""

import fcntl
import os
import shlex
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Final

import pytest

from support.dockerfile import Context, NotUnderstood, stages, variables, words

ROOT: Final = Path(__file__).resolve().parents[2]
KEPT: Final = ROOT / ".clean-root"
BASES: Final = ("python:3.11-slim",)
"""Images that the clean Debian stands for."""

_PACKAGES: Final = "python3,python3-pip,python-is-python3,ca-certificates"
_RECIPE: Final = f"""
debootstrap --variant=minbase --include={_PACKAGES} bookworm "$1" >"$1.log" 2>&1
# This machine's authorities, for its network may want them; pip as in python:3.11-slim; nothing to carry along.
cp /etc/ssl/certs/ca-certificates.crt "$1/etc/ssl/certs/ca-certificates.crt"
rm -rf "$1"/usr/lib/python3*/EXTERNALLY-MANAGED "$1"/var/cache/apt/* "$1"/var/lib/apt/lists/* "$1"/usr/share/doc/*
touch "$1/etc/hosts" "$1/etc/resolv.conf"
"""
_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_LONG: Final = 6 * 3600.0
_PASSED_ON: Final = ("http_proxy", "https_proxy", "no_proxy")
"""What Docker gives to the steps of a build by itself."""


@dataclass(frozen=True, slots=True)
class Mount:
    """A file or directory of this machine, mounted into a container; read-only unless `writable`."""

    source: Path
    target: str
    writable: bool = False


_NAMES: Final = Mount(Path("/etc/resolv.conf"), "/etc/resolv.conf")


@dataclass(frozen=True, slots=True)
class Image:
    """What was built.

    Attributes:
        layers: the lowest first.
        user: whom its processes run as, by name or number.
    """

    layers: tuple[Path, ...]
    workdir: str = "/"
    user: str = "0"
    environment: Mapping[str, str] = field(default_factory=lambda: {"PATH": _PATH})
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()

    def path(self, inside: str) -> Path:
        """Where a file of the image is kept: in the highest layer that has it."""
        for layer in reversed(self.layers):
            if (layer / inside.lstrip("/")).exists():
                return layer / inside.lstrip("/")
        raise FileNotFoundError(inside)

    def ids(self, user: str) -> tuple[str, str]:
        """The numbers of a user and its group."""
        if ":" in user:
            one, _, other = user.partition(":")
            return one, other
        for line in self.path("/etc/passwd").read_text().splitlines():
            name, _, uid, gid, *_ = line.split(":")
            if user in (name, uid):
                return uid, gid
        raise NotUnderstood(f"there is no user {user} in the image")

    def container(
        self,
        *command: str,
        mounts: Sequence[Mount] = (),
        network: str | None = None,
        user: str | None = None,
        writable: Path | None = None,
    ) -> list[str]:
        """The command that runs a command in a container: nothing of it can be written but /tmp and /run, it has no
        capabilities and gets none. Its process keeps the process id that it is started with.

        Args:
            command: what to run; by default what the image says.
            mounts: further files.
            network: the namespace whose network it has (see `ip netns`); by default this machine's.
            user: instead of the image's.
            writable: the layer that takes what is written, for a step of a build.
        """
        uid, gid = self.ids(user or self.user)
        layers = [*map(str, reversed(self.layers)), "$top/empty"]  # there must be two
        lines = [f"top={shlex.quote(str(KEPT / 'top'))}", "root=$top/root", "mount -t tmpfs tmpfs $top"]
        lines.append("mkdir $root $top/empty")
        if writable is None:
            lines.append(f"mount -t overlay overlay -o lowerdir={':'.join(layers)} $root")
            lines += ["mount -t tmpfs -o mode=1777 tmpfs $root/tmp", "mount -t tmpfs -o mode=755 tmpfs $root/run"]
        else:
            options = f"lowerdir={':'.join(layers)},upperdir={writable}/upper,workdir={writable}/work"
            lines.append(f"mount -t overlay overlay -o {options} $root")
        lines.append("mount -t proc proc $root/proc")
        for mount in mounts:
            lines += _mounting(mount)
        drop = "" if writable else "--no-new-privs --bounding-set=-all --inh-caps=-all --pdeathsig KILL"
        inside = shlex.quote(f'cd {shlex.quote(self.workdir)} && exec "$@"')
        become = f"setpriv {drop} --reuid {uid} --regid {gid} --clear-groups /bin/sh -c {inside} sh"
        lines.append(f'exec {shutil.which("chroot")} $root {become} "$@"')
        outer = [str(shutil.which("nsenter")), f"--net=/run/netns/{network}"] if network else []
        run = command or (*self.entrypoint, *self.command)
        apart = [str(shutil.which("unshare")), "--mount", "--propagation", "private"]
        return [*outer, *apart, "/bin/sh", "-ec", "\n".join(lines), "sh", *run]


def _mounting(mount: Mount) -> list[str]:
    """The lines that put a file or a directory of this machine into a container."""
    target = f"$root{shlex.quote(mount.target)}"
    if mount.source.is_dir():
        made = f"[ -d {target} ] || mkdir -p {target}"
    else:
        made = f'[ -e {target} ] || {{ mkdir -p "$(dirname {target})"; touch {target}; }}'
    lines = [made, f"mount --bind {shlex.quote(str(mount.source))} {target}"]
    return lines if mount.writable else [*lines, f"mount -o remount,bind,ro {target}"]


def build(target: str | None = None, root: Path = ROOT) -> Image:
    """The image of a stage, by default of the last, from the Dockerfile in `root`; what was built before stays.

    Skips the test where nothing can be built, with the reason; fails it there in CI.
    """
    context = Context(root)
    found = stages((root / "Dockerfile").read_text())
    with _locked():
        return _stage(found[target or list(found)[-1]].name, context)


def _stage(name: str, context: Context) -> Image:
    stage = stages((context.root / "Dockerfile").read_text()).get(name)
    if stage is None:
        if name not in BASES:
            raise NotUnderstood(f"FROM {name}: no image is known for it")
        return Image((clean(),))
    image = replace(_stage(stage.base, context), entrypoint=(), command=())
    for word, rest in stage.instructions:
        image = _step(image, context, word, rest)
    return image


def _step(image: Image, context: Context, word: str, rest: str) -> Image:
    if word == "ENV":
        return replace(image, environment={**image.environment, **variables(rest)})
    if word == "USER":
        image.ids(rest)
        return replace(image, user=rest)
    if word == "CMD":
        return replace(image, command=tuple(words(rest)))
    if word == "ENTRYPOINT":
        return replace(image, entrypoint=tuple(words(rest)), command=())
    digest = sha256(
        f"{image.layers[-1].name} {image.user} {image.workdir} {dict(image.environment)} {word} {rest}".encode()
    )
    if word == "WORKDIR":
        image = replace(image, workdir=str(Path(image.workdir, rest)))
    copies = list(context.copied(rest, image.workdir)) if word == "COPY" else []
    for file, place in copies:
        digest.update(f"{place} {file.stat().st_mode:o} {sha256(file.read_bytes()).hexdigest()}\n".encode())
    layer = KEPT / f"layer-{digest.hexdigest()[:16]}"
    if not layer.exists():
        with _new(layer) as upper:
            if word == "RUN":
                _run(image, rest, upper)
            elif word == "WORKDIR":
                Path(f"{upper}{image.workdir}").mkdir(parents=True, exist_ok=True)
            for file, place in copies:
                to = Path(f"{upper}{place}")
                to.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file, to)
    os.utime(layer)
    return replace(image, layers=(*image.layers, layer))


def _run(image: Image, line: str, upper: Path) -> None:
    passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    done = subprocess.run(
        image.container("/bin/sh", "-c", line, writable=upper.parent, mounts=[_NAMES]),
        env={**passed_on, **image.environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, f"RUN {line}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"


def clean() -> Path:
    """The clean Debian."""
    if os.geteuid() != 0:
        _cannot("only root can make a clean root")
    for program in ("debootstrap", "unshare", "chroot", "setpriv"):
        if shutil.which(program) is None:
            _cannot(f"there is no {program} here: apt-get install debootstrap")
    base = KEPT / f"debian-{sha256(_RECIPE.encode()).hexdigest()[:16]}"
    if not base.exists():
        new = KEPT / "new"
        shutil.rmtree(new, ignore_errors=True)
        made = subprocess.run(
            ["/bin/sh", "-ec", _RECIPE, "sh", str(new)], capture_output=True, text=True, check=False, timeout=600
        )
        if made.returncode:
            log = Path(f"{new}.log")
            _cannot(f"debootstrap made no clean root: {made.stderr or log.read_text()[-1000:]}")
        new.rename(base)
    return base


def _cannot(why: str) -> None:
    if os.environ.get("CI"):
        pytest.fail(why)
    pytest.skip(why)


@contextmanager
def _new(layer: Path) -> Iterator[Path]:
    """A directory for what a step writes, which becomes the layer once the step is done."""
    making = KEPT / "making"
    shutil.rmtree(making, ignore_errors=True)
    (making / "upper").mkdir(parents=True)
    (making / "work").mkdir()
    yield making / "upper"
    (making / "upper").rename(layer)
    shutil.rmtree(making)


@contextmanager
def _locked() -> Iterator[None]:
    """One builder at a time; pytest's workers share the layers. Layers that were not used for long are removed."""
    (KEPT / "top").mkdir(parents=True, exist_ok=True)
    with (KEPT / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for layer in KEPT.glob("layer-*"):
            if time.time() - layer.stat().st_mtime > _LONG:
                shutil.rmtree(layer)
        yield
