"""`python -m pipelinejobs`. Events for a callback URL are sent by the client alone, which needs no library."""

import os
import sys


def _is_for_the_client(arguments: list[str]) -> bool:
    if arguments[:1] != ["send"]:
        return False
    from pipelinejobs import client

    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    named = {option.partition("=")[0] for option in options}
    if {"exec", "wait"} & set(arguments[1:2]):
        return True
    if "--dry-run" in named:  # refused together with a callback URL: `cli.send` says what to do instead
        return False
    alone = arguments[1:2] and arguments[1] in client.EVENTS and client.CALLBACK_VARIABLE in os.environ
    return bool({"--callback", "--flush"} & named or alone)


def main() -> int:
    """Runs one command."""
    if _is_for_the_client(sys.argv[1:]):
        from pipelinejobs import client

        client.leave(client.main(sys.argv[2:], prog="python -m pipelinejobs send"))
    try:
        from pipelinejobs.cli.main import main as run
    except ModuleNotFoundError as error:
        from pipelinejobs.core.verdict import EXIT_WRONG_SETTING
        from pipelinejobs.util.errors import NotInstalled

        print(f"pipelinejobs: {NotInstalled(error).reason}", file=sys.stderr)
        return EXIT_WRONG_SETTING
    return run()


if __name__ == "__main__":
    sys.exit(main())
