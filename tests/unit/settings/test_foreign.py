"""Variables that are not settings: those of other programs, and misspelt ones."""

import json
import logging
import string
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pipelinejobs.settings import load
from pipelinejobs.settings.other_variables import Remark, others, remarks
from pipelinejobs.settings.table import VARIABLES
from pipelinejobs.util import spelling

ORIGINAL = json.loads((Path(__file__).resolve().parents[2] / "data" / "secrets-of-the-original.json").read_text())
KEY, SECRET = "CATALOG_ADMIN_TOKEN_KEY", "CATALOG_ADMIN_TOKEN_SECRET"
LETTERS = st.sampled_from(string.ascii_uppercase + "_")


def said(environ: dict[str, str], *foreign: str) -> list[Remark]:
    return list(remarks(environ, load(environ), foreign))


def test_no_setting_of_the_original_is_taken_for_one_of_ours_misspelt() -> None:
    found = others(ORIGINAL)
    assert found.misspelt == {}
    assert set(found.foreign) == set(ORIGINAL) - VARIABLES
    assert len(found.foreign) >= 15


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("_REACTOR_TOKENS_ADMINKEY", "_REACTOR_TOKENS_ADMIN_KEY"),
        ("_REACTOR_TOKENS_ADMIN_SECERT", "_REACTOR_TOKENS_ADMIN_SECRET"),
        ("_REACTOR_ADMIN_TOKEN_KEY", "_REACTOR_TOKENS_ADMIN_KEY"),
        ("_reactor_mongodb_authn", "_REACTOR_MONGODB_AUTHN"),
        ("REACTOR_MONGODB_AUTHN", "_REACTOR_MONGODB_AUTHN"),
        ("CATALOG_ADMIN_TOKENS_KEY", "CATALOG_ADMIN_TOKEN_KEY"),
    ],
)
def test_a_name_similar_to_a_setting_is_misspelt(name: str, meant: str) -> None:
    assert others([name, "PATH"]) == (["PATH"], {name: meant})


@given(known=st.sampled_from(sorted(VARIABLES)), data=st.data())
def test_every_name_with_few_mistakes_is_found(known: str, data: st.DataObject) -> None:
    name = known
    for _ in range(data.draw(st.integers(1, spelling.MOST))):
        at = data.draw(st.integers(0, len(name) - 2))
        name = data.draw(
            st.sampled_from(
                [
                    name[:at] + name[at + 1 :],
                    name[:at] + data.draw(LETTERS) + name[at:],
                    name[:at] + data.draw(LETTERS) + name[at + 1 :],
                ]
            )
        )
    assume(name not in VARIABLES)
    assert name in others([name]).misspelt


@given(known=st.sampled_from(sorted(VARIABLES)), data=st.data())
def test_two_letters_exchanged_are_one_mistake(known: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(known) - 2))
    name = known[:at] + known[at + 1] + known[at] + known[at + 2 :]
    assume(name not in VARIABLES)
    assert others([name]).misspelt.keys() == {name}


@given(st.text(LETTERS, min_size=1, max_size=12))
def test_other_names_are_foreign(name: str) -> None:
    assert others([name]) == ([name], {})  # the shortest of ours is longer by far


def test_foreign_names_are_reported_in_one_line() -> None:
    (line,) = said({"_REACTOR_SLACK_WEBHOOK": "x", "_REACTOR_DEBUG": "1", "PATH": "/"}, "OTHER")
    assert line == (
        logging.INFO,
        "not settings of the manager, and ignored: OTHER, _REACTOR_DEBUG, _REACTOR_SLACK_WEBHOOK",
    )


def test_parameters_of_messages_in_a_file_of_secrets_are_a_warning() -> None:
    """With `dry_run` there, every message to the actor would be a dry run."""
    warning, ignored = said({}, "dry_run", "token", "OTHER")
    assert warning == (
        logging.WARNING,
        "on Abaco they would be read as parameters of every message, so remove them: dry_run, token",
    )
    assert ignored == (logging.INFO, "not settings of the manager, and ignored: OTHER")


def test_an_environment_of_settings_only_has_no_remarks() -> None:
    assert said({"_REACTOR_LOGS_LEVEL": "INFO", KEY: "k", SECRET: "s", "HOME": "/root"}) == []


def test_what_is_misspelt_is_a_warning() -> None:
    (line,) = said({"_REACTOR_LOG_LEVEL": "DEBUG"})
    assert line == (
        logging.WARNING,
        "_REACTOR_LOG_LEVEL is not a setting and has no effect; did you mean _REACTOR_LOGS_LEVEL?",
    )


@pytest.mark.parametrize(("alone", "missing"), [(KEY, SECRET), (SECRET, KEY)])
def test_half_a_pair_is_a_warning_and_gives_no_administrative_tokens(alone: str, missing: str) -> None:
    environ = {alone: "hidden-value"}
    assert load(environ).tokens.admin_key is None
    assert load(environ).tokens.admin_secret is None
    (line,) = said(environ)
    assert line == (logging.WARNING, f"{alone} is set without {missing}, so there are no administrative tokens")
