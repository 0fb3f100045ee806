"""No secret is shown."""

from typing import Final

from tools.mutants.mutant import Mutant

NO_SECRET: Final = (
    Mutant(
        promises=("P6", "S15"),
        what="shows a secret that is printed",
        where="pipelinejobs/util/secret.py:Secret.__repr__",
        old='"<secret>"',
        new="self._text",
        tests=("tests/unit/util/test_secret.py::test_it_is_blank_wherever_it_is_printed",),
    ),
    Mutant(
        promises=("P6", "S15"),
        what="repeats the token in the gateway's answer",
        where="pipelinejobs/gateway/routes/messages.py:_shown",
        old='message | {"token": HIDDEN} if "token" in message else message',
        new="message",
        tests=("tests/integration/gateway/test_gateway_messages.py::TestForms::test_a_json_event",),
    ),
    Mutant(
        promises=("P6", "S15"),
        what="does not redact known secrets in the log",
        where="pipelinejobs/util/redaction.py:redacted",
        old="_known.spellings",
        new="_known.spellings[:0]",
        tests=("tests/unit/util/test_log.py::test_known_secrets_are_hidden",),
    ),
    Mutant(
        promises=("P6", "S15"),
        what="lets the handlers of libraries write past the redaction",
        where="pipelinejobs/util/log.py:alone",
        old="_write",
        new="logging.Logger.callHandlers",
        tests=("tests/acceptance/test_sdk.py::test_a_good_message_shows_no_secret",),
    ),
    Mutant(
        promises=("P6", "S15"),
        what="writes the whole query into the log, the token included",
        where="pipelinejobs/gateway/deliveries.py:Deliveries._note",
        old='{"fields": fields}',
        new='{"fields": fields | {"user": str(dict(delivery.parameters))}}',
        tests=("tests/integration/gateway/test_gateway_health.py::TestLogs::test_no_query_and_no_secret",),
    ),
    Mutant(
        promises=("P6", "S15"),
        what="stores the token with a refusal",
        where="pipelinejobs/store/refused.py:RefusedDeliveries.row",
        old="event.data",
        new="event.message",
        tests=("tests/acceptance/test_attacks.py::TestLeakage::test_nothing_of_it_is_shown_or_stored",),
    ),
    Mutant(
        promises=("P6", "S18"),
        what="shows the salt of a job, from which its token is derived",
        where="pipelinejobs/core/views.py:_is_public",
        old="name in _HARMLESS",
        new="True",
        tests=("tests/integration/gateway/test_gateway_jobs.py::TestOne::test_without_anything_secret",),
    ),
)
