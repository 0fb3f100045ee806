"""Every command and option, from the argparse parsers of the command line.

Why not sphinx-argparse (0.6.1): it parses the help text as reStructuredText, so that the examples lose their
backslashes and line ends (`\\.csv$` becomes `.csv$`) and are not code blocks; it leaves out the names of the options'
values (`--data`, not `--data JSON`); and it adds "Default: False" or "Default: []" to most options.
"""

import argparse
from collections.abc import Iterator

from from_code.rst import code, literal, plain, section, table
from pipelinejobs.cli.main import COMMANDS, parser


def page() -> str:
    """A section for each command, with a subsection for each of its actions."""
    return "".join(_command(name, one) for name, one in subparsers(parser()).items())


def subparsers(one: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """The commands of the program, or the actions of a command, by name."""
    found: dict[str, argparse.ArgumentParser] = {}
    for action in one._actions:  # argparse has no public way to list arguments
        if isinstance(action, argparse._SubParsersAction):
            found.update(action.choices)
    return found


def options(one: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """The arguments of a command, without --help, its actions, and hidden arguments."""
    for action in one._actions:
        if action.help != argparse.SUPPRESS and not isinstance(
            action, argparse._HelpAction | argparse._SubParsersAction
        ):
            yield action


def written(action: argparse.Action) -> str:
    """An argument, as it is typed."""
    value = action.metavar or action.dest.upper()
    if not action.option_strings:
        return str(action.metavar or action.dest)
    shown = f" {value}" if action.nargs != 0 else ""
    return ", ".join(f"{name}{shown}" for name in action.option_strings)


def _command(name: str, one: argparse.ArgumentParser) -> str:
    text, example = _said(COMMANDS[name].__doc__ or "")
    body = text + (code(example) if example else "") + _options(one)
    for action, inner in subparsers(one).items():
        body += section(literal(f"{name} {action}"), _options(inner), "~")
    return section(literal(name), body)


def _said(doc: str) -> tuple[str, str]:
    """A module docstring's text, and the example at its end."""
    words: list[str] = []
    example: list[str] = []
    for line in doc.strip().splitlines():
        (example if line.startswith("  ") else words).append(line)
    return "\n".join(plain(line) for line in words) + "\n\n", "\n".join(line.strip() for line in example)


def _options(one: argparse.ArgumentParser) -> str:
    rows = [(literal(written(action)), plain(_help(action))) for action in options(one)]
    return table(("argument", "meaning"), rows, "40 60")


def _help(action: argparse.Action) -> str:
    words = (action.help or "") % {"default": action.default, "prog": ""} if action.help else ""
    if action.choices is not None and not str(action.help or "").startswith("one of"):
        words += f" ({', '.join(map(str, action.choices))})"
    return words
