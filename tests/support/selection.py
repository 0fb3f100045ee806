"""Which tests `make test` runs and which `make test-slow`, and in which order: hooks of pytest for `conftest.py`.

`make test` runs unit and integration tests but for those marked `slow`, and of the acceptance tests the chosen ones
below. `make test-slow` runs all others, and every test of Hypothesis once more, with many more examples.
"""

from typing import Final

import pytest
from hypothesis import settings

from pipelinejobs.messages.agave import AGAVE, ALOE
from pipelinejobs.messages.json_event import EVENT
from pipelinejobs.messages.tapis import TAPIS

PROMISES: Final = {
    "P1": "test_crash_points.py::test_killed[finish, after answer 1]",
    "P2": "test_callbacks.py::TestDuplicates::test_the_same_report_again_changes_nothing[agave]",
    "P3": "test_callbacks.py::TestOrder::test_a_job_that_fails[order5]",
    "P4": "test_callbacks.py::TestAfterAReset::test_every_attempt_that_finishes_has_an_index_request_of_its_own",
    "P5": "test_concurrency.py::test_of_finish_and_fail_at_once_one_wins",
    "P6": "test_attacks.py::TestLeakage::test_nothing_of_it_is_shown_or_stored",
    "P8": "test_crash_points_gateway.py::test_killed[before findAndModify jobs 1]",
    "P9": "test_foreign_jobs.py::TestTokensForLife::test_a_job_made_again_forgets_the_tokens_of_its_former_life",
    "P10": "test_gateway_process.py::test_it_raises_the_soft_limit_of_open_files[-n 400-True]",
    "P11": "test_applied_stays_applied.py::test_when_the_gateway_is_killed_before_it_looks",
    "P12": "test_one_shot_dry_run.py::TestNothingIsWritten::test_of_a_command",
    "P13": "test_reconcile_process.py::test_killed[after ask 1]",
    "P14": "test_client_exec.py::TestTheEnd::test_is_reported_and_is_that_of_exec[kill -TERM $$-143-told3]",
}
"""The acceptance test of each promise that `make test` runs; of the others there are none in whole processes."""

_CALLBACK: Final = "test_message_forms.py::TestCallbacks::test_the_sample_is_stored_without_what_is_bulky_or_private"

FORMS: Final = {
    EVENT.name: "test_message_forms.py::TestJsonEvents::test_however_it_is_wrapped[JSON text]",
    AGAVE.name: f"{_CALLBACK}[agave]",
    ALOE.name: f"{_CALLBACK}[aloe]",
    TAPIS.name: f"{_CALLBACK}[tapis]",
    "URL parameters": "test_message_forms.py::TestUrlParameters::test_the_body_is_the_data",
    "a status as a parameter": "test_message_forms.py::TestStatusParameter::test_a_status_alone_is_a_report[status]",
}
"""The same for the forms of a message."""

ENTRY_POINTS: Final = {
    "reactor.py": "test_message_forms.py::TestVerdicts::test_the_whole_life_by_commands",
    "reactor.py, and what it loads": "test_import_budget.py::test_an_applied_update_loads_no_http_client_and_no_schema",
    "reactor.py with the Reactors SDK": "test_sdk.py::test_a_good_message_shows_no_secret",
    "pipelinejobs serve": "test_gateway_process.py::test_it_serves_and_ends_well",
    "pipelinejobs drain": "test_crash.py::TestKilled::test_drain_sends_it[killed after the verdict]",
}
"""The same for what an operator or Abaco starts."""

CHOSEN: Final = frozenset(
    f"tests/acceptance/{test}" for chosen in (PROMISES, FORMS, ENTRY_POINTS) for test in chosen.values()
)

LONGEST: Final = (
    "tests/integration/store/test_history_overflow.py",
    "tests/acceptance/test_chaos.py",
    "tests/acceptance/test_backup.py",
    "tests/acceptance/test_client_crash_points.py",
    "tests/acceptance/test_make_setup.py",
    "tests/acceptance/test_concurrency.py",
    "tests/acceptance/test_compose.py",
)
"""Modules with tests that take long. They begin first, so that all workers end at about the same time."""

COLLECTED: Final = pytest.StashKey[list[pytest.Item]]()
"""All tests that a session has found, before some of them were deselected."""

settings.register_profile("fast", max_examples=50, deadline=None)
settings.register_profile("deep", max_examples=600, deadline=None)
settings.load_profile("fast")


def examples(deep: int, fast: int) -> int:
    """How many examples a test gets that wants other numbers of them than the profiles `deep` and `fast` have."""
    return deep if settings.get_current_profile_name() == "deep" else fast


def is_in_whole_processes(item: pytest.Item) -> bool:
    """Whether it is an acceptance test, or one in a browser."""
    return item.nodeid.startswith(("tests/acceptance/", "tests/browser/"))


@pytest.hookimpl(tryfirst=True)  # before pytest looks at the marks
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Marks slow tests, and runs the longest tests first."""
    config.stash[COLLECTED] = [*items]
    for item in items:
        if is_in_whole_processes(item) and item.nodeid not in CHOSEN:
            item.add_marker("slow")

    def place(item: pytest.Item) -> int:
        module = item.nodeid.partition("::")[0]
        return LONGEST.index(module) if module in LONGEST else len(LONGEST)

    items.sort(key=place)
