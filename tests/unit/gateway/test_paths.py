"""Extra slashes in paths, and suggestions for misspelt paths."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelinejobs.gateway.http.paths import OneSpelling, nearest

KNOWN = [
    "/",
    "/healthz",
    "/openapi.json",
    "/jobs",
    "/jobs/{uuid}",
    "/jobs/{uuid}/history",
    "/actors/v2/{actor}/messages",
    "/actors/v2/{actor}/nonces/{nonce}",
    "/v3/actors/{actor}/messages",
    "/v3/actors/{actor}/nonces/{nonce}",
    "/pages/static/{name:path}",
]


def arrived(raw: bytes, path: str = "as it was", **more: Any) -> dict[str, Any]:
    """The scope that the application sees."""
    seen: list[dict[str, Any]] = []

    async def app(scope: Any, _receive: Any, _send: Any) -> None:
        seen.append(scope)

    async def never(*_: Any) -> Any:
        raise AssertionError

    asyncio.run(OneSpelling(app)({"type": "http", "raw_path": raw, "path": path, **more}, never, never))
    return seen[0]


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (b"//actors/v2/x/messages", "/actors/v2/x/messages"),
        (b"/actors/v2/x/messages/", "/actors/v2/x/messages"),
        (b"///actors//v2///x/messages////", "/actors/v2/x/messages"),
        (b"//jobs//a%20b/", "/jobs/a b"),
        (b"//", "/"),
        (b"/jobs%2Fa", "/jobs%2Fa"),
        (b"//jobs/a%2fb%2F/", "/jobs/a%2Fb%2F"),
        (b"/jobs/%2F/%2F", "/jobs/%2F/%2F"),
        (b"/jobs/%25%2F", "/jobs/%%2F"),
    ],
)
def test_extra_slashes_are_removed_and_encoded_ones_kept(raw: bytes, path: str) -> None:
    assert arrived(raw)["path"] == path


@pytest.mark.parametrize("raw", [b"/", b"/jobs", b"/jobs/a%20b", b"*", b""])
def test_a_path_without_extra_slashes_is_unchanged(raw: bytes) -> None:
    assert arrived(raw) == {"type": "http", "raw_path": raw, "path": "as it was"}


def test_the_rest_of_a_request_stays() -> None:
    seen = arrived(b"//jobs/", query_string=b"a=//b/", method="POST")
    assert (seen["query_string"], seen["method"], seen["raw_path"]) == (b"a=//b/", "POST", b"/jobs")


PARTS = st.lists(st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1), min_size=1)


@given(parts=PARTS, data=st.data())
def test_every_number_of_slashes_is_one_path(parts: list[str], data: st.DataObject) -> None:
    slashes = [data.draw(st.integers(1, 4)) for _ in parts]
    raw = "".join("/" * many + part for many, part in zip(slashes, parts, strict=True))
    end = "/" * data.draw(st.integers(0, 3))
    once = "/" + "/".join(parts)
    assert arrived(f"{raw}{end}".encode(), path=once)["path"] == once


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("/actors/v2/jobs-manager.prod/message", "/actors/v2/jobs-manager.prod/messages"),
        ("/Actors/v2/x/Messages", "/actors/v2/x/messages"),
        ("/v2/actors/x/messages", "/actors/v2/x/messages"),
        ("/actors/v3/x/messages", "/v3/actors/x/messages"),
        ("/actors/x/messages", "/actors/v2/x/messages"),
        ("/actors/v2/messages", "/actors/v2/{actor}/messages"),
        ("/api/actors/v2/x/messages", "/actors/v2/x/messages"),
        ("/actor/v2/x/mesages", "/actors/v2/x/messages"),
        ("/health", "/healthz"),
        ("/job/107", "/jobs/107"),
        ("/jobs/107/histroy", "/jobs/107/history"),
        ("/jobs/é<b>/histroy", "/jobs/%C3%A9%3Cb%3E/history"),
        ("/jobs%2F107", None),
        ("/nothing", None),
        ("/actors", None),
        ("/actors/v2", None),
        ("/favicon.ico", None),
        ("/a/b/c/d", None),
        ("/jobs/" + "x" * 200 + "/histroy", None),
        ("/" + "a/" * 90, None),
    ],
)
def test_a_misspelt_path_has_a_suggestion(path: str, meant: str | None) -> None:
    assert nearest(path, KNOWN) == meant


@given(st.text(max_size=80))
def test_a_suggestion_is_ascii_and_has_a_route(path: str) -> None:
    meant = nearest(path, KNOWN)
    assert meant is None or (meant.isascii() and meant.isprintable())
