"""Signing in to the pages and out of them, and the life of a session."""

import re
import ssl
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from pymongo.database import Database

from pipelinejobs.store.nonces import NewNonce
from pipelinejobs.util import redaction
from support import tls
from support.gateway import ALIAS, TOKENS, Gateway, serving, settings
from support.pages import OWN, Visitor, seen, visitor
from support.process import StoredJob

PAGES = ["/pages/jobs", "/pages/outbox", "/pages/jobs/107b93f3-1eae-5e79-8a18-0a480f8aa3a5"]


def nonce(gateway: Gateway, level: str = "READ", uses: int = -1) -> tuple[str, str]:
    """A nonce of the alias: its id and its handle."""
    body = {"level": level, "maxUses": uses}
    made = gateway.ask("POST", f"/actors/v2/{ALIAS}/nonces", json=body).json()["result"]
    return made["id"], made["_links"]["self"].rpartition("/")[2]


def is_in(visiting: Visitor) -> bool:
    return visiting.client.get("/pages/jobs").status_code == 200


class TestWithout:
    @pytest.mark.parametrize("path", PAGES)
    def test_a_page_leads_to_the_form_and_back(self, gateway: Gateway, path: str) -> None:
        with visitor(gateway, None) as visiting:
            answer = visiting.client.get(f"{path}?state=RUNNING&text=a%26b")
            assert answer.status_code == 303
            page = visiting.get(answer.headers["location"])
            back = re.search(r'name="next" value="([^"]*)"', page)
            assert back is not None
            answer = visiting.sign_in(TOKENS["READ"], back[1].replace("&amp;", "&"))
            assert answer.headers["location"] == f"{path}?state=RUNNING&text=a%26b"

    @pytest.mark.parametrize("path", ["/pages/jobs", "/pages/changes"])
    @pytest.mark.parametrize(
        "headers", [{"Sec-Fetch-Mode": "cors"}, {"X-Script": "pages"}, {"Accept": "text/event-stream"}], ids=str
    )
    def test_a_script_is_told(self, gateway: Gateway, path: str, headers: dict[str, str]) -> None:
        """Over plain HTTP, browsers send the first of these headers only to localhost."""
        with visitor(gateway, None) as visiting:
            assert visiting.client.get(path, headers=headers).status_code == 401

    @pytest.mark.parametrize("path", ["/pages/outbox/send", "/pages/sign-out"])
    def test_nothing_is_done(self, gateway: Gateway, path: str) -> None:
        with visitor(gateway, None) as visiting:
            assert visiting.post(path, {"form": "x"}).status_code == 401

    def test_the_front_door(self, gateway: Gateway) -> None:
        for path in ("/", "/pages", "/pages/"):
            answer = gateway.client.get(path)
            assert (answer.status_code, answer.headers["location"]) == (303, "/pages/jobs")

    def test_an_unknown_path_is_a_page(self, gateway: Gateway) -> None:
        for path in ("/pages/nothing", "/pages/static/nothing", "/pages/static/..%2fsite.py"):
            answer = gateway.client.get(path)
            assert answer.status_code == 404
            assert answer.headers["content-type"].startswith("text/html")
        assert gateway.client.post("/pages/jobs", headers=OWN).status_code == 405


