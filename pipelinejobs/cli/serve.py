"""Serve the gateway, the actor's HTTP interface, until Ctrl-C or SIGTERM.

Before it ends, it finishes the events that it has accepted. With --sample, it makes a sample job and prints commands to
try with it.

  python -m pipelinejobs serve --host 0.0.0.0 --port 8080
"""

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from typing import Any

from pipelinejobs import settings
from pipelinejobs.cli import inputs, progress, sample_job
from pipelinejobs.cli.output import Output
from pipelinejobs.cli.session import Session
from pipelinejobs.gateway.workers import TOGETHER
from pipelinejobs.settings import TABLE
from pipelinejobs.settings.field_types import InvalidValue
from pipelinejobs.util import log
from pipelinejobs.util.errors import WrongSetting


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("--host", type=inputs.line, help="the address to listen at (default: gateway.host)")
    parser.add_argument("--port", help="the port; 0: any free port (default: gateway.port)")
    parser.add_argument("--worker", "--sibling", type=int, nargs=2, help=argparse.SUPPRESS)  # see gateway.workers
    parser.add_argument("--sample", action="store_true", help="make a job and a nonce, and print commands to try")


def run(options: argparse.Namespace, session: Session) -> Output:
    """Serves until a signal ends it."""
    session.resident = True
    if options.worker is not None or not (options.sample or sys.stderr.isatty()):
        session.progress = progress.silent()
    configured = session.settings
    several = configured.gateway.processes > 1
    with _counting_together() if several and options.worker is None else nullcontext():
        return _serve(options, session, configured.gateway.processes - 1)


def _serve(options: argparse.Namespace, session: Session, others: int) -> Output:
    with session.progress.step("Loading the gateway"):  # only here, because an actor does not install its libraries
        from pipelinejobs.gateway import metrics, server, workers
        from pipelinejobs.gateway.http import descriptors, systemd
        from pipelinejobs.gateway.parts import GatewayParts

    configured = session.settings
    section = configured.gateway._replace(
        host=_option("gateway.host", options.host, configured.gateway.host),
        port=_option("gateway.port", options.port, configured.gateway.port),
    )
    first = options.worker is None
    listening = server.listen(section) if first else workers.joined(*options.worker)
    with ExitStack() as ends:
        ends.callback(listening.close)
        log.configure(configured.logs.level, settings.secrets(configured))
        for remark in session.remarks if first else ():
            log.logger.log(remark.level, remark.text)
        descriptors.allow(section.connections)
        address = server.address(section, listening)
        services = session.services
        ends.callback(services.leave)
        gateway = GatewayParts(services._replace(settings=configured._replace(gateway=section)))
        with session.progress.step("Making the indexes"):
            gateway.start()
        sample_lines = []
        if options.sample:
            with session.progress.step("Making a sample job"):
                sample_lines = sample_job.lines(session, address)

        def ready() -> None:
            if first:
                systemd.notify_ready()
                _print(f"The gateway serves at {address}", *sample_lines)

        if first and others:
            family = workers.Workers(others, listening, metrics.of_ended_process)
            ends.callback(family.close, configured.limits.drain)
            server.serve(gateway, listening, ready, family.end)
        else:
            server.serve(gateway, listening, ready)
            if not first and workers.is_orphan():
                shutil.rmtree(os.environ[TOGETHER], ignore_errors=True)  # the first process was killed
    return Output(data={"address": address}, lines=["stopped"] if first else [])


@contextmanager
def _counting_together() -> Iterator[None]:
    """The directory in which all processes of this gateway count; made before the metrics are imported."""
    with tempfile.TemporaryDirectory(prefix="pipelinejobs-counters-") as directory:
        os.environ[TOGETHER] = directory
        yield


def _option(name: str, text: str | None, configured: Any) -> Any:
    """The value of an option, checked like its setting; without the option, the configured value."""
    if text is None:
        return configured
    try:
        return TABLE[name].field_type.parse(text)
    except InvalidValue as invalid:
        raise WrongSetting(name, str(invalid)) from None


def _print(*lines: str) -> None:
    try:
        print("\n".join(lines), flush=True, file=sys.stdout)
    except OSError as error:  # a full disk or a closed pipe must not keep the gateway from serving
        log.logger.warning(lines[0], extra={"fields": {"why": f"stdout cannot be written: {error.strerror}"}})
