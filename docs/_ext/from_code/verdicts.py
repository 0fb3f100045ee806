"""Verdicts with their exit codes and HTTP statuses."""

from typing import Final

from from_code.docstring import attributes, values
from from_code.rst import definitions, literal, plain, table
from pipelinejobs.cli import main
from pipelinejobs.core.outcome import Outcome
from pipelinejobs.core.verdict import CODES, EXIT_CODES, EXIT_WRONG_SETTING, Verdict

_OF_COMMANDS: Final = {
    0: "done",
    main.EXIT_FAILED: "the command failed, or ``doctor`` found a problem",
    main.EXIT_MISUSED: "wrong arguments",
    EXIT_CODES[Verdict.MALFORMED]: "a message or a value given to the command cannot be read",
    EXIT_CODES[Verdict.UNAVAILABLE]: "the database cannot be reached",
    EXIT_WRONG_SETTING: "a setting is wrong",
    main.EXIT_INTERRUPTED: "the command was interrupted",
}


def table_rows() -> list[tuple[str, str, str, str]]:
    """Name, exit code, HTTP status and meaning of each verdict."""
    meanings = values(Verdict)
    return [
        (literal(one.value), str(CODES[one].exit_code), str(CODES[one].status), plain(meanings[one.name]))
        for one in Verdict
    ]


def table_of_verdicts() -> str:
    """The table of verdicts."""
    return table(("verdict", "exit code", "status", "meaning"), table_rows(), "18 12 10 60")


def of_commands() -> str:
    """The meaning of the commands' exit codes."""
    return table(("exit code", "meaning"), [(str(code), meaning) for code, meaning in _OF_COMMANDS.items()], "15 85")


def line() -> str:
    """The keys of the verdict line."""
    said = attributes(Outcome)
    keys = Outcome(verdict=Verdict.APPLIED, reason="", execution="").as_dict()
    return definitions((literal(key), plain(said[key].replace("None", "null"))) for key in keys)
