"""Walking through a history."""

from fsm.replay import Step, final_state, walk


def test_a_history_leads_to_its_last_state() -> None:
    assert final_state(["create", "run", "update", "finish", "index", "indexed"]) == "FINISHED"


def test_an_empty_history_is_a_new_job() -> None:
    assert final_state([]) == "CREATED"


def test_names_of_python_datacatalog_in_upper_case_count() -> None:
    assert final_state(["create", "RUN"]) == "RUNNING"


def test_an_event_that_is_not_allowed_stays_where_it_is() -> None:
    assert walk(["create", "finish", "run"]) == [
        Step("create", "CREATED", "CREATED"),
        Step("finish", "CREATED", None),
        Step("run", "CREATED", "RUNNING"),
    ]
    assert final_state(["create", "finish", "run"]) is None
