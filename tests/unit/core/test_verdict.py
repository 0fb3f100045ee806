"""The one table of verdicts, exit codes and HTTP statuses."""

from http import HTTPStatus

from pipelinejobs.core.verdict import EXIT_CODES, EXIT_WRONG_SETTING, STATUSES, Verdict

GOOD = {Verdict.APPLIED, Verdict.DUPLICATE, Verdict.STALE}


def test_every_verdict_has_an_exit_code_and_a_meaning() -> None:
    assert set(EXIT_CODES) == set(Verdict)
    assert {verdict for verdict, code in EXIT_CODES.items() if code == 0} == GOOD
    failures = [code for code in EXIT_CODES.values() if code] + [EXIT_WRONG_SETTING]
    assert len(set(failures)) == len(failures)


def test_every_verdict_has_a_status_and_those_that_are_good_the_good_one() -> None:
    assert set(STATUSES) == set(Verdict)
    assert {verdict for verdict, status in STATUSES.items() if status == HTTPStatus.OK} == GOOD
    refused = [HTTPStatus(STATUSES[verdict]) for verdict in Verdict if verdict not in GOOD]
    assert len(set(refused)) == len(refused)
    assert all(status >= HTTPStatus.BAD_REQUEST for status in refused)
