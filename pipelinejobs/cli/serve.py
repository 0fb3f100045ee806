"""Serve the gateway: the actor's HTTP contract, from this process, until Ctrl-C or SIGTERM.

What it has accepted it finishes before it ends. With --sample it prints a job to play with and the commands for it.

  python -m pipelinejobs serve --host 0.0.0.0 --port 8080
"""

import argparse
import dataclasses
import sys
from typing import Any

from pipelinejobs import log, settings
from pipelinejobs.cli import inputs, sample
from pipelinejobs.cli.report import Report
from pipelinejobs.cli.session import Session
from pipelinejobs.errors import CommandFailed, WrongSetting
from pipelinejobs.settings import TABLE
from pipelinejobs.settings.kinds import Unfit


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("--host", type=inputs.line, help="where to listen (default: gateway.host)")
    parser.add_argument("--port", help="the port; 0: any free one (default: gateway.port)")
    parser.add_argument("--sample", action="store_true", help="make a job and a nonce, and print commands to try")


def run(options: argparse.Namespace, session: Session) -> Report:
    """Serves."""
    try:
        from pipelinejobs.gateway import server, service
    except ImportError as error:
        raise CommandFailed(f"the gateway's libraries are not installed ({error}): requirements-gateway.txt") from None

    configured = session.settings
    gateway = dataclasses.replace(
        configured.gateway,
        host=_given("gateway.host", options.host, configured.gateway.host),
        port=_given("gateway.port", options.port, configured.gateway.port),
    )
    listening = server.listen(gateway)
    try:
        log.configure(configured.logs.level, settings.secrets(configured))
        address = server.address(gateway, listening)
        services = session.services
        parts = service.Service(
            dataclasses.replace(services, settings=dataclasses.replace(configured, gateway=gateway))
        )
        parts.start()
        said = sample.lines(session, address) if options.sample else []

        def ready() -> None:
            _print(f"The gateway serves at {address}", *said)

        try:
            server.serve(parts, listening, ready)
        finally:
            if services.started is not None:
                services.started.stop()
    finally:
        listening.close()
    return Report(data={"address": address}, lines=["stopped"])


def _given(name: str, text: str | None, configured: Any) -> Any:
    """What an option says, held to the limits of its setting."""
    if text is None:
        return configured
    try:
        return TABLE[name].kind.parse(text)
    except Unfit as unfit:
        raise WrongSetting(name, str(unfit)) from None


def _print(*lines: str) -> None:
    try:
        print("\n".join(lines), flush=True, file=sys.stdout)
    except OSError as error:  # no room for it, or nobody who reads it, is no reason not to serve
        log.logger.warning(lines[0], extra={"fields": {"why": f"stdout cannot be written: {error.strerror}"}})
