"""Finds the command, runs it, and prints what it has to say."""

import argparse
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Final

from pipelinejobs.cli import (
    admin_token,
    create,
    diagram,
    doctor,
    drain,
    explain,
    history,
    jobs,
    mongod,
    pin,
    send,
    show,
)
from pipelinejobs.cli.session import Session
from pipelinejobs.errors import Malformed, PipelineJobsError, Unavailable, WrongSetting
from pipelinejobs.verdict import EXIT_CODES, EXIT_WRONG_SETTING, Verdict

COMMANDS: Final[dict[str, ModuleType]] = {
    "create": create,
    "send": send,
    "show": show,
    "history": history,
    "explain": explain,
    "jobs": jobs,
    "drain": drain,
    "admin-token": admin_token,
    "pin": pin,
    "diagram": diagram,
    "doctor": doctor,
    "mongod": mongod,
}
"""Each module has a docstring (the help text), `arguments(parser)` and `run(options, session) -> Report`."""


def parser() -> argparse.ArgumentParser:
    """The command line, complete."""
    whole = argparse.ArgumentParser(
        prog="python -m pipelinejobs",
        description="Commands for those who operate a PipelineJobs Manager. Settings are read from config.yml and the "
        "environment; with no database configured, a MongoDB of this directory's own is started.",
    )
    commands = whole.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, module in COMMANDS.items():
        summary, _, details = (module.__doc__ or "").strip().partition("\n\n")
        one = commands.add_parser(
            name,
            help=summary.rstrip("."),
            description=f"{summary}\n\n{details}".strip(),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        one.add_argument("--json", action="store_true", help="print JSON instead of text")
        module.arguments(one)
    return whole


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Returns:
        Its exit code: 0 when done; for `send` the verdict's; 1 when the command cannot do what it was asked, 75 when
        the database cannot be asked, 78 when a setting is wrong.
    """
    options = parser().parse_args(arguments)
    session = Session(progress=lambda line: print(line, file=sys.stderr, flush=True))
    try:
        report = COMMANDS[options.command].run(options, session)
    except PipelineJobsError as error:
        print(f"{options.command}: {error.reason}", file=sys.stderr)
        return _exit_code(error)
    except KeyboardInterrupt:
        return 130
    try:
        print(report.text(as_json=options.json))
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        sys.stderr.close()
    exit_code: int = report.exit_code
    return exit_code


def _exit_code(error: PipelineJobsError) -> int:
    if isinstance(error, WrongSetting):
        return EXIT_WRONG_SETTING
    if isinstance(error, Unavailable):
        return EXIT_CODES[Verdict.UNAVAILABLE]
    if isinstance(error, Malformed):
        return EXIT_CODES[Verdict.MALFORMED]
    return 1
