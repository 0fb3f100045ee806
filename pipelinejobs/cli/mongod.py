"""Start or stop the embedded MongoDB, or show whether it runs.

It is used where no database is configured, and started when it is needed. One that this command or another one starts
runs until it is stopped; one that `serve` starts ends with the last `serve`. The exit code of status is 1 when it does
not run.

  python -m pipelinejobs mongod stop
"""

import argparse

from pipelinejobs import settings
from pipelinejobs.cli.output import Output
from pipelinejobs.cli.session import Session
from pipelinejobs.mongod import Mongod
from pipelinejobs.mongod.server import DIRECTORY_SETTING


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("action", choices=("start", "stop", "status"), help="what to do")


def run(options: argparse.Namespace, session: Session) -> Output:
    """Does it."""
    # Only this setting is read: the server can be stopped whatever is wrong with the others.
    server = Mongod(settings.one(DIRECTORY_SETTING, session.environment))
    if options.action == "stop":
        used, stopped = server.is_used(), server.stop()
        lines = ["stopped" if stopped else "it was not running"]
        if stopped and used:
            lines.append("a gateway uses it and answers 503 without it: stop the gateway, or start the server again")
        return Output(data={"stopped": stopped, "used": used}, lines=lines)
    running = server.start() if options.action == "start" else server.status()
    if running is None:
        return Output(data={"running": False}, lines=["it is not running"], exit_code=1)
    return Output(
        data={"running": True, "uri": running.uri, "pid": running.pid},
        lines=[f"running at {running.uri} (pid {running.pid})"],
    )
