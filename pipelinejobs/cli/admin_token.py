"""Print the present administrative token.

It authorises all events, including reset and ready. It is valid for one to two times tokens.admin_lifetime.

  python -m pipelinejobs admin-token
"""

import argparse
from datetime import UTC, datetime

from pipelinejobs.bootstrap import policy
from pipelinejobs.cli.output import Output, when
from pipelinejobs.cli.session import Session
from pipelinejobs.core.tokens import admin_tokens
from pipelinejobs.util.errors import WrongSetting


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments: it has none."""


def run(options: argparse.Namespace, session: Session) -> Output:
    """Makes the token. Raises WrongSetting if administrative tokens are not configured."""
    now = int(session.now.timestamp())
    lifetime = session.settings.tokens.admin_lifetime
    tokens = admin_tokens(policy(session.settings), now)
    if not tokens:
        raise WrongSetting(
            "tokens.admin_key", "is not set, and neither is tokens.admin_secret, so there are no administrative tokens"
        )
    until = datetime.fromtimestamp((now // lifetime + 2) * lifetime, UTC)
    return Output(
        data={"token": tokens[0], "valid_until": until},
        lines=[tokens[0], f"valid until {when(until)} UTC"],
    )
