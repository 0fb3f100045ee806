"""The pages show and do only what their visitor may see and do."""

from typing import Final

from tools.mutants.mutant import Mutant

PAGES: Final = (
    Mutant(
        promises=("S21",),
        what="puts the text of a sender into a page without escaping it",
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
        what="shows on a page the token that a sender has put into an event's data",
        where="pipelinejobs/gateway/pages/job_page.py:_content",
        old="timeline(store.history, uuid, explained.entries, newest, hide)",
        new="timeline(store.history, uuid, explained.entries, newest, str)",
        tests=(
            "tests/integration/gateway/test_pages_job_page.py::test_no_secret_is_shown_wherever_a_writer_has_stored_it",
        ),
    ),
    Mutant(
        promises=("S24",),
        what="accepts a form that a page of another site has sent",
        where="pipelinejobs/gateway/pages/visitor.py:require_own_form",
        old="(site is None and origin is None) or not by_site or not by_origin",
        new="site is None and origin is None",
        tests=("tests/integration/gateway/test_pages_sign_in.py::TestForgery::test_it_is_refused",),
    ),
    Mutant(
        promises=("S24",),
        what="accepts the form of another session",
        where="pipelinejobs/gateway/pages/visitor.py:form_of_session",
        old='not same(fields.pop("form", ""), form)',
        new='fields.pop("form", "") is None',
        tests=(
            "tests/integration/gateway/test_pages_sign_in.py::TestForgery::test_the_form_of_another_session_is_refused",
        ),
    ),
    Mutant(
        promises=("S24",),
        what="lets browsers send the cookie with requests of other sites",
        where="pipelinejobs/gateway/pages/sign_in.py:_attributes",
        old='"strict"',
        new='"none"',
        tests=("tests/integration/gateway/test_pages_sign_in.py::TestCookie::test_how_it_is_kept",),
    ),
    Mutant(
        promises=("S24",),
        what="redirects to another site after signing in (open redirect)",
        where="pipelinejobs/gateway/pages/sign_in.py:_own",
        old="address is None or not _OWN.fullmatch(address)",
        new="address is None",
        tests=(
            "tests/integration/gateway/test_pages_sign_in.py::TestSigningIn::test_it_leads_back_to_pages_of_its_own_only",
        ),
    ),
    Mutant(
        promises=("S25",),
        what="accepts a session that has ended",
        where="pipelinejobs/store/sessions.py:Sessions.find",
        old='{"_id": {"$eq": _digest(shown.reveal())}, "$expr": {"$gt": ["$expires", "$$NOW"]}}',
        new='{"_id": {"$eq": _digest(shown.reveal())}}',
        tests=("tests/integration/gateway/test_pages_sign_in.py::TestEnd::test_with_its_time",),
    ),
    Mutant(
        promises=("S25",),
        what="shows jobs to a user whose READ permission was withdrawn",
        where="pipelinejobs/gateway/pages/visitor.py:visitor_of.find",
        old="principal is None or principal.permission < Permission.READ",
        new="principal is None",
        tests=("tests/integration/gateway/test_pages_sign_in.py::TestEnd::test_a_revoked_permission_ends_at_once",),
    ),
    Mutant(
        promises=("S25", "S18"),
        what="lets a user without the UPDATE permission send outbox messages again",
        where="pipelinejobs/gateway/pages/outbox.py:send",
        old="visit.visitor.may_resend",
        new="visit.visitor.user",
        tests=(
            "tests/integration/gateway/test_pages_outbox.py::test_without_the_permission_there_is_no_button_and_sending_is_refused",
        ),
    ),
)
