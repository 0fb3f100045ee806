"""`python -m tools.mutants`: what it says of a break that is seen, and of one that is not."""

import pytest

from tools.mutants import __main__ as command
from tools.mutants.breaks import Break

TEST = "tests/unit/util/test_secret.py::test_it_is_blank_wherever_it_is_printed"
SEEN = Break(
    promises=("P6",),
    what="shows a secret",
    file="pipelinejobs/util/secret.py",
    old='return "<secret>"',
    new="return self._text",
    tests=(TEST,),
)


def a_break(**changes: object) -> Break:
    fields = {name: getattr(SEEN, name) for name in Break.__slots__}
    return Break(**{**fields, **changes})


def said(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *breaks: Break) -> tuple[int, str]:
    monkeypatch.setattr(command, "BREAKS", breaks)
    return command.main([]), capsys.readouterr().out


def test_one_that_is_seen(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    code, out = said(capsys, monkeypatch, SEEN)
    assert code == 0
    assert out.startswith("caught")
    assert "1 breaks, 1 caught, 0 not" in out


@pytest.mark.parametrize(
    ("unseen", "why"),
    [
        (a_break(new='return "<hidden>"'), "it passes"),
        (a_break(new="return ("), "it could not be run"),
        (a_break(tests=(TEST, f"{TEST}_nowhere")), "it could not be run (pytest's exit code 4)"),
    ],
    ids=["nothing is wrong", "it cannot be imported", "there is no such test"],
)
def test_one_that_is_not(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, unseen: Break, why: str
) -> None:
    code, out = said(capsys, monkeypatch, unseen)
    assert code == 1
    assert out.startswith("NOT CAUGHT")
    assert why in out


def test_one_that_does_not_fit_the_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "BREAKS", (a_break(old="nowhere"),))
    with pytest.raises(SystemExit, match="does not hold this once"):
        command.main([])


def test_only_some(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--only", "no such thing"]) == 1
    assert "no break" in capsys.readouterr().out
