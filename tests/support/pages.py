"""A visitor of the pages, without a browser."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from typing import Any

import httpx

from support.canaries import assert_hidden
from support.gateway import TOKENS, Gateway

OWN = {"Sec-Fetch-Site": "same-origin"}
"""The header that a browser sends with a form of the page itself."""

HOSTILE = "<script>alert(1)</script> \"quoted' javascript:alert(2) \u202egnorw"
"""A hostile text, to be put into all fields that a sender or writer can fill."""


class Visitor:
    """Requests pages with the cookie of a session."""

    def __init__(self, client: httpx.Client) -> None:
        self.client = client

    def get(self, path: str, status: int = 200, /, **parameters: Any) -> str:
        """Requests a page, and checks that it shows no planted secret."""
        answer = self.client.get(path, params=parameters or None)
        assert answer.status_code == status, (answer.status_code, answer.headers, answer.text)
        assert_hidden(f"{answer.headers}{answer.text}", path)
        return answer.text

    def post(self, path: str, fields: dict[str, str], **headers: str) -> httpx.Response:
        """Sends a form as a page of the gateway does."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.post(path, data=fields, headers=OWN | named)

    def sign_in(self, credential: str, back: str = "") -> httpx.Response:
        """Signs in with a credential."""
        return self.post("/pages/sign-in", {"credential": credential, "next": back})

    @property
    def form(self) -> str:
        """The secret in forms of this session."""
        found = re.search(r'name="form" value="(\w+)"', self.get("/pages/outbox"))
        assert found is not None
        return found[1]


@contextmanager
def visitor(gateway: Gateway, permission: str | None = "READ") -> Iterator[Visitor]:
    """A visitor who is signed in with the static token of this permission; None: not signed in."""
    with httpx.Client(base_url=gateway.url, timeout=30, verify=False, trust_env=False) as client:
        visiting = Visitor(client)
        if permission is not None:
            assert visiting.sign_in(TOKENS[permission]).status_code == 303
        yield visiting


def seen(page: str) -> str:
    """The text of a page, as a reader sees it."""
    body = re.sub(r"</?(bdi|span|strong|code)\b[^>]*>", "", page.partition("<body")[2])
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", body)).split())


def assert_harmless(page: str) -> None:
    """Checks that the page has no markup, link or invisible character from stored text."""
    assert re.findall(r"<script[^>]*>", page) == [re.search(r'<script src="/pages/static/[^>]*>', page)[0]]  # type: ignore[index]
    assert not re.search(r"<img|<iframe|<b>|\son\w+=[\"']?\w", page.replace("&#34;", "").replace("&#39;", ""))
    assert not re.search(r"(href|src|action)=[\"']?(javascript|data|//)", page)
    assert "\u202e" not in page
