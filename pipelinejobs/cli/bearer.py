"""Make a static Bearer token for a user of the gateway.

The token is shown this once. What it prints besides goes into the setting gateway.tokens, which holds only a hash.

  python -m pipelinejobs bearer jdoe --right EXECUTE
"""

import argparse
import re

from pipelinejobs.cli.output import Report
from pipelinejobs.cli.session import Session
from pipelinejobs.core.permission import Permission
from pipelinejobs.gateway.auth.static_tokens import digest, new_token
from pipelinejobs.settings import TABLE

_RIGHTS = [right.name for right in Permission if right is not Permission.NONE]


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("user", type=_user, help="the user's name")
    parser.add_argument("--right", choices=_RIGHTS, default="EXECUTE", help="default: %(default)s")


def run(options: argparse.Namespace, session: Session) -> Report:
    """Makes the token."""
    token = new_token()
    row = f"{options.user}:{options.right}:sha256:{digest(token)}"
    variable = TABLE["gateway.tokens"].variable
    return Report(
        data={"token": token.reveal(), "setting": row},
        lines=[
            f"token:   {token.reveal()}",
            f"setting: {row}",
            f"The setting is one of the list gateway.tokens in config.yml, or of {variable}.",
        ],
    )


def _user(text: str) -> str:
    if not text.isprintable() or not re.fullmatch(r"[^\s,:*]{1,128}", text):
        raise argparse.ArgumentTypeError("is not a user's name: no white space, comma, colon or asterisk")
    return text
