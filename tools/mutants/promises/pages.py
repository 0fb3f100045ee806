"""The pages show nothing to the wrong people, and do nothing for them."""

from typing import Final

from tools.mutants.mutant import Mutant

PAGES: Final = (
    Mutant(
        promises=("S21",),
        what="puts into a page what was sent, as it is",
        where="pipelinejobs/gateway/pages/templates.py:environment",
        old="return made",
        new="""
            made.autoescape = False
            return made
        """,
        tests=("tests/integration/gateway/test_pages_job_page.py::test_whatever_was_sent_is_only_text",),
    ),
    Mutant(
        promises=("P6",),
        what="shows on a page the token that somebody has put into an event's data",
        where="pipelinejobs/gateway/pages/job_page.py:_shown",
        old="timeline(store.history, uuid, told.entries, newest, hide)",
        new="timeline(store.history, uuid, told.entries, newest, str)",
        tests=(
            "tests/integration/gateway/test_pages_job_page.py::test_no_secret_is_shown_wherever_somebody_has_put_it",
        ),
    ),
    Mutant(
        promises=("S24",),
        what="takes a form that a page of somebody else has sent",
        where="pipelinejobs/gateway/pages/visitor.py:require_own_form",
        old="(site is None and origin is None) or not by_site or not by_origin",
        new="site is None and origin is None",
        tests=("tests/integration/gateway/test_pages_sign_in.py::TestForgery::test_it_is_refused",),
    ),
    Mutant(
        promises=("S24",),
        what="takes the form of another session",
        where="pipelinejobs/gateway/pages/visitor.py:form_of_session",
        old='not same(fields.pop("form", ""), form)',
        new='fields.pop("form", "") is None',
        tests=(
            "tests/integration/gateway/test_pages_sign_in.py::TestForgery::test_the_form_of_another_session_is_refused",
        ),
    ),
    Mutant(
        promises=("S24",),
        what="lets other sites send the cookie",
        where="pipelinejobs/gateway/pages/sign_in.py:_attributes",
        old='"strict"',
        new='"none"',
        tests=("tests/integration/gateway/test_pages_sign_in.py::TestCookie::test_how_it_is_kept",),
    ),
    Mutant(
        promises=("S24",),
        what="leads from signing in to wherever an address says",
        where="pipelinejobs/gateway/pages/sign_in.py:_own",
        old="address is None or not _OWN.fullmatch(address)",
        new="address is None",
        tests=(
            "tests/integration/gateway/test_pages_sign_in.py::TestSigningIn::test_it_leads_back_to_pages_of_its_own_only",
        ),
    ),
    Mutant(
        promises=("S25",),
        what="keeps a session that is over",
        where="pipelinejobs/store/sessions.py:Sessions.find",
        old='{"_id": {"$eq": _digest(shown.reveal())}, "$expr": {"$gt": ["$expires", "$$NOW"]}}',
        new='{"_id": {"$eq": _digest(shown.reveal())}}',
        tests=("tests/integration/gateway/test_pages_sign_in.py::TestEnd::test_with_its_time",),
    ),
    Mutant(
        promises=("S25",),
        what="shows jobs to somebody whose right to see them was taken",
        where="pipelinejobs/gateway/pages/visitor.py:visitor_of.find",
        old="caller is None or caller.right < Right.READ",
        new="caller is None",
        tests=(
            "tests/integration/gateway/test_pages_sign_in.py::TestEnd::test_a_right_that_was_taken_is_gone_at_once",
        ),
    ),
    Mutant(
        promises=("S25", "S18"),
        what="lets somebody send letters again who may only look",
        where="pipelinejobs/gateway/pages/outbox.py:send",
        old="made.visitor.may_resend",
        new="made.visitor.user",
        tests=("tests/integration/gateway/test_pages_outbox.py::test_without_the_right_there_is_no_button_and_no_way",),
    ),
)
