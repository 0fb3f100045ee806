"""Pin the settings that guard, so that a URL parameter of Abaco cannot replace them.

Abaco hands every URL parameter of a message to the process as an environment variable, over the actor's own. This
command reads the deployment's secrets.json and writes into config.yml, for each guarding setting, the digest of the
only value that the environment may give it; for those that secrets.json does not set, that it may give none. A name in
secrets.json that looks like a setting's and is none is an error: nothing is written then.

  python -m pipelinejobs pin --secrets secrets.json
"""

import argparse
from pathlib import Path

from pipelinejobs import settings
from pipelinejobs.cli.report import Report
from pipelinejobs.cli.session import Session
from pipelinejobs.errors import CommandFailed, WrongSetting
from pipelinejobs.settings import CONFIG, TABLE, config_file, pins, secrets_file
from pipelinejobs.settings.table import unknown_variables
from pipelinejobs.verdict import EXIT_WRONG_SETTING


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument(
        "--secrets", type=Path, metavar="FILE", default=Path("secrets.json"), help="default: %(default)s"
    )
    parser.add_argument("--config", type=Path, metavar="FILE", default=CONFIG, help="default: the project's config.yml")


def run(options: argparse.Namespace, session: Session) -> Report:
    """Writes the pins, then reads the settings as the deployed process will."""
    secrets = _read(options.secrets)
    if misspelt := unknown_variables(secrets):  # what was meant to guard would not be pinned
        raise config_file.unknown(misspelt[0], (setting.variable for setting in TABLE.values()))
    pinned = pins.write(options.config, secrets)
    warnings: list[str] = []
    exit_code = 0
    try:
        settings.load(secrets, options.config)
    except WrongSetting as error:
        warnings.append(f"a process with these secrets would not start: {error.reason}")
        exit_code = EXIT_WRONG_SETTING
    given = ", ".join(pinned) or "no guarding setting"
    return Report(
        data={"config": str(options.config), "pinned": pinned, "warnings": warnings},
        lines=[f"{options.config}: the environment may give {given}, and only as pinned", *warnings],
        exit_code=exit_code,
    )


def _read(path: Path) -> dict[str, str]:
    try:
        return secrets_file.read(path)
    except secrets_file.Unreadable as unreadable:
        raise CommandFailed(str(unreadable)) from None