class TestSigningIn:
    @pytest.mark.parametrize("permission", ["READ", "EXECUTE", "UPDATE"])
    def test_by_a_token(self, gateway: Gateway, permission: str) -> None:
        with visitor(gateway, permission) as visiting:
            assert permission in seen(visiting.get("/pages/jobs"))

    def test_by_a_nonce_which_gives_one_use(self, gateway: Gateway) -> None:
        text, handle = nonce(gateway, uses=1)
        with visitor(gateway, None) as visiting, visitor(gateway, None) as other:
            assert visiting.sign_in(text).status_code == 303
            for _ in range(3):
                visiting.get("/pages/jobs")
            answer = other.sign_in(text)
            assert answer.status_code == 401
            assert "No remaining uses" in answer.text
        left = gateway.ask("GET", f"/actors/v2/{ALIAS}/nonces/{handle}").json()["result"]
        assert (left["currentUses"], left["remainingUses"]) == (1, 0)

    @pytest.mark.parametrize(
        ("credential", "status", "words"),
        [
            ("", 400, "Enter a token"),
            ("  ", 400, "Enter a token"),
            ("x" * 9000, 400, "Enter a token"),
            ("nobody-knows-this", 401, "Unknown Bearer token"),
            ("SD2E_" + "x" * 24, 401, "Nonce does not exist"),
            ("<script>alert(1)</script>", 401, "Unknown Bearer token"),
        ],
    )
    def test_an_invalid_credential_is_reported_beside_the_field(
        self, gateway: Gateway, credential: str, status: int, words: str
    ) -> None:
        with visitor(gateway, None) as visiting:
            answer = visiting.sign_in(credential, "/pages/outbox")
            assert answer.status_code == status
            assert words in answer.text
            assert 'aria-invalid="true"' in answer.text
            assert 'value="/pages/outbox"' in answer.text  # which is not forgotten
            assert "set-cookie" not in answer.headers
            assert not credential.strip() or credential not in answer.text

    @pytest.mark.parametrize(
        "back",
        [
            "https://evil.example/pages/jobs",
            "//evil.example/pages/jobs",
            "/\\evil.example",
            "/pages/\\evil.example",
            "/pages/../../evil",
            "/pages/%2e%2e/jobs",
            "/pages/.%2E/jobs",
            "/pages/jobs\r\nX: y",
            "javascript:alert(1)",
            "/pagesevil",
            "/jobs",
            "/pages/sign-out",
            "/pages/jobs?" + "x" * 3000,
            "",
        ],
    )
    def test_it_leads_back_to_pages_of_its_own_only(self, gateway: Gateway, back: str) -> None:
        with visitor(gateway, None) as visiting:
            answer = visiting.sign_in(TOKENS["READ"], back)
            assert (answer.status_code, answer.headers["location"]) == (303, "/pages/jobs")
            answer = visiting.client.get("/pages/sign-in", params={"next": back})
            assert (answer.status_code, answer.headers["location"]) == (303, "/pages/jobs")

    def test_dots_in_a_filter_are_no_way_out(self, gateway: Gateway) -> None:
        with visitor(gateway, None) as visiting:
            back = "/pages/jobs?text=../run"
            assert visiting.sign_in(TOKENS["READ"], back).headers["location"] == back

    def test_a_credential_in_an_address_is_none(self, gateway: Gateway) -> None:
        text, _ = nonce(gateway)
        with visitor(gateway, None) as visiting:
            for query in (f"x-nonce={text}", f"credential={text}"):
                assert visiting.client.get(f"/pages/jobs?{query}").status_code == 303
            headers = {"Authorization": f"Bearer {TOKENS['READ']}"}
            assert visiting.client.get("/pages/jobs", headers=headers).status_code == 303

    def test_a_link_from_another_site_leads_through_a_page_of_the_gateway(self, gateway: Gateway) -> None:
        """A browser sends no strict cookie with a navigation from another site; with the next one it does."""
        with visitor(gateway, None) as visiting:
            headers = {"Sec-Fetch-Site": "cross-site"}
            answer = visiting.client.get("/pages/sign-in?next=/pages/outbox", headers=headers)
            assert '<meta http-equiv="refresh" content="0; url=/pages/outbox">' in answer.text
            assert "credential" in visiting.client.get("/pages/sign-in?next=/pages/outbox", headers=OWN).text


@pytest.mark.promise("S24")
class TestCookie:
    def test_how_it_is_kept(self, gateway: Gateway) -> None:
        with visitor(gateway, None) as visiting:
            cookie = visiting.sign_in(TOKENS["READ"]).headers["set-cookie"]
            attributes = {part.strip().lower() for part in cookie.split(";")[1:]}
            assert attributes == {"httponly", "samesite=strict", "path=/pages", "max-age=3600"}

    def test_behind_a_proxy_that_speaks_tls(self, mongodb_uri: str, database: Database[Any]) -> None:
        more = {"gateway__api_server": "https://jobs.example.org"}
        with serving(settings(mongodb_uri, database.name, **more)) as gateway, visitor(gateway, None) as visiting:
            answer = visiting.post("/pages/sign-in", {"credential": TOKENS["READ"]}, Origin="https://jobs.example.org")
            cookie = answer.headers["set-cookie"]
            assert cookie.startswith("__Secure-pipelinejobs=")
            assert "secure" in cookie.lower().split("; ")

    def test_where_the_gateway_speaks_tls(self, mongodb_uri: str, database: Database[Any], tmp_path: Path) -> None:
        made = tls.make(tmp_path, "127.0.0.1")
        more = {"gateway__tls_certificate": str(made.certificate), "gateway__tls_key": str(made.key)}
        trusted = ssl.create_default_context(cafile=made.certificate)
        with (
            serving(settings(mongodb_uri, database.name, **more)) as gateway,
            httpx.Client(base_url=gateway.url, verify=trusted, trust_env=False) as client,
        ):
            cookie = Visitor(client).sign_in(TOKENS["READ"]).headers["set-cookie"]
            assert cookie.startswith("__Secure-pipelinejobs=")
            assert "secure" in cookie.lower().split("; ")
            assert is_in(Visitor(client))

    def test_it_is_no_credential_of_the_api(self, gateway: Gateway, job: StoredJob) -> None:
        with visitor(gateway, "UPDATE") as visiting:
            (cookie,) = visiting.client.cookies.jar
            headers = {"Cookie": f"{cookie.name}={cookie.value}"}
            for path in ("/jobs", f"/jobs/{job.uuid}", "/changes", f"/actors/v2/{ALIAS}/nonces"):
                assert gateway.client.get(path, headers=headers).status_code == 401
            post = gateway.client.post(f"/actors/v2/{ALIAS}/messages", json=job.event("run"), headers=headers)
            assert post.status_code == 401
        assert job.state == "CREATED"

    @pytest.mark.parametrize("value", ["", "x", "x" * 5000, '"$ne"'])
    def test_an_invented_session_is_not_accepted(self, gateway: Gateway, value: str) -> None:
        answer = gateway.client.get("/pages/jobs", headers={"Cookie": f"pipelinejobs={value}"})
        assert answer.status_code == 303

    def test_a_new_sign_in_ends_the_one_before(self, gateway: Gateway) -> None:
        with visitor(gateway, "READ") as visiting:
            former = visiting.client.cookies["pipelinejobs"]
            visiting.sign_in(TOKENS["UPDATE"])
            assert visiting.client.cookies["pipelinejobs"] != former
            answer = gateway.client.get("/pages/jobs", headers={"Cookie": f"pipelinejobs={former}"})
            assert answer.status_code == 303


