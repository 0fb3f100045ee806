"""The pages in a real browser, as a person uses them."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from playwright.sync_api import expect

from support.browser import DESKTOP, PHONE, Browsing
from support.gateway import Gateway, eventually
from support.pages import HOSTILE
from support.process import Documents, StoredJob, callback
from tools.demo.indexer import Indexer

Window = Callable[..., Browsing]
NewJob = Callable[..., StoredJob]


def give_up(gateway: Gateway, indexer: Indexer, job: StoredJob) -> None:
    """Gives a job an outbox message that has failed."""
    indexer.status = 500
    gateway.post(job.event("run"))
    gateway.post(job.event("finish"))
    eventually(lambda: job.stored()["_outbox"][0]["status"] == "undelivered")


def test_from_signing_in_to_signing_out(window: Window, gateway: Gateway, job: StoredJob) -> None:
    gateway.post(job.event("run"))
    here = window()
    page = here.page
    here.go(f"/pages/jobs/{job.uuid}")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.get_by_label("Token or nonce").fill("nobody-knows-this")
    page.keyboard.press("Enter")
    expect(page.locator("#credential-wrong")).to_contain_text("Unknown Bearer token")
    page.get_by_label("Token or nonce").fill("pj-canary-read-5f2e91")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"**/pages/jobs/{job.uuid}")
    (cookie,) = page.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, "Strict", "/pages")
    assert page.evaluate("document.cookie") == ""
    expect(page.get_by_role("heading", level=1)).to_contain_text(job.uuid)
    page.get_by_role("link", name="Outbox").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Outbox")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_text("You are signed out.")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert page.context.cookies() == []


def test_a_link_from_another_site_finds_who_is_signed_in(window: Window, gateway: Gateway, job: StoredJob) -> None:
    here = window()
    here.sign_in()
    other = here.url.replace("127.0.0.1", "localhost")
    here.page.context.route(
        f"{other}/*",
        lambda route: route.fulfill(body=f"<a href='{here.url}/pages/outbox'>go</a>", content_type="text/html"),
    )
    here.wrong.clear()
    here.page.goto(f"{other}/elsewhere")
    here.wrong.clear()  # this page is not fetched from anywhere
    here.page.get_by_role("link", name="go").click()
    expect(here.page.get_by_role("heading", level=1)).to_have_text("Outbox")


def test_filters(window: Window, gateway: Gateway, new_job: NewJob) -> None:
    running, other = new_job(session="night run"), new_job()
    gateway.post(running.event("run"))
    here = window()
    here.sign_in()
    page = here.page
    rows = page.locator("#rows > tr")
    expect(rows).to_have_count(2)
    page.get_by_role("checkbox", name="RUNNING").check()
    page.get_by_role("button", name="Filter").click()
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text(running.uuid)
    assert "state=RUNNING" in page.url
    page.reload()
    expect(page.get_by_role("checkbox", name="RUNNING")).to_be_checked()
    page.get_by_label("Text").fill("nowhere")
    page.keyboard.press("Enter")
    expect(page.get_by_text("No job matches.")).to_be_visible()
    page.get_by_role("link", name="Show all jobs").click()
    expect(rows).to_have_count(2)
    page.get_by_text("Pipeline, time and silence").click()
    page.get_by_label("Changed since").fill("soon")
    page.keyboard.press("Enter")
    wrong = page.get_by_label("Changed since")
    expect(wrong).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#since-wrong")).to_be_visible()
    assert other.uuid not in page.content()


@pytest.mark.parametrize("javascript", [True, False])
def test_the_filter_for_silent_jobs(
    window: Window, gateway: Gateway, new_job: NewJob, jobs: Documents, javascript: bool
) -> None:
    silent, other = [new_job(updated=datetime.now(UTC) - timedelta(hours=7)) for _ in range(2)]
    gateway.post(callback("agave", "RUNNING"), silent.url())
    earlier = datetime.now(UTC) - timedelta(hours=7)
    limit = {"_time_limit.running_since": earlier, "_time_limit.overdue_from": earlier + timedelta(hours=4)}
    jobs.update_one({"uuid": silent.uuid}, {"$set": {"updated": earlier, **limit}})
    new_job(updated=datetime.now(UTC))
    here = window(java_script_enabled=javascript)
    here.sign_in()
    page = here.page
    rows = page.locator("#rows > tr")
    expect(rows).to_have_count(3)
    page.get_by_text("Pipeline, time and silence").click()
    page.get_by_label("Without an event for").fill("6h")
    page.get_by_role("button", name="Filter").click()
    expect(rows).to_have_count(2)
    expect(page.get_by_label("Without an event for")).to_have_value("6h")
    page.get_by_role("checkbox", name="Running longer than the job system allows").check()
    page.get_by_role("button", name="Filter").click()
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text(silent.uuid)
    assert other.uuid not in page.content()
    assert "quiet_for=6h&overdue=true" in page.url
    expect(page.get_by_role("checkbox", name="Running longer than the job system allows")).to_be_checked()
    page.get_by_role("link", name=silent.uuid).click()
    expect(page.get_by_text("no event for 7 h")).to_be_visible()
    expect(page.get_by_text("longer than the job system's limit of 4 h")).to_be_visible()


class TestLive:
    def test_a_row_changes_where_it_is_and_others_are_counted(
        self, window: Window, gateway: Gateway, new_job: NewJob
    ) -> None:
        jobs = [new_job(updated=datetime.now(UTC) - timedelta(hours=hours)) for hours in (3, 2, 1)]
        here = window()
        here.sign_in()
        here.go("/pages/jobs#main")  # as after the link that skips the top
        here.wait_until_live()
        page = here.page
        places = page.locator("#rows .id:first-child").all_inner_texts()
        gateway.post(jobs[0].event("run"))  # the last of the list, which would now be the first
        row = page.locator(f"#job-{jobs[0].uuid}")
        expect(row.locator(".state")).to_have_text("RUNNING")
        assert page.locator("#rows .id:first-child").all_inner_texts() == places
        new = new_job(updated=datetime.now(UTC))
        gateway.post(new.event("run"))
        notice = page.get_by_role("status")
        expect(notice).to_contain_text("1 other job is new or has changed.")
        assert page.locator("#rows > tr").count() == 3
        notice.get_by_role("link", name="Show").click()
        expect(page.locator("#rows > tr")).to_have_count(4)
        expect(page.locator("#rows > tr").first).to_contain_text(new.uuid)

    def test_a_row_that_has_left_the_list_is_marked_as_outdated(
        self, window: Window, gateway: Gateway, job: StoredJob
    ) -> None:
        gateway.post(job.event("run"))
        here = window()
        here.sign_in()
        here.go("/pages/jobs?state=RUNNING")
        here.wait_until_live()
        row = here.page.locator(f"#job-{job.uuid}")
        expect(row).not_to_have_class(re.compile("gone"))
        gateway.post(job.event("finish"))
        expect(row).to_have_class(re.compile("gone"))
        expect(here.page.get_by_role("status")).to_contain_text("1 other job is new or has changed.")

    def test_the_page_of_a_job(self, window: Window, gateway: Gateway, job: StoredJob) -> None:
        gateway.post(job.event("run", {"text": "word " * 100}))
        here = window()
        here.sign_in()
        here.go(f"/pages/jobs/{job.uuid}")
        here.wait_until_live()
        page = here.page
        page.locator("details[data-key=event-2] summary").click()
        page.evaluate("window.stayed = true")
        gateway.post(job.event("update", {"n": 7}))
        expect(page.locator(".timeline li")).to_have_count(3)
        expect(page.locator(".timeline")).to_contain_text('{"n": 7}')
        expect(page.get_by_role("status")).to_contain_text("This job has changed")
        expect(page.locator("details[data-key=event-2]")).to_have_attribute("open", "")
        gateway.post(job.event("finish"))
        expect(page.locator(".standing .state")).to_have_text("FINISHED")
        expect(page.locator("svg .present")).to_have_attribute("data-state", "FINISHED")
        assert page.evaluate("window.stayed") is True  # it was not loaded again

    def test_a_message_goes_when_it_is_delivered(
        self, window: Window, gateway: Gateway, indexer: Indexer, job: StoredJob
    ) -> None:
        give_up(gateway, indexer, job)
        here = window()
        here.sign_in()
        here.go(f"/pages/jobs/{job.uuid}")
        expect(here.page.locator("#part-outbox")).to_contain_text("failed")
        indexer.status = 200
        (owed,) = gateway.parts.store.outbox.rows(job=job.uuid, statuses=("undelivered",))
        gateway.parts.outbox.attempt(owed)
        expect(here.page.locator("#part-outbox")).to_contain_text("No message to the Indexer is pending")

    def test_what_has_the_focus_keeps_it_and_nothing_takes_its_place(
        self, window: Window, gateway: Gateway, indexer: Indexer, new_job: NewJob
    ) -> None:
        """A user who presses Enter means the message that stood there, and no other."""
        jobs = [new_job(), new_job()]
        for job in jobs:
            give_up(gateway, indexer, job)
        outbox = gateway.parts.store.outbox
        first, second = outbox.rows(statuses=("undelivered",))
        here = window()
        here.sign_in("UPDATE")
        here.go("/pages/outbox")
        button = here.page.get_by_role("button", name=f"Send index of {second.job} again")
        button.focus()
        indexer.status = 200
        gateway.parts.outbox.attempt(first)
        expect(here.page.locator("tbody > tr")).to_have_count(1)
        expect(button).to_be_focused()
        gateway.parts.outbox.attempt(second)
        expect(here.page.get_by_text("No message has failed.")).to_be_visible()
        expect(here.page.locator("main")).to_be_focused()

    def test_the_end_of_a_session_is_shown(self, window: Window, gateway: Gateway, job: StoredJob) -> None:
        here = window()
        here.sign_in()
        here.wait_until_live()
        gateway.parts.store.database["gateway_sessions"].delete_many({})
        gateway.post(job.event("run"))
        expect(here.page.get_by_role("status")).to_contain_text("Your session has ended")


def test_a_failed_message_is_sent_again(window: Window, gateway: Gateway, indexer: Indexer, new_job: NewJob) -> None:
    jobs = [new_job(), new_job(), new_job()]
    for job in jobs:
        give_up(gateway, indexer, job)
    here = window()
    here.sign_in("UPDATE")
    page = here.page
    here.go("/pages/outbox")
    page.get_by_role("button", name=f"Send index of {jobs[0].uuid} again").click()
    expect(page.get_by_text("1 not delivered; the reason is shown with the message.")).to_be_visible()
    indexer.status = 200
    page.get_by_role("button", name=f"Send index of {jobs[0].uuid} again").click()
    expect(page.get_by_text("1 delivered to the Indexer.")).to_be_visible()
    expect(page.locator("tbody > tr")).to_have_count(2)
    page.get_by_role("button", name="Send all failed messages again").click()
    expect(page.get_by_text("2 delivered to the Indexer.")).to_be_visible()
    expect(page.get_by_text("No message has failed.")).to_be_visible()
    assert not any(job.stored()["_outbox"] for job in jobs)


def test_by_keyboard_alone(window: Window, gateway: Gateway, job: StoredJob) -> None:
    gateway.post(job.event("run", {"text": "word " * 100}))
    here = window()
    page = here.page
    here.go("/pages/jobs")
    expect(page.get_by_label("Token or nonce")).to_be_focused()  # by itself, a frame after the page is there
    page.keyboard.type("pj-canary-read-5f2e91")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Jobs")

    def walk_to(words: str) -> None:
        """Presses Tab until this has the focus, which is always to be seen."""
        for _ in range(60):
            page.keyboard.press("Tab")
            found: str = page.evaluate("document.activeElement.innerText || document.activeElement.value || ''")
            outline: str = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert outline != "none", found
            if words in found:
                return
        raise AssertionError(f"{words} cannot be reached by keyboard")

    walk_to("Skip to the content")
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()  # the browser goes there a moment after the key
    walk_to("RUNNING")
    page.keyboard.press("Space")
    walk_to("Filter")
    page.keyboard.press("Enter")
    page.wait_for_url("**state=RUNNING**")
    walk_to(job.uuid)
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/pages/jobs/{job.uuid}")
    walk_to("word word")
    page.keyboard.press("Enter")
    expect(page.locator("details[data-key=event-2]")).to_have_attribute("open", "")


PATHS: Final = [
    "/pages/jobs",
    "/pages/jobs?state=LOST&since=x",
    "/pages/jobs?text=nowhere",
    "/pages/jobs/{}",
    "/pages/outbox",
]


@pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_nothing_is_wider_than_the_window(
    window: Window, gateway: Gateway, indexer: Indexer, job: StoredJob, jobs: Documents, viewport: Any
) -> None:
    give_up(gateway, indexer, job)
    gateway.post(job.event("finish", {"n" * 300: "w" * 5000, "line": "x" * 100}))
    gateway.post(job.event("update", {"a": "y" * 110}))
    long = {"archive_path": "/p" * 400, "session": "s" * 400, "_outbox.0.error": "e" * 300, "agent": "a" * 500}
    jobs.update_one({"uuid": job.uuid}, {"$set": long})
    here = window(viewport=viewport)
    here.go("/pages/sign-in")
    assert here.overflow == 0
    here.sign_in("UPDATE")
    for path in PATHS:
        here.go(path.format(job.uuid))
        here.page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        assert here.overflow == 0, path


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_scheme_of_the_reader(window: Window, gateway: Gateway, job: StoredJob, scheme: Any) -> None:
    here = window(color_scheme=scheme)
    here.sign_in()
    ground: str = here.page.evaluate("getComputedStyle(document.body).backgroundColor")
    brightness = sum(map(int, re.findall(r"\d+", ground)[:3])) / 3
    assert (brightness < 64) == (scheme == "dark")
    here.page.emulate_media(media="print")
    assert here.page.evaluate("getComputedStyle(document.querySelector('h1')).color") == "rgb(0, 0, 0)"
    surface: str = here.page.evaluate("getComputedStyle(document.querySelector('table')).backgroundColor")
    assert surface == "rgb(255, 255, 255)"


def test_what_others_wrote_does_nothing(window: Window, gateway: Gateway, jobs: Documents, job: StoredJob) -> None:
    """Whatever of it would run would be seen: it opens a dialog, and asks for what is not there."""
    hostile = f"{HOSTILE}<img src=x onerror=alert(3)>"
    gateway.post(job.event("run", {hostile: hostile, "long": hostile * 30}))
    jobs.update_one({"uuid": job.uuid}, {"$set": {"session": hostile, "archive_path": hostile, "agent": hostile}})
    here = window()
    here.sign_in()
    for path in ("/pages/jobs", f"/pages/jobs/{job.uuid}"):
        here.go(path)
        here.wait_until_live()
        expect(here.page.locator("main")).to_contain_text("<script>alert(1)</script>")
        assert here.page.locator("main img, main script").count() == 0
    gateway.post(job.event("update", {hostile: hostile}))
    expect(here.page.locator(".timeline li")).to_have_count(3)  # what is put in later does nothing either
    assert here.page.locator("main img, main script").count() == 0


def test_without_javascript(window: Window, gateway: Gateway, indexer: Indexer, job: StoredJob) -> None:
    give_up(gateway, indexer, job)
    indexer.status = 200
    here = window(java_script_enabled=False)
    here.sign_in("UPDATE")
    page = here.page
    page.get_by_role("link", name=job.uuid).click()
    expect(page.locator(".standing .state")).to_have_text("FINISHED")
    page.get_by_role("button", name="Send index of").click()
    expect(page.get_by_text("1 delivered to the Indexer.")).to_be_visible()
    page.get_by_role("link", name="Jobs").first.click()
    page.get_by_role("checkbox", name="FAILED").check()
    page.get_by_role("button", name="Filter").click()
    expect(page.get_by_text("No job matches.")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_text("You are signed out.")).to_be_visible()


def test_what_a_screen_reader_finds(window: Window, gateway: Gateway, job: StoredJob) -> None:
    gateway.post(job.event("run"))
    here = window()
    here.sign_in()
    for path in ("/pages/jobs", f"/pages/jobs/{job.uuid}", "/pages/outbox"):
        here.go(path)
        page = here.page
        assert page.get_by_role("heading", level=1).count() == 1
        for role in ("banner", "main", "contentinfo"):
            assert page.get_by_role(role).count() == 1
        assert page.locator("html").get_attribute("lang") == "en"
        unnamed = page.evaluate(
            "[...document.querySelectorAll('input:not([type=hidden])')].filter((one) => !one.labels.length).length"
        )
        assert unnamed == 0
    here.go(f"/pages/jobs/{job.uuid}")
    picture = here.page.get_by_role("img", name=re.compile("The lifecycle"))
    expect(picture).to_have_accessible_description(re.compile(r"The job is RUNNING. Its path, from CREATED: run"))
