"""Networks of the tests' own, with names: each host a network namespace, each network a bridge in another one.

Nothing of it can be reached from this machine's own network, nor the other way round. Needs Linux and root.
"""

import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import pytest

_NEW_NETWORK: Final = 0x40000000
_LIBC: Final = ctypes.CDLL(None, use_errno=True)


class Networks:
    """Hosts and what joins them, while it is used as a context manager."""

    def __init__(self, directory: Path) -> None:
        self.hosts_file: Final = directory / "hosts"
        self._prefix = f"pj{os.getpid()}-"
        self._ends = ExitStack()
        self._networks: dict[str, int] = {}
        self._addresses: dict[str, dict[str, str]] = {}

    def __enter__(self) -> "Networks":
        if os.geteuid() != 0 or shutil.which("ip") is None:
            pytest.skip("networks are made by root with the command `ip`: apt-get install iproute2")
        self._write()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.close()

    def namespace(self, name: str) -> str:
        """The network namespace of a host, or of a network's bridge."""
        return self._prefix + name

    def address(self, host: str, network: str) -> str:
        """Where a host is in a network."""
        return self._addresses[host][network]

    def network(self, name: str) -> None:
        """Makes a network; its bridge is its first host, from which tests may call the others."""
        self._networks[name] = len(self._networks)
        self._namespace(name)
        inside = ("-n", self.namespace(name))
        _ip(*inside, "link", "add", "br0", "type", "bridge")
        _ip(*inside, "addr", "add", f"10.231.{self._networks[name]}.1/24", "dev", "br0")
        _ip(*inside, "link", "set", "br0", "up")

    def host(self, name: str, networks: list[str]) -> None:
        """Makes a host in these networks."""
        number = len(self._addresses) + 2
        self._namespace(name)
        self._addresses[name] = {}
        for network in networks:
            here, there = f"eth{self._networks[network]}", f"veth{number}"
            ends = ("peer", "name", there, "netns", self.namespace(network))
            _ip("-n", self.namespace(name), "link", "add", here, "type", "veth", *ends)
            address = f"10.231.{self._networks[network]}.{number}"
            _ip("-n", self.namespace(name), "addr", "add", f"{address}/24", "dev", here)
            _ip("-n", self.namespace(name), "link", "set", here, "up")
            _ip("-n", self.namespace(network), "link", "set", there, "master", "br0", "up")
            self._addresses[name][network] = address
        self._write()

    @contextmanager
    def inside(self, name: str) -> Iterator[None]:
        """This thread, and those that it starts, have the network of this host or bridge."""
        with Path("/proc/thread-self/ns/net").open() as before:
            with Path("/run/netns", self.namespace(name)).open() as there:
                _enter(there.fileno())
            try:
                yield
            finally:
                _enter(before.fileno())

    def _namespace(self, name: str) -> None:
        _ip("netns", "add", self.namespace(name))
        self._ends.callback(_ip, "netns", "del", self.namespace(name))
        _ip("-n", self.namespace(name), "link", "set", "lo", "up")

    def _write(self) -> None:
        lines = ["127.0.0.1 localhost"]
        lines += [f"{address} {host}" for host, found in self._addresses.items() for address in found.values()]
        self.hosts_file.write_text("\n".join(lines) + "\n")


def _ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"ip {' '.join(arguments)}: {done.stderr}"


def _enter(descriptor: int) -> None:
    if _LIBC.setns(descriptor, _NEW_NETWORK) != 0:
        raise OSError(ctypes.get_errno(), "setns")
