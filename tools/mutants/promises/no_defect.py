"""No input is a defect."""

from typing import Final

from tools.mutants.mutant import Mutant

_REPORTS: Final = "tests/unit/messages/test_messages_reports.py"

NO_DEFECT: Final = (
    Mutant(
        promises=("P7",),
        what="refuses a report for what is wrong with its body",
        where="pipelinejobs/messages/reader.py:read",
        old="_mended(delivery)",
        new="None",
        tests=(
            f"{_REPORTS}::test_whatever_its_body_and_parameters",
            f"{_REPORTS}::TestText::test_a_failed_job_on_abaco",
            f"{_REPORTS}::TestWithoutAStatus::test_it_is_an_update",
        ),
    ),
    Mutant(
        promises=("P7",),
        what="refuses a report in another encoding",
        where="pipelinejobs/messages/body_text.py:_decoded",
        old='(text or body.decode(_LAST_RESORT), f"is not UTF-8; read as {encoding.upper()}")',
        new='(body.decode("utf-8"), None)',
        tests=(f"{_REPORTS}::test_whatever_its_body_and_parameters",),
    ),
    Mutant(
        promises=("P7",),
        what="ignores the status in a body that is nested too deeply",
        where="pipelinejobs/messages/lenient.py:_fit",
        old='_left_out(marks, "body", TOO_DEEP)._replace(value=value, text=storable(text))',
        new='_left_out(marks, "body", TOO_DEEP)',
        tests=(f"{_REPORTS}::test_what_is_too_deep_or_too_large_is_left_out_and_its_status_counts",),
    ),
    Mutant(
        promises=("P7", "S9"),
        what="reads a command that names an event in its URL as a report",
        where="pipelinejobs/messages/parameters.py:of_report",
        old='"event" in present or "name" in present or (not is_uuid(present.get("uuid")))',
        new='not is_uuid(present.get("uuid"))',
        tests=(f"{_REPORTS}::TestCommands::test_a_name_in_the_url",),
    ),
    Mutant(
        promises=("S18",),
        what="keeps malformed deliveries that show no token of their job",
        where="pipelinejobs/service/manager.py:Manager.keep_unread",
        old="job is not None and tokens.is_shown(authority)",
        new="job is not None",
        tests=("tests/integration/gateway/test_gateway_reports.py::TestWhatIsKept::test_of_others_nothing_is",),
    ),
    Mutant(
        promises=("P7",),
        what="answers an invalid request for a nonce with 500",
        where="pipelinejobs/gateway/routes/nonces.py:_make",
        old="HTTPStatus.BAD_REQUEST",
        new="HTTPStatus.INTERNAL_SERVER_ERROR",
        tests=(
            (
                "tests/integration/gateway/test_gateway_openapi.py"
                "::test_whatever_is_asked[POST /actors/v2/{actor}/nonces-negative]"
            ),
        ),
    ),
    Mutant(
        promises=("P7", "S10"),
        what="accepts data that are nested deeper than MongoDB can hold",
        where="pipelinejobs/messages/values.py:problems",
        old="DEPTH",
        new="100 * DEPTH",
        tests=("tests/acceptance/test_attacks.py::TestDepthAndSize::test_deep_json_is_malformed",),
    ),
    Mutant(
        promises=("P7", "S9"),
        what="accepts two keys with the same name, and uses the last",
        where="pipelinejobs/messages/text.py:_object",
        old="len(result) == len(pairs)",
        new="len(result) <= len(pairs)",
        tests=("tests/acceptance/test_attacks.py::TestNumbersAndText::test_are_malformed",),
    ),
    Mutant(
        promises=("P7", "S8"),
        what="accepts letters of other alphabets in an event's name",
        where="pipelinejobs/messages/fields.py:event_name",
        old="value.strip(BLANKS).translate(_TO_LOWER)",
        new="value.strip(BLANKS).upper().lower()",
        tests=("tests/acceptance/test_attacks.py::TestNames::test_in_the_body",),
    ),
    Mutant(
        promises=("P7", "S6"),
        what="accepts a token that is not text",
        where="pipelinejobs/messages/json_event.py:EVENT",
        old='Key("token", str, required=False)',
        new='Key("token", object, required=False)',
        tests=("tests/acceptance/test_attacks.py::TestTokens::test_what_is_no_text_is_malformed",),
    ),
    Mutant(
        promises=("S6",),
        what="accepts query operators as a job's uuid",
        where="pipelinejobs/store/jobs.py:Jobs.document",
        old='{"$eq": uuid}',
        new="uuid",
        tests=("tests/integration/store/test_store_operators.py::test_an_operator_is_a_name_that_nothing_has",),
    ),
)
