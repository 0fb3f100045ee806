"""No secret is shown."""

from typing import Final

from tools.mutants.breaks.one import Break

NO_SECRET: Final = (
    Break(
        promises=("P6", "S15"),
        what="shows a secret where it is printed",
        file="pipelinejobs/util/secret.py",
        old='return "<secret>"',
        new="return self._text",
        tests=("tests/unit/util/test_secret.py::test_it_is_blank_wherever_it_is_printed",),
    ),
    Break(
        promises=("P6", "S15"),
        what="repeats the token in the gateway's answer",
        file="pipelinejobs/gateway/routes/messages.py",
        old='return message | {"token": HIDDEN} if "token" in message else message',
        new="return message",
        tests=("tests/integration/gateway/test_gateway_messages.py::TestForms::test_a_json_event",),
    ),
    Break(
        promises=("P6", "S15"),
        what="does not hide the secrets that it knows from the log",
        file="pipelinejobs/util/redaction.py",
        old="for secret in _known.spellings:",
        new="for secret in _known.spellings[:0]:",
        tests=("tests/unit/util/test_log.py::test_known_secrets_are_hidden",),
    ),
    Break(
        promises=("P6", "S15"),
        what="lets the handlers of libraries write past the redaction",
        file="pipelinejobs/util/log.py",
        old="logging.Logger.callHandlers = _write",
        new="logging.Logger.callHandlers = logging.Logger.callHandlers",
        tests=("tests/acceptance/test_sdk.py::test_a_good_message_shows_no_secret",),
    ),
    Break(
        promises=("P6", "S15"),
        what="writes the token, and all else of the query, into the log",
        file="pipelinejobs/gateway/deliveries.py",
        old='"user": arrived.user,\n',
        new='"user": arrived.query.decode(),\n',
        tests=("tests/integration/gateway/test_gateway_health.py::TestLogs::test_no_query_and_no_secret",),
    ),
    Break(
        promises=("P6", "S15"),
        what="keeps the token with a refusal",
        file="pipelinejobs/store/refused.py",
        old="_cut(event.data, self.limits.size)",
        new="_cut(event.message, self.limits.size)",
        tests=("tests/acceptance/test_attacks.py::TestLeakage::test_nothing_of_it_is_shown_or_stored",),
    ),
    Break(
        promises=("P6", "S18"),
        what="shows the salt of a job, of which its token is made",
        file="pipelinejobs/core/views.py",
        old="return name in _HARMLESS",
        new="return True",
        tests=("tests/integration/gateway/test_gateway_jobs.py::TestOne::test_without_anything_secret",),
    ),
)
