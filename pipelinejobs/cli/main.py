"""The command line: finds the command, runs it, and prints its output."""

import argparse
import io
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any, Final, NoReturn, TextIO

from pipelinejobs import __version__
from pipelinejobs.cli import (
    admin_token,
    bearer_token,
    create,
    diagram,
    doctor,
    drain,
    explain,
    history,
    jobs,
    mongod,
    nonce,
    pin,
    reconcile,
    send,
    serve,
    show,
    wait,
)
from pipelinejobs.cli.inputs import UsageError
from pipelinejobs.cli.output import Output, printable
from pipelinejobs.cli.session import Session, server_trouble
from pipelinejobs.core.verdict import EXIT_CODES, EXIT_WRONG_SETTING, Verdict
from pipelinejobs.util import redaction
from pipelinejobs.util.errors import Malformed, NotInstalled, PipelineJobsError, Unavailable, WrongSetting
from pipelinejobs.util.installation import INSTALLED, NAME

COMMANDS: Final[dict[str, ModuleType]] = {
    "create": create,
    "send": send,
    "show": show,
    "history": history,
    "explain": explain,
    "jobs": jobs,
    "wait": wait,
    "drain": drain,
    "reconcile": reconcile,
    "serve": serve,
    "nonce": nonce,
    "bearer-token": bearer_token,
    "admin-token": admin_token,
    "pin": pin,
    "diagram": diagram,
    "doctor": doctor,
    "mongod": mongod,
}
"""Each module has a docstring (the help text), `arguments(parser)` and `run(options, session) -> Output`."""

_FORMER: Final = {"bearer": "bearer-token"}
"""Former names of commands; they still work for one release."""

EXIT_FAILED: Final = 1
EXIT_MISUSED: Final = 2
EXIT_INTERRUPTED: Final = 130

_EXIT_CODES: Final = f"""\
exit codes: 0 done; 1 the command failed, or doctor found a problem; 2 wrong arguments;
{EXIT_CODES[Verdict.UNAVAILABLE]} the database cannot be reached, or reconcile got no answer for a job; \
{EXIT_WRONG_SETTING} a setting is wrong.
send exits with the code of the verdict; wait has codes of its own, see its help."""


class _Parser(argparse.ArgumentParser):
    """A parser that reports wrong arguments in one line."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Refuses unknown arguments at once, so that the error names the command and not only the program."""
        found, left_over = super().parse_known_args(args, namespace)
        if left_over:
            self.error(f"unrecognized arguments: {' '.join(left_over)}")
        return found, left_over

    def error(self, message: str) -> NoReturn:
        """Prints the error and ends the process with code 2."""
        _say(
            f"{_name(self.prog)}: {message}; see {self.prog} --help"
        )  # before Python 3.11.4, argparse itself fails on a full disk
        self.exit(EXIT_MISUSED)


def parser() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    whole = _Parser(
        prog="pipelinejobs" if Path(sys.argv[0]).name == "pipelinejobs" else "python -m pipelinejobs",
        description="Commands for operators of a PipelineJobs Manager.\n\nSettings are read from config.yml and the "
        "environment. If no database is configured, the\nembedded MongoDB is started and used.",
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    whole.add_argument("--version", action="version", version=f"{NAME} {__version__}", help="print the version")
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
        the exit code, as in `--help`: 0 done, 1 failed, 2 wrong arguments, 75 the database or a job system cannot be
        reached, 78 a setting is wrong; for `send`, the code of the verdict; for `wait`, see its help.
    """
    try:
        return _run(arguments)
    finally:
        _leave_nothing(sys.stderr)


def _run(arguments: Sequence[str] | None) -> int:
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # the terminal's encoding may lack a character
    typed = list(sys.argv[1:] if arguments is None else arguments)
    options = parser().parse_args([_FORMER.get(word, word) for word in typed[:1]] + typed[1:])
    session = Session()
    try:
        output: Output = COMMANDS[options.command].run(options, session)
        return _printed(output, as_json=options.json)
    except PipelineJobsError as error:
        _say(f"{options.command}: {error.reason}{_hint(error)}")
        return _exit_code(error)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except ModuleNotFoundError as error:
        command = f"pip install '{NAME}[gateway]'" if INSTALLED else "pip install -r requirements-gateway.txt"
        missing = NotInstalled(error, f"install it with `{command}`")
        _say(f"{options.command}: {missing.reason}")
        return EXIT_WRONG_SETTING
    except Exception as error:
        # No traceback: it does not help the operator, and may contain secrets.
        what = redaction.redacted(f"{type(error).__name__}: {error}")
        _say(f"{options.command}: unexpected error; this is a defect: {what}")
        return EXIT_FAILED
    finally:
        session.close()


def _printed(output: Output, *, as_json: bool) -> int:
    """Prints the output, and returns the exit code."""
    try:
        print(output.text(as_json=as_json), flush=True)
    except BrokenPipeError:  # the reader, such as `head`, has ended
        _leave_nothing(sys.stdout)
    except OSError as error:
        _say(f"the result cannot be written: {error.strerror}")
        _leave_nothing(sys.stdout)
        return EXIT_FAILED
    return output.exit_code


def _leave_nothing(stream: TextIO) -> None:
    """If output cannot be written, throws it away, so that Python does not report an error at its end."""
    try:
        stream.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def _say(line: str) -> None:
    with suppress(OSError):  # a full disk must not change what the command does
        print(printable(line), file=sys.stderr, flush=True)


def _hint(error: PipelineJobsError) -> str:
    """Which server was not reached, and what checks the rest."""
    is_of_server = type(error.__cause__).__name__ == "ServerSelectionTimeoutError"  # which is not imported for this
    return f"{server_trouble(error)}; `doctor` checks settings and server" if is_of_server else ""


def _name(prog: str) -> str:
    return prog.rpartition(" ")[2]


def _exit_code(error: PipelineJobsError) -> int:
    if isinstance(error, UsageError):
        return EXIT_MISUSED
    if isinstance(error, WrongSetting):
        return EXIT_WRONG_SETTING
    if isinstance(error, Unavailable):
        return EXIT_CODES[Verdict.UNAVAILABLE]
    if isinstance(error, Malformed):
        return EXIT_CODES[Verdict.MALFORMED]
    return EXIT_FAILED
