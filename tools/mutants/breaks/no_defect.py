"""No input is a defect."""

from typing import Final

from tools.mutants.breaks.one import Break

_REPORTS: Final = "tests/unit/messages/test_messages_reports.py"

NO_DEFECT: Final = (
    Break(
        promises=("P7",),
        what="refuses a report for what is wrong with its body",
        file="pipelinejobs/messages/reader.py",
        old="        report = _mended(delivery)\n",
        new="        report = None\n",
        tests=(
            f"{_REPORTS}::test_whatever_its_body_and_parameters",
            f"{_REPORTS}::TestText::test_a_failed_job_on_abaco",
            f"{_REPORTS}::TestWithoutAStatus::test_it_is_an_update",
        ),
    ),
    Break(
        promises=("P7",),
        what="refuses a report in another encoding",
        file="pipelinejobs/messages/lenient.py",
        old='return text or body.decode(_LAST_RESORT), f"is not UTF-8; read as {encoding.upper()}"',
        new='return body.decode("utf-8"), None',
        tests=(f"{_REPORTS}::test_whatever_its_body_and_parameters",),
    ),
    Break(
        promises=("P7",),
        what="looks for no status in a body that is too deep",
        file="pipelinejobs/messages/lenient.py",
        old='_left_out(marks, "body", TOO_DEEP)._replace(value=value, text=storable(text))',
        new='_left_out(marks, "body", TOO_DEEP)',
        tests=(f"{_REPORTS}::test_what_is_too_deep_or_too_large_is_left_out_and_its_status_counts",),
    ),
    Break(
        promises=("P7", "S9"),
        what="guesses what a command means that names an event in its URL",
        file="pipelinejobs/messages/parameters.py",
        old='if "event" in present or "name" in present or not is_uuid(present.get("uuid")):',
        new='if not is_uuid(present.get("uuid")):',
        tests=(f"{_REPORTS}::TestCommands::test_a_name_in_the_url",),
    ),
    Break(
        promises=("S18",),
        what="keeps malformed deliveries with a job whose token they do not show",
        file="pipelinejobs/service/manager.py",
        old="            if job is not None and tokens.is_shown(authority):\n",
        new="            if job is not None:\n",
        tests=("tests/integration/gateway/test_gateway_reports.py::TestWhatIsKept::test_of_others_nothing_is",),
    ),
    Break(
        promises=("P7",),
        what="answers a wrong request for a nonce with an error of its own",
        file="pipelinejobs/gateway/routes/nonces.py",
        old="raise Problem(HTTPStatus.BAD_REQUEST, error.reason) from None",
        new="raise Problem(HTTPStatus.INTERNAL_SERVER_ERROR, error.reason) from None",
        tests=(
            (
                "tests/integration/gateway/test_gateway_openapi.py"
                "::test_whatever_is_asked[POST /actors/v2/{actor}/nonces-negative]"
            ),
        ),
    ),
    Break(
        promises=("P7", "S10"),
        what="takes data that are nested deeper than MongoDB can hold",
        file="pipelinejobs/messages/values.py",
        old="if level > DEPTH:",
        new="if level > 100 * DEPTH:",
        tests=("tests/acceptance/test_attacks.py::TestDepthAndSize::test_deep_json_is_malformed",),
    ),
    Break(
        promises=("P7", "S9"),
        what="takes the last of two keys with the same name",
        file="pipelinejobs/messages/text.py",
        old="if len(result) == len(pairs):",
        new="if len(result) <= len(pairs):",
        tests=("tests/acceptance/test_attacks.py::TestNumbersAndText::test_are_malformed",),
    ),
    Break(
        promises=("P7", "S8"),
        what="takes letters of other alphabets for those of an event's name",
        file="pipelinejobs/messages/fields.py",
        old="meant = value.strip(BLANKS).translate(_TO_LOWER)",
        new="meant = value.strip(BLANKS).upper().lower()",
        tests=("tests/acceptance/test_attacks.py::TestNames::test_in_the_body",),
    ),
    Break(
        promises=("P7", "S6"),
        what="takes a token that is no text",
        file="pipelinejobs/messages/json_event.py",
        old='if "token" in body and not isinstance(body["token"], str):',
        new='if "token" in body and body["token"] is None:',
        tests=("tests/acceptance/test_attacks.py::TestTokens::test_what_is_no_text_is_malformed",),
    ),
    Break(
        promises=("S6",),
        what="takes a query's operators for a job's uuid",
        file="pipelinejobs/store/jobs.py",
        old='self._jobs.find_one({"uuid": {"$eq": uuid}})',
        new='self._jobs.find_one({"uuid": uuid})',
        tests=("tests/integration/store/test_store_operators.py::test_an_operator_is_a_name_that_nothing_has",),
    ),
)
