"""Pin the settings that guard, so that a URL parameter of Abaco cannot replace them.

Abaco hands every URL parameter of a message to the process as an environment variable, over the actor's own. This
command reads the deployment's secrets.json and writes into config.yml, for each guarding setting, the digest of the only
value that the environment may give it; for those that secrets.json does not set, that it may give none.

  python -m pipelinejobs pin --secrets secrets.json
"""

import argparse
import json
from pathlib import Path

from pipelinejobs.cli.report import Report
from pipelinejobs.cli.session import Session
from pipelinejobs.errors import CommandFailed
from pipelinejobs.settings import CONFIG, pins


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("--secrets", type=Path, default=Path("secrets.json"), help="default: %(default)s")
    parser.add_argument("--config", type=Path, default=CONFIG, help="default: the project's config.yml")


def run(options: argparse.Namespace, session: Session) -> Report:
    """Writes the pins."""
    pinned = pins.write(options.config, _read(options.secrets))
    given = ", ".join(pinned) or "no guarding setting"
    return Report(
        data={"config": str(options.config), "pinned": pinned},
        lines=[f"{options.config}: the environment may give {given}, and only as pinned"],
    )


def _read(path: Path) -> dict[str, str]:
    try:
        secrets = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CommandFailed(f"{path} cannot be read: {error.strerror}") from None
    except ValueError:
        raise CommandFailed(f"{path} is not JSON") from None
    if not isinstance(secrets, dict) or not all(isinstance(value, str) for value in secrets.values()):
        raise CommandFailed(f"{path} is not a JSON object of texts")
    return secrets
