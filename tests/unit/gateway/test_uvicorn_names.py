"""The undocumented names of uvicorn that the gateway uses.

When one is gone, its test says which and what it was needed for; then `gateway/http/protocol.py` or `server.py` has to
change before requirements-gateway.txt can allow that version.
"""

import ast
import inspect
import textwrap
from pathlib import Path
from typing import Any, Final

import pytest
import uvicorn
from uvicorn.protocols.http import httptools_impl
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.server import ServerState

from pipelinejobs.gateway import server
from pipelinejobs.gateway.http import protocol

PROTOCOL: Final[dict[str, str]] = {
    "connection_made": "to count connections and to wrap the transport",
    "connection_lost": "to end the requests of a client that has gone",
    "eof_received": "to answer a client that has closed its own direction",
    "shutdown": "to answer a request that is on its way when the server ends",
    "data_received": "to limit the bytes of a header",
    "on_message_begin": "to know that a request has begun",
    "on_header": "to limit the fields of a header",
    "on_headers_complete": "to check a request before the application is called",
    "on_body": "to know that a body arrives",
    "on_message_complete": "to know that a request is complete",
    "on_response_complete": "to send a refusal after the answers before it",
    "pause_writing": "to notice a client that does not read",
    "resume_writing": "to notice a client that reads again",
    "config": "for the time that an idle connection stays open",
    "loop": "to set timers",
    "parser": "to feed it in pieces and to replace it after an Upgrade",
    "url": "to read a request again without its header Upgrade",
    "scope": "to let the application know that the client has gone",
    "headers": "to check and to count the fields of a header",
    "cycle": "to know whether the request that is read has its answer",
    "pipeline": "to drop a request that is refused while it waits",
    "flow": "to read again from a client that lingers",
    "server_state": "for the header fields of every answer",
    "timeout_keep_alive_task": "to replace the timer of idle connections by one that no single byte stops",
}
CYCLE: Final[dict[str, str]] = {
    "response_started": "to refuse no request that is being answered",
    "response_complete": "to know whether a request has its answer",
    "keep_alive": "to close the connection after the last answer",
    "disconnected": "to stop an application whose client has gone",
    "message_event": "to wake an application whose client has gone",
}
FLOW: Final[dict[str, str]] = {
    "resume_reading": "to read on from a client that lingers",
    "read_paused": "to count no time in which the gateway does not read",
}
STATE: Final[dict[str, str]] = {"default_headers": "for the header fields of every answer"}
SERVER: Final[dict[str, str]] = {
    "startup": "to say when requests are served",
    "handle_exit": "to say that the end was asked for",
    "shutdown": "to end the streams of changes",
    "should_exit": "to know whether starting has failed",
}
CLASSES: Final[dict[str, dict[str, str]]] = {
    "HttpToolsProtocol": PROTOCOL,
    "RequestResponseCycle": CYCLE,
    "FlowControl": FLOW,
    "ServerState": STATE,
    "Server": SERVER,
}
HOMES: Final[dict[str, Any]] = {
    "HttpToolsProtocol": httptools_impl,
    "RequestResponseCycle": httptools_impl,
    "FlowControl": inspect.getmodule(FlowControl),
    "ServerState": inspect.getmodule(ServerState),
    "Server": uvicorn,
}


def names_of(one: type) -> set[str]:
    """The methods of a class, and the attributes that it gives its instances."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(one)))
    given = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and _is_name(node.value, "self")}
    return given | set(vars(one))


@pytest.mark.parametrize(("owner", "name"), [(owner, name) for owner, names in CLASSES.items() for name in names])
def test_uvicorn_has_the_name(owner: str, name: str) -> None:
    needed = f"uvicorn {uvicorn.__version__} has no {owner}.{name}, which the gateway needs {CLASSES[owner][name]}"
    assert name in names_of(getattr(HOMES[owner], owner)), needed


def test_the_list_is_complete() -> None:
    """The list above has all names of uvicorn that the protocol uses, and no other."""
    tree = ast.parse(Path(protocol.__file__).read_text("utf-8"))
    (ours,) = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "_Limited"]
    methods = {node.name: node for node in ours.body if isinstance(node, ast.FunctionDef)}
    constants = {ast.unparse(node.target) for node in ours.body if isinstance(node, ast.AnnAssign)}
    own = _attributes(methods["__init__"], "self") | constants | (set(methods) - set(PROTOCOL))
    used = _attributes(tree, "self", "super()") | (set(methods) & names_of(httptools_impl.HttpToolsProtocol))
    assert used - own == set(PROTOCOL)
    assert _attributes(tree, "cycle", "self.cycle", "self._unanswered[0]") == set(CYCLE)
    assert _attributes(tree, "self.flow") == set(FLOW)
    assert _attributes(tree, "self.server_state") == set(STATE)


def test_the_list_of_the_server_is_complete() -> None:
    tree = ast.parse(inspect.getsource(server.GatewayServer))
    methods = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    used = methods | _attributes(tree, "self", "super()")
    assert used - {"__init__", "_parts", "_ready", "_ending"} == set(SERVER)


def _attributes(tree: ast.AST, *owners: str) -> set[str]:
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    return {node.attr for node in nodes if ast.unparse(node.value) in owners}


def _is_name(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name