@pytest.mark.promise("S25")
class TestEnd:
    def test_signing_out_ends_it_at_every_gateway(
        self, mongodb_uri: str, database: Database[Any], gateway: Gateway
    ) -> None:
        with serving(settings(mongodb_uri, database.name)) as other, visitor(gateway) as visiting:
            headers = {"Cookie": f"pipelinejobs={visiting.client.cookies['pipelinejobs']}"}
            assert other.client.get("/pages/jobs", headers=headers).status_code == 200
            answer = visiting.post("/pages/sign-out", {"form": visiting.form})
            assert answer.headers["location"] == "/pages/sign-in?out=1"
            assert "You are signed out" in visiting.get("/pages/sign-in?out=1")
            assert not visiting.client.cookies
            for one in (gateway, other):
                assert one.client.get("/pages/jobs", headers=headers).status_code == 303

    def test_with_its_time(self, gateway: Gateway, database: Database[Any]) -> None:
        with visitor(gateway) as visiting:
            assert is_in(visiting)
            database["gateway_sessions"].update_one({}, {"$set": {"expires": gateway.parts.store.outbox.now()}})
            assert not is_in(visiting)

    def test_with_its_nonce(self, gateway: Gateway) -> None:
        text, handle = nonce(gateway)
        with visitor(gateway, None) as visiting:
            visiting.sign_in(text)
            assert is_in(visiting)
            gateway.ask("DELETE", f"/actors/v2/{ALIAS}/nonces/{handle}")
            assert not is_in(visiting)

    def test_with_the_time_of_its_nonce(self, gateway: Gateway, database: Database[Any]) -> None:
        made, _ = gateway.parts.store.nonces.make(
            NewNonce(scope=f"alias:{ALIAS}", tenant="SD2E", seconds=60, owner="jdoe", by_operator=True)
        )
        with visitor(gateway, None) as visiting:
            visiting.sign_in(made.reveal())
            assert is_in(visiting)
            database["gateway_nonces"].update_one({}, {"$set": {"expires": gateway.parts.store.outbox.now()}})
            assert not is_in(visiting)

    def test_with_its_static_token(self, mongodb_uri: str, database: Database[Any], gateway: Gateway) -> None:
        """As after a restart of the gateway with the token removed from the settings."""
        without = settings(mongodb_uri, database.name, gateway__tokens="")
        with visitor(gateway) as visiting, serving(without) as other:
            headers = {"Cookie": f"pipelinejobs={visiting.client.cookies['pipelinejobs']}"}
            assert other.client.get("/pages/jobs", headers=headers).status_code == 303

    def test_a_revoked_permission_ends_at_once(self, gateway: Gateway, database: Database[Any]) -> None:
        text, _ = nonce(gateway, "UPDATE")
        with visitor(gateway, None) as visiting:
            visiting.sign_in(text)
            form = visiting.form
            assert visiting.post("/pages/outbox/send", {"form": form}).status_code == 303
            database["gateway_nonces"].update_one({}, {"$set": {"level": "READ"}})
            assert visiting.post("/pages/outbox/send", {"form": form}).status_code == 403
            database["gateway_nonces"].update_one({}, {"$set": {"level": "NONE"}})
            assert not is_in(visiting)
            assert visiting.post("/pages/sign-out", {"form": form}).status_code == 303
            assert database["gateway_sessions"].count_documents({}) == 0

    def test_of_a_credential_only_the_newest_are_kept(self, gateway: Gateway, database: Database[Any]) -> None:
        with visitor(gateway) as first, visitor(gateway, None) as others:
            for _ in range(51):
                others.client.cookies.clear()
                others.sign_in(TOKENS["READ"])
            assert database["gateway_sessions"].count_documents({}) == 50
            assert is_in(others)
            assert not is_in(first)

    def test_of_an_authority_that_this_gateway_does_not_ask(self, gateway: Gateway) -> None:
        session = gateway.parts.store.sessions.make("jdoe", "oauth2", "", 60)
        with visitor(gateway, None) as visiting:
            visiting.client.cookies.set("pipelinejobs", session.reveal(), path="/pages")
            assert not is_in(visiting)


