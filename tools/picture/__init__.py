"""The picture in README.rst, made from the running product: `python -m tools.picture`."""

import shutil


def browser_path() -> str | None:
    """The path of Chromium or Chrome on this machine; None if neither is on PATH."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
