"""The check of `doctor` whether the gateway could listen at its address on this machine."""

import errno
import socket
from collections.abc import Iterator

from pipelinejobs.cli.doctor_findings import Finding, note, ok
from pipelinejobs.settings.gateway import GatewaySection


def of_port(gateway: GatewaySection) -> Iterator[Finding]:
    """Whether `serve` could listen at its port now.

    At most a note, because the gateway itself may be using the port, or may run on another machine.
    """
    if gateway.port == 0:
        return
    where = f"{gateway.host} port {gateway.port}"
    try:
        found = socket.getaddrinfo(gateway.host, gateway.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, _, _, address = found[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do
            probe.bind(address)
    except OSError as error:
        if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
            foreign = f"{gateway.host} is not an address of this machine, so serve cannot start here"
            yield note("gateway", f"gateway.host: {foreign}")
        else:
            yield note("gateway", f"gateway.port: {_why(where, error)}")
    else:
        yield ok("gateway", f"{where} is free")


def _why(where: str, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"{where} is in use. If the gateway is not running, another program uses it, and serve cannot start"
    return f"serve cannot listen at {where} on this machine: {error.strerror}"