def test_a_word_that_is_no_credential_is_not_hidden_from_then_on(gateway: Gateway) -> None:
    with visitor(gateway, None) as visiting:
        assert visiting.sign_in("FINISHED").status_code == 401
    assert redaction.redacted("the job is FINISHED") == "the job is FINISHED"


def test_a_form_has_an_end(gateway: Gateway) -> None:
    with visitor(gateway, None) as visiting:
        assert visiting.sign_in("x" * 40_000).status_code == 413


@pytest.mark.promise("S24")
class TestForgery:
    """A page of another site makes the browser of a signed-in user send a form (CSRF)."""

    @pytest.mark.parametrize("path", ["/pages/outbox/send", "/pages/sign-out", "/pages/sign-in"])
    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
            {"Sec-Fetch-Site": "none"},
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
            {"Origin": "http://["},
            {"Sec-Fetch-Site": "same-origin", "Origin": "https://evil.example"},
        ],
        ids=str,
    )
    def test_it_is_refused(self, gateway: Gateway, path: str, headers: dict[str, str]) -> None:
        with visitor(gateway, "UPDATE") as visiting:
            fields = {"form": visiting.form, "credential": TOKENS["READ"]}
            answer = visiting.client.post(path, data=fields, headers=headers)
            assert answer.status_code == 403
            assert is_in(visiting)

    def test_a_browser_that_names_the_origin_alone_is_believed(self, gateway: Gateway) -> None:
        with visitor(gateway) as visiting:
            data, headers = {"form": visiting.form}, {"Origin": gateway.url}
            assert visiting.client.post("/pages/sign-out", data=data, headers=headers).status_code == 303

    @pytest.mark.parametrize("form", ["", "0" * 32])
    def test_the_form_of_another_session_is_refused(self, gateway: Gateway, form: str) -> None:
        with visitor(gateway, "UPDATE") as visiting:
            for path in ("/pages/outbox/send", "/pages/sign-out"):
                assert visiting.post(path, {"form": form}).status_code == 403
            assert is_in(visiting)

    def test_what_is_no_form_is_refused(self, gateway: Gateway) -> None:
        with visitor(gateway, "UPDATE") as visiting:
            answer = visiting.client.post("/pages/outbox/send", json={"form": visiting.form}, headers=OWN)
            assert answer.status_code == 415
            many = {f"f{number}": "x" for number in range(30)}
            assert visiting.post("/pages/outbox/send", many).status_code == 400


@pytest.mark.parametrize("path", ["/pages/sign-in", *PAGES, "/pages/static/pages.css", "/pages/nothing"])
def test_the_headers_of_every_answer(gateway: Gateway, path: str) -> None:
    with visitor(gateway) as visiting:
        headers = visiting.client.get(path).headers
    policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == policy["form-action"] == "'self'"
    assert policy["base-uri"] == policy["frame-ancestors"] == "'none'"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"


def test_style_and_script_are_kept_while_they_are_what_they_were(gateway: Gateway) -> None:
    page = gateway.client.get("/pages/sign-in").text
    (address,) = re.findall(r'href="(/pages/static/pages.css[^"]*)"', page)
    assert "immutable" in gateway.client.get(address).headers["cache-control"]
    old = f"{urlsplit(address).path}?v=0000"
    assert gateway.client.get(old).headers["cache-control"] == "no-store"


def test_pages_are_no_part_of_the_api(gateway: Gateway) -> None:
    paths = gateway.client.get("/openapi.json").json()["paths"]
    assert "/" not in paths
    assert not any(path.startswith("/pages") for path in paths)
