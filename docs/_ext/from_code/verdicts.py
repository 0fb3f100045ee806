"""Verdicts, and the numbers that say them."""

import inspect
import re
from typing import Final

from from_code.docstring import attributes
from from_code.rst import definitions, literal, plain, table
from pipelinejobs.cli import main
from pipelinejobs.core.outcome import Outcome
from pipelinejobs.core.verdict import CODES, EXIT_CODES, EXIT_WRONG_SETTING, Verdict

_OF_COMMANDS: Final = {
    0: "done",
    main.EXIT_FAILED: "the command cannot do what it was asked, or ``doctor`` found something wrong",
    main.EXIT_MISUSED: "wrong arguments",
    EXIT_CODES[Verdict.MALFORMED]: "a message or a value given to the command cannot be read",
    EXIT_CODES[Verdict.UNAVAILABLE]: "the database cannot be asked",
    EXIT_WRONG_SETTING: "a setting is wrong",
    main.EXIT_INTERRUPTED: "it was interrupted",
}


def table_rows() -> list[tuple[str, str, str, str]]:
    """Name, exit code, HTTP status and meaning of each verdict."""
    meanings = _said_below(Verdict)
    return [
        (literal(one.value), str(CODES[one].exit_code), str(CODES[one].status), plain(meanings[one.name]))
        for one in Verdict
    ]


def table_of_verdicts() -> str:
    """The table of verdicts."""
    return table(("verdict", "exit code", "status", "meaning"), table_rows(), "18 12 10 60")


def of_commands() -> str:
    """What the exit codes of commands say."""
    return table(("exit code", "says"), [(str(code), meaning) for code, meaning in _OF_COMMANDS.items()], "15 85")


def line() -> str:
    """The keys of the verdict line."""
    said = attributes(Outcome)
    keys = Outcome(verdict=Verdict.APPLIED, reason="", execution="").as_dict()
    return definitions((literal(key), plain(said[key].replace("None", "null"))) for key in keys)


def _said_below(cls: type) -> dict[str, str]:
    """The text below each value of an enumeration, by the value's name."""
    found = re.findall(r'^    ([A-Z]+) = .*\n    """((?:.|\n)*?)"""', inspect.getsource(cls), re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in found}
