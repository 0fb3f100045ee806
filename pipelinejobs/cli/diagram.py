"""Draw the lifecycle, or one job's path through it, as Mermaid text.

In a path, the steps are numbered and the job's present state is marked.

  python -m pipelinejobs diagram UUID > path.mmd
"""

import argparse

from fsm import diagram
from pipelinejobs.cli import inputs
from pipelinejobs.cli.output import Output
from pipelinejobs.cli.session import Session


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument(
        "uuid", nargs="?", type=inputs.uuid, help="the job's uuid; without it, only the lifecycle is drawn"
    )


def run(options: argparse.Namespace, session: Session) -> Output:
    """Draws the diagram."""
    if options.uuid is None:
        text = diagram.lifecycle()
    else:
        _, entries = session.job(options.uuid)
        text = diagram.path(entry.name for entry in entries)
    return Output(data={"mermaid": text}, lines=text.splitlines())
