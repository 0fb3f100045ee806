"""Takes a sample job through its life at a gateway of its own, and writes a picture of the job's page.

  python -m tools.picture [FILE]

The gateway has an embedded MongoDB in a temporary directory; a stand-in takes the Indexer's place. Needs Chromium.
"""

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from playwright.sync_api import ViewportSize, sync_playwright

from pipelinejobs.cli.sample_job import LAST_LINE
from pipelinejobs.client import Illegal, Job
from tools.demo.indexer import Indexer
from tools.picture import browser_path

ROOT: Final = Path(__file__).resolve().parents[2]
FILE: Final = ROOT / "docs" / "_static" / "job-page.png"
SIZE: Final = ViewportSize(width=1000, height=880)
SCALE: Final = 1.25
"""Pixels of the picture for each pixel of the page: sharp as wide as a README is shown, and below 200 KB."""
_SECONDS: Final = 60


def main() -> int:
    """Makes the picture. Returns 1 where this machine has no Chromium."""
    parser = argparse.ArgumentParser(prog="python -m tools.picture", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("file", nargs="?", type=Path, default=FILE, metavar="FILE", help="default: %(default)s")
    file: Path = parser.parse_args().file
    browser = browser_path()
    if browser is None:
        print("There is no Chromium on PATH; install it, such as Debian's package chromium.", file=sys.stderr)
        return 1
    with (
        tempfile.TemporaryDirectory(prefix="pipelinejobs-picture-") as directory,
        Indexer() as indexer,
        _sample(Path(directory), indexer.url) as printed,
    ):
        callback, nonce, page = _told(printed)
        _live(callback)
        _photograph(browser, page, nonce, file)
    print(f"{file}: {file.stat().st_size // 1024} KiB")
    return 0


@contextmanager
def _sample(directory: Path, indexer: str) -> Iterator[str]:
    """A gateway with a sample job, and what `serve --sample` prints."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(directory),
        "LOGNAME": "jdoe",
        "_REACTOR_MONGODB_EMBEDDED_DIRECTORY": str(directory / "mongodb"),
        "_REACTOR_PIPELINES_JOB_INDEXER_URL": indexer,
        "_REACTOR_LOGS_LEVEL": "ERROR",
    }
    command = [sys.executable, "-m", "pipelinejobs", "serve", "--sample", "--host", "127.0.0.1", "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as gateway:  # noqa: S603
        try:
            assert gateway.stdout is not None
            printed = ""
            for line in gateway.stdout:
                printed += line
                if line.strip() == LAST_LINE:
                    break
            yield printed
        finally:
            gateway.send_signal(signal.SIGINT)
            gateway.communicate(timeout=_SECONDS)


def _told(printed: str) -> tuple[str, str, str]:
    """The URL for callbacks, the nonce and the address of the job's page."""
    callback = re.search(r"'(http://\S+)&event=update&note=half-way'", printed)
    nonce = re.search(r"^a nonce \(.*\): +(\S+)$", printed, re.MULTILINE)
    page = re.search(r"^http://\S+/pages/jobs/\S+$", printed, re.MULTILINE)
    if callback is None or nonce is None or page is None:
        raise SystemExit(f"The gateway did not start, or prints something else than this program reads:\n{printed}")
    return callback[1], nonce[1], page[0]


def _live(callback: str) -> None:
    """The job runs, reports progress, is finished and goes to the Indexer; one event comes too late."""
    job = Job.from_callback(callback)
    job.run({"node": "c401-003"})
    job.update({"progress": 0.5})
    job.finish({"elapsed_seconds": 1284})
    with suppress(Illegal):
        job.fail({"reason": "the node went away"})
    job.index()


def _photograph(browser: str, page: str, nonce: str, file: Path) -> None:
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
    address = urlsplit(page)
    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=browser, args=flags)
        window = chromium.new_page(viewport=SIZE, device_scale_factor=SCALE, color_scheme="light")
        window.goto(f"{address.scheme}://{address.netloc}/pages/sign-in")
        window.get_by_label("Token or nonce").fill(nonce)
        window.get_by_role("button", name="Sign in").click()
        window.get_by_role("heading", level=1).wait_for()
        window.goto(page)
        window.wait_for_function("!document.querySelector('section[data-poll]')")  # the index requests were delivered
        window.locator("html[data-listening]").wait_for(state="attached")
        window.screenshot(path=file)
        chromium.close()


if __name__ == "__main__":
    sys.exit(main())
