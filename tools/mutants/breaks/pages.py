"""The pages show nothing to the wrong people, and do nothing for them."""

from typing import Final

from tools.mutants.breaks.one import Break

PAGES: Final = (
    Break(
        promises=("S21",),
        what="puts into a page what was sent, as it is",
        file="pipelinejobs/gateway/pages/templates.py",
        old="autoescape=True",
        new="autoescape=False",
        tests=("tests/integration/gateway/test_pages_job_page.py::test_whatever_was_sent_is_only_text",),
    ),
    Break(
        promises=("P6",),
        what="shows on a page the token that somebody has put into an event's data",
        file="pipelinejobs/gateway/pages/job_page.py",
        old="told.entries, newest, hide)",
        new="told.entries, newest, str)",
        tests=(
            "tests/integration/gateway/test_pages_job_page.py::test_no_secret_is_shown_wherever_somebody_has_put_it",
        ),
    ),
    Break(
        promises=("S24",),
        what="takes a form that a page of somebody else has sent",
        file="pipelinejobs/gateway/pages/visitor.py",
        old="    if (site is None and origin is None) or not by_site or not by_origin:\n",
        new="    if site is None and origin is None:\n",
        tests=("tests/integration/gateway/test_pages_sign_in.py::TestForgery::test_it_is_refused",),
    ),
    Break(
        promises=("S24",),
        what="takes the form of another session",
        file="pipelinejobs/gateway/pages/visitor.py",
        old='if not same(fields.pop("form", ""), form):',
        new='if fields.pop("form", "") is None:',
        tests=(
            (
                "tests/integration/gateway/test_pages_sign_in.py::TestForgery"
                "::test_the_form_of_another_session_is_refused"
            ),
        ),
    ),
    Break(
        promises=("S24",),
        what="lets other sites send the cookie",
        file="pipelinejobs/gateway/pages/sign_in.py",
        old='"samesite": "strict"',
        new='"samesite": "none"',
        tests=("tests/integration/gateway/test_pages_sign_in.py::TestCookie::test_how_it_is_kept",),
    ),
    Break(
        promises=("S24",),
        what="leads from signing in to wherever an address says",
        file="pipelinejobs/gateway/pages/sign_in.py",
        old="if address is None or not _OWN.fullmatch(address):",
        new="if address is None:",
        tests=(
            (
                "tests/integration/gateway/test_pages_sign_in.py::TestSigningIn"
                "::test_it_leads_back_to_pages_of_its_own_only"
            ),
        ),
    ),
    Break(
        promises=("S25",),
        what="keeps a session that is over",
        file="pipelinejobs/store/sessions.py",
        old=', "$expr": {"$gt": ["$expires", "$$NOW"]}}',
        new="}",
        tests=("tests/integration/gateway/test_pages_sign_in.py::TestEnd::test_with_its_time",),
    ),
    Break(
        promises=("S25",),
        what="shows jobs to somebody whose right to see them was taken",
        file="pipelinejobs/gateway/pages/visitor.py",
        old="if caller is None or caller.right < Right.READ:",
        new="if caller is None:",
        tests=(
            "tests/integration/gateway/test_pages_sign_in.py::TestEnd::test_a_right_that_was_taken_is_gone_at_once",
        ),
    ),
    Break(
        promises=("S25", "S18"),
        what="lets somebody send letters again who may only look",
        file="pipelinejobs/gateway/pages/outbox.py",
        old="    if not made.visitor.may_resend:\n",
        new="    if not made.visitor.user:\n",
        tests=("tests/integration/gateway/test_pages_outbox.py::test_without_the_right_there_is_no_button_and_no_way",),
    ),
)
