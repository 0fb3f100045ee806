"""Pin the guarded settings, so that a URL parameter of Abaco cannot replace them.

Abaco turns each URL parameter of a message into an environment variable, which replaces the actor's own. This command
reads the deployment's secrets.json and writes pins into config.yml: for each guarded setting, the digest of the only
value that the environment may set, or null if secrets.json does not set it. If a name in secrets.json is a misspelt
setting, the command fails and writes nothing. Settings of other programs, such as the original reactor, are listed and
ignored, except its CATALOG_ADMIN_TOKEN_KEY, _SECRET and _LIFETIME: they are pinned if tokens.admin_key, admin_secret
and admin_lifetime are not set. Comments in config.yml are kept. The command needs requirements-gateway.txt.

  python -m pipelinejobs pin --secrets secrets.json
"""

import argparse
from pathlib import Path

from pipelinejobs import settings
from pipelinejobs.cli.output import Output
from pipelinejobs.cli.session import Session
from pipelinejobs.core.verdict import EXIT_WRONG_SETTING
from pipelinejobs.settings import CONFIG, other_variables, secrets_file
from pipelinejobs.util.errors import CommandFailed, WrongSetting


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument(
        "--secrets", type=Path, metavar="FILE", default=Path("secrets.json"), help="default: %(default)s"
    )
    parser.add_argument("--config", type=Path, metavar="FILE", default=CONFIG, help="default: the project's config.yml")


def run(options: argparse.Namespace, session: Session) -> Output:
    """Writes the pins, then checks that a process with these secrets would start."""
    from pipelinejobs.settings import pins_file  # needs ruamel.yaml, which an actor does not install

    secrets = _read(options.secrets)
    pinned = pins_file.write(options.config, secrets.ours)
    warnings: list[str] = []
    exit_code = 0
    try:
        configured = settings.load(secrets.ours, options.config)
        warnings += [remark.text for remark in other_variables.remarks(secrets.ours, configured)]
    except WrongSetting as error:
        warnings.append(f"a process with these secrets would not start: {error.reason}")
        exit_code = EXIT_WRONG_SETTING
    allowed = f"only {', '.join(pinned)}, each only to the pinned value" if pinned else "no guarded setting"
    ignored = [f"not settings of the manager, and ignored: {', '.join(secrets.foreign)}"] if secrets.foreign else []
    return Output(
        data={"config": str(options.config), "pinned": pinned, "ignored": secrets.foreign, "warnings": warnings},
        lines=[
            f"{options.config}: the environment may set {allowed}",
            *ignored,
            *warnings,
        ],
        exit_code=exit_code,
    )


def _read(path: Path) -> secrets_file.Secrets:
    try:
        return secrets_file.read(path)
    except secrets_file.Unreadable as unreadable:
        raise CommandFailed(str(unreadable)) from None
