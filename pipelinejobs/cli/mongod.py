"""Start or stop the embedded MongoDB, or show whether it runs.

It is used if no database is configured; commands start it when they need it. If serve has started it, it ends with the
last serve; otherwise it runs until it is stopped. The exit code of status is 1 if it is not running.

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
    """Starts, stops or shows the server."""
    # Only this setting is read, so that the server can be stopped even if other settings are wrong.
    server = Mongod(settings.one(DIRECTORY_SETTING, session.environment))
    if options.action == "stop":
        used, stopped = server.is_used(), server.stop()
        lines = ["stopped" if stopped else "it was not running"]
        if stopped and used:
            lines.append("a gateway is using it and answers 503 now: stop the gateway, or start the server again")
        return Output(data={"stopped": stopped, "used": used}, lines=lines)
    running = server.start() if options.action == "start" else server.status()
    if running is None:
        return Output(data={"running": False}, lines=["it is not running"], exit_code=1)
    return Output(
        data={"running": True, "uri": running.uri, "pid": running.pid},
        lines=[f"running at {running.uri} (pid {running.pid})"],
    )
