"""Make a static Bearer token for a user of the gateway.

The token is shown only once. The command also prints the line for the setting gateway.tokens, which has only a hash of
the token.

  python -m pipelinejobs bearer-token jdoe --permission EXECUTE
"""

import argparse
import re

from pipelinejobs.cli.output import Output
from pipelinejobs.cli.session import Session
from pipelinejobs.core.permission import Permission
from pipelinejobs.gateway.auth.static_tokens import digest, new_token
from pipelinejobs.settings import TABLE

_PERMISSIONS = [one.name for one in Permission if one is not Permission.NONE]


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("user", type=_user, help="the user's name")
    parser.add_argument("--permission", choices=_PERMISSIONS, default="EXECUTE", help="default: %(default)s")
    parser.add_argument("--right", choices=_PERMISSIONS, dest="permission", help=argparse.SUPPRESS)  # its former name


def run(options: argparse.Namespace, session: Session) -> Output:
    """Makes the token."""
    token = new_token()
    row = f"{options.user}:{options.permission}:sha256:{digest(token)}"
    variable = TABLE["gateway.tokens"].variable
    return Output(
        data={"token": token.reveal(), "setting": row},
        lines=[
            f"token:   {token.reveal()}",
            f"setting: {row}",
            f"Add the setting to the list gateway.tokens in config.yml, or to {variable}.",
        ],
    )


def _user(text: str) -> str:
    if not text.isprintable() or not re.fullmatch(r"[^\s,:*]{1,128}", text):
        raise argparse.ArgumentTypeError("is not a user's name: it must have no white space, comma, colon or asterisk")
    return text
