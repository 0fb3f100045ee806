"""Ports of the loopback address."""

import socket

from pipelinejobs.mongod import host


def test_a_port_is_free_until_a_server_listens(free_port: int) -> None:
    assert host.is_free(free_port)
    assert not host.listens(free_port, 1.0)
    with socket.create_server((host.LOOPBACK, free_port)):
        assert not host.is_free(free_port)
        assert host.listens(free_port, 1.0)
        assert host.free_port() != free_port
