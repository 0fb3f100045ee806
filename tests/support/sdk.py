"""reactor.py in a process in which the Reactors SDK is installed, or rather the stand-in for it (`tests/sdk`).

    python tests/support/sdk.py [defect]

reactor.py is extended here: it uses a name of the SDK's Reactor, which is made then. While it is made, libraries around
it write whatever secret the process holds, by every way that they have: loggers with handlers of their own, the root
logger, a traceback, a warning, and a thread that dies. With `defect` the manager
fails by an error that holds all secrets, too.
"""

import logging
import os
import runpy
import sys
import threading
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NoReturn

ROOT: Final = Path(__file__).resolve().parents[2]
SDK: Final = ROOT / "tests" / "sdk"
SECRETS: Final = "canaries"
"""The variable with all that must not be shown. It is taken out of the environment before reactor.py sees it."""

SAID: Final = ("by its own logger", "by the root logger", "in a traceback", "in a warning", "by a thread")
"""What the log says of it."""


def tell(secrets: str) -> None:
    """Writes them by every way."""
    own = logging.getLogger("library")
    own.setLevel(logging.DEBUG)
    own.propagate = False
    own.addHandler(logging.StreamHandler())
    own.warning("%s: %s", SAID[0], secrets)
    logging.basicConfig(level=logging.DEBUG, force=True)
    logging.getLogger().warning("%s: %s", SAID[1], secrets)
    try:
        fail(secrets)
    except RuntimeError:
        logging.getLogger("library.part").exception(SAID[2])
    warnings.warn(f"{SAID[3]}: {secrets}", stacklevel=1)
    thread = threading.Thread(target=fail, args=[secrets], name=SAID[4])
    thread.start()
    thread.join()


def fail(secrets: str) -> NoReturn:
    """Raises an error that holds them."""
    raise RuntimeError(secrets)


def extend() -> None:
    """Makes reactor.py use a name of the SDK's Reactor as soon as it has made its reactor."""
    from pipelinejobs import runtime

    made = runtime.reactor

    def reactor(environ: Mapping[str, str], logger: logging.Logger) -> runtime.Reactor:
        sdks: Any = made(environ, logger)
        assert sdks.uid
        extended: runtime.Reactor = sdks
        return extended

    runtime.reactor = reactor


def main(*defect: str) -> None:
    """Runs reactor.py."""
    sys.path[:0] = [str(ROOT), str(SDK)]
    secrets = os.environ.pop(SECRETS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of agavepy's own, which the product leaves out as well
        from reactors import runtime
    runtime.constructs = lambda: tell(secrets)
    extend()
    if defect:
        from pipelinejobs.service.manager import Manager

        def handle(*_: Any, **__: Any) -> NoReturn:
            fail(secrets)

        Manager.handle = handle  # type: ignore[method-assign]
    runpy.run_path(str(ROOT / "reactor.py"), run_name="__main__")


if __name__ == "__main__":
    main(*sys.argv[1:])
