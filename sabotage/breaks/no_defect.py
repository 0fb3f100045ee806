"""No input is a defect."""

from typing import Final

from sabotage.breaks.one import Break

NO_DEFECT: Final = (
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
        tests=("tests/integration/test_store_operators.py::test_an_operator_is_a_name_that_nothing_has",),
    ),
)
