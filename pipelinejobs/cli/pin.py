"""Pin the settings that guard, so that a URL parameter of Abaco cannot replace them.

Abaco hands every URL parameter of a message to the process as an environment variable, over the actor's own. This
command reads the deployment's secrets.json and writes into config.yml, for each guarding setting, the digest of the
only value that the environment may give it; for those that secrets.json does not set, that it may give none.

  python -m pipelinejobs pin --secrets secrets.json
"""

import argparse
import json
from pathlib import Path
from typing import Any

from pipelinejobs import settings
from pipelinejobs.cli.report import Report
from pipelinejobs.cli.session import Session
from pipelinejobs.errors import CommandFailed, WrongSetting
from pipelinejobs.settings import CONFIG, pins
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
    pinned = pins.write(options.config, secrets)
    warnings = [f"{name} in {options.secrets} is not the variable of a setting" for name in unknown_variables(secrets)]
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
        secrets = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_once)
    except OSError as error:
        raise CommandFailed(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise CommandFailed(f"{path} is not JSON, or names a variable twice") from None
    if not isinstance(secrets, dict) or not all(isinstance(value, str) for value in secrets.values()):
        raise CommandFailed(f"{path} is not a JSON object of texts")
    return secrets


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; of two values for one name nobody could say which Abaco takes."""
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a name is there twice")
    return dict(pairs)
