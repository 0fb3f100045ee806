"""A window of a real browser, for tests: Chromium from this machine, driven by Playwright."""

from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, Dialog, Page, expect

from support.gateway import TOKENS

FLAGS: Final = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
DESKTOP: Final = {"width": 1280, "height": 800}
PHONE: Final = {"width": 360, "height": 740}
PATIENCE_MS: Final = 30_000


@dataclass
class Browsing:
    """A window of the browser, and the problems seen in it.

    Attributes:
        wrong: violations of the policy, errors of the script, and requests to other machines.
    """

    page: Page
    url: str
    wrong: list[str] = field(default_factory=list)

    def go(self, path: str) -> None:
        """Loads a page."""
        self.page.goto(f"{self.url}{path}")

    def sign_in(self, permission: str = "READ") -> None:
        """Signs in, as a person does."""
        self.go("/pages/sign-in")
        self.page.get_by_label("Token or nonce").fill(TOKENS[permission])
        self.page.get_by_role("button", name="Sign in").click()
        expect(self.page.get_by_role("heading", level=1)).to_have_text("Jobs")

    def wait_until_live(self) -> None:
        """Waits until the page listens to the change feed."""
        self.page.locator("html[data-listening]").wait_for(state="attached")

    @property
    def overflow(self) -> int:
        """By how many pixels the page is wider than the window."""
        width: int = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        return width


def watch(context: BrowserContext, browsing: Browsing) -> None:
    """Records problems in a window: violations of the policy, script errors, requests to other hosts."""

    def console(text: str) -> None:
        if "Content Security Policy" in text or "Refused to" in text:
            browsing.wrong.append(text)

    def request(url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("data", "about", "blob") and parts.hostname != "127.0.0.1":
            browsing.wrong.append(f"a request to {url}")

    def dialog(opened: Dialog) -> None:
        browsing.wrong.append(f"a dialog: {opened.message}")
        opened.dismiss()

    context.on("console", lambda message: console(message.text))
    context.on("weberror", lambda error: browsing.wrong.append(str(error.error)))
    context.on("request", lambda asked: request(asked.url))
    context.on("dialog", dialog)
