"""`python -m tools.mutants`: what it says of a mutant that is killed, and of one that survives."""

import dataclasses

import pytest

from tools.mutants import __main__ as command
from tools.mutants.mutant import Mutant

TEST = "tests/unit/util/test_secret.py::test_it_is_blank_wherever_it_is_printed"
KILLED = Mutant(
    promises=("P6",),
    what="shows a secret",
    where="pipelinejobs/util/secret.py:Secret.__repr__",
    old="'<secret>'",
    new="self._text",
    tests=(TEST,),
)


def said(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *mutants: Mutant) -> tuple[int, str]:
    monkeypatch.setattr(command, "MUTANTS", mutants)
    return command.main([]), capsys.readouterr().out


def test_one_that_is_killed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    code, out = said(capsys, monkeypatch, KILLED)
    assert code == 0
    assert out.startswith("killed")
    assert "1 mutants, 1 killed, 0 survived" in out


@pytest.mark.parametrize(
    ("survivor", "why"),
    [
        (dataclasses.replace(KILLED, new="'<hidden>'"), "it passes"),
        (dataclasses.replace(KILLED, new="("), "it could not be run"),
        (dataclasses.replace(KILLED, tests=(TEST, f"{TEST}_nowhere")), "it could not be run (pytest's exit code 4)"),
    ],
    ids=["nothing is wrong", "it cannot be imported", "there is no such test"],
)
def test_one_that_survives(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, survivor: Mutant, why: str
) -> None:
    code, out = said(capsys, monkeypatch, survivor)
    assert code == 1
    assert out.startswith("SURVIVED")
    assert why in out


def test_those_that_do_not_fit_the_source(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    code, out = said(capsys, monkeypatch, KILLED, dataclasses.replace(KILLED, old="nowhere"))
    assert code == 1
    assert "shows a secret: pipelinejobs/util/secret.py:Secret.__repr__: `nowhere` has to be there once" in out
    assert "2 mutants, 1 of them do not fit the source" in out
    assert "killed" not in out


def test_only_some(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--only", "no such thing"]) == 1
    assert "no mutant" in capsys.readouterr().out


def test_a_check_runs_no_tests(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "MUTANTS", (KILLED,))
    monkeypatch.setattr(command, "run", None)
    assert command.main(["--check"]) == 0
    assert "1 mutants, 0 of them do not fit the source" in capsys.readouterr().out
