"""Start, stop or look at the MongoDB server of this directory.

It is used when no other is configured, started when it is needed, and goes on until it is stopped. The exit code of
status is 1 when it does not run.

  python -m pipelinejobs mongod stop
"""

import argparse

from pipelinejobs import settings
from pipelinejobs.cli.output import Report
from pipelinejobs.cli.session import Session
from pipelinejobs.mongod import Mongod
from pipelinejobs.mongod.server import DIRECTORY_SETTING


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("action", choices=("start", "stop", "status"), help="what to do")


def run(options: argparse.Namespace, session: Session) -> Report:
    """Does it."""
    # Of the settings only the place is needed: the server can be stopped whatever else is wrong.
    server = Mongod(settings.one(DIRECTORY_SETTING, session.environment))
    if options.action == "stop":
        used, stopped = server.is_used(), server.stop()
        lines = ["stopped" if stopped else "it was not running"]
        if stopped and used:
            lines.append("a gateway serves with it, and answers 503 until it is started again: end that, or start this")
        return Report(data={"stopped": stopped, "used": used}, lines=lines)
    running = server.start() if options.action == "start" else server.status()
    if running is None:
        return Report(data={"running": False}, lines=["it is not running"], exit_code=1)
    return Report(
        data={"running": True, "uri": running.uri, "pid": running.pid},
        lines=[f"running at {running.uri} (pid {running.pid})"],
    )
