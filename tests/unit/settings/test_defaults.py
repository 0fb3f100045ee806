"""Defaults that other modules repeat equal those of the settings."""

import inspect
from typing import NamedTuple

import pytest

from pipelinejobs.bootstrap import policy
from pipelinejobs.core.tokens import Policy
from pipelinejobs.service.manager import Manager
from pipelinejobs.service.outbox_relay import OutboxRelay
from pipelinejobs.settings import Settings
from pipelinejobs.store import history, indexes, refused
from pipelinejobs.util.backoff import Backoff

DEFAULTS = Settings()


@pytest.mark.parametrize(
    ("of_code", "of_settings"),
    [
        (history.HistoryLimits(), DEFAULTS.history),
        (refused.RefusedLimits(), DEFAULTS.refused),
        (Backoff()[:3], DEFAULTS.outbox),
        (Policy(), policy(DEFAULTS)),
    ],
)
def test_a_class_that_is_filled_from_settings_has_their_defaults(
    of_code: tuple[object, ...], of_settings: NamedTuple
) -> None:
    assert tuple(of_code) == tuple(of_settings)


def test_so_have_arguments_that_are_given_from_settings() -> None:
    days = indexes.Days()
    assert (days.refused, days.executions) == (DEFAULTS.refused.days, DEFAULTS.gateway.executions_days)
    assert inspect.signature(Manager).parameters["database_seconds"].default == DEFAULTS.limits.database
    assert inspect.signature(OutboxRelay).parameters["seconds"].default == DEFAULTS.limits.indexer
