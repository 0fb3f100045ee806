"""Fixtures for tests in a real browser: Chromium from this machine, driven by Playwright.

The browser has an empty profile of its own and no way out: a request to anything but this machine fails its test.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Playwright, expect, sync_playwright
from pymongo.database import Database

from support.browser import DESKTOP, FLAGS, PATIENCE_MS, Browsing, watch
from support.gateway import Gateway, serving, settings
from tools.demo.indexer import Indexer
from tools.picture import browser_path


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser's program; without one the tests are skipped."""
    found = browser_path()
    if found is None:
        pytest.skip("there is no Chromium on PATH; install Debian's package chromium (.ci/run does)")
    return found


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    """What drives the browser. It runs an event loop in this thread, in which tests of other modules want their own."""
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as driver:
        yield driver


@pytest.fixture
def gateway(mongodb_uri: str, database: Database[dict[str, Any]], indexer: Indexer) -> Iterator[Gateway]:
    """A gateway over the test's own database, which gives a message up after one attempt."""
    more = {"pipelines__job_indexer_url": indexer.url, "outbox__attempts": "1"}
    with serving(settings(mongodb_uri, database.name, **more)) as running:
        yield running


@pytest.fixture
def window(
    chromium: str, playwright: Playwright, gateway: Gateway, tmp_path: Path
) -> Iterator[Callable[..., Browsing]]:
    """Opens a window, with the arguments of Playwright's contexts. In the end nothing may have gone wrong in it."""
    opened: list[tuple[BrowserContext, Browsing]] = []

    def open_one(**more: Any) -> Browsing:
        context = playwright.chromium.launch_persistent_context(
            str(tmp_path / f"profile-{len(opened)}"),
            executable_path=chromium,
            args=FLAGS,
            **{"viewport": DESKTOP, **more},
        )
        context.set_default_timeout(PATIENCE_MS)
        browsing = Browsing(context.pages[0], gateway.url)
        opened.append((context, browsing))
        watch(context, browsing)
        return browsing

    yield open_one
    for context, browsing in opened:
        context.close()
        assert browsing.wrong == []
