"""The list of mutants fits the source as it is; `python -m tools.mutants` runs the tests against them, for long."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Final

import pytest

from tools.mutants.mutant import Mutant
from tools.mutants.promises import MUTANTS
from tools.mutants.syntax import names, nearest

ROOT: Final = Path(__file__).resolve().parents[3]
PAGE: Final = (ROOT / "docs" / "explanation" / "promises.rst").read_text("utf-8")
PROMISES: Final = [f"P{number}" for number in range(1, 15)]
FAULTS: Final = """
F1 F2 F3 F4 F5 F6 F7 F8 F9 F12 F13 F14 F16 F20 F22
S1 S2 S5 S6 S8 S9 S10 S11 S13 S15 S16 S18 S19 S20 S21 S22 S23 S24 S25 S26
"""
"""Of the faults and attacks, those that a change of a few words in the product would let in."""

MUTMUT: Final = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["mutmut"]
LEFT_OUT: Final = [one.removeprefix("--deselect=") for one in MUTMUT["pytest_add_cli_args"]]


@pytest.mark.parametrize("one", MUTANTS, ids=lambda one: one.what)
def test_a_mutant(one: Mutant) -> None:
    mutated = one.applied_to(ROOT)  # it raises what does not fit, and says what is nearest
    source = (ROOT / one.file).read_text("utf-8")
    if one.file.endswith(".py"):
        assert ast.dump(ast.parse(mutated)) != ast.dump(ast.parse(source))
    else:
        assert mutated != source


def test_none_uses_a_name_that_its_module_does_not_have(tmp_path: Path) -> None:
    """A renamed variable would raise NameError there, and break another promise than the mutant is meant to."""
    for number, one in enumerate(one for one in MUTANTS if one.file.endswith(".py")):
        (tmp_path / f"mutant_{number}.py").write_text(f"# {one.what}\n{one.applied_to(ROOT)}", "utf-8")
    command = (sys.executable, "-m", "ruff", "check", "--isolated", "--select", "F821", str(tmp_path))
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("test", sorted({*LEFT_OUT, *(test for one in MUTANTS for test in one.tests)}))
def test_a_test_is_there(test: str) -> None:
    module, _, name = test.partition("[")[0].partition("::")
    assert (ROOT / module).is_file(), f"there is no {module}"
    present = dict(names(ast.parse((ROOT / module).read_text("utf-8"))))
    name = name.replace("::", ".")
    assert name in present, f"{module} has no {name}; nearest is {nearest(name, present)}"


def test_each_is_another() -> None:
    assert len({one.what for one in MUTANTS}) == len(MUTANTS)
    assert len({(one.where, one.old, one.new) for one in MUTANTS}) == len(MUTANTS)


@pytest.mark.parametrize("promise", PROMISES)
def test_every_promise_has_two_mutants_and_one_is_killed_by_a_module_that_holds_it(promise: str) -> None:
    of_it = [one for one in MUTANTS if promise in one.promises]
    assert len(of_it) >= 2
    (paragraph,) = re.findall(rf"^{promise} .*\n((?:   .*\n)+)", PAGE, re.MULTILINE)
    named = set(re.findall(r"``(tests/[\w/]+\.py)``", paragraph))
    assert named & {test.partition("::")[0] for one in of_it for test in one.tests}


@pytest.mark.parametrize("fault", FAULTS.split())
def test_a_fault_or_an_attack_has_a_mutant(fault: str) -> None:
    assert any(fault in one.promises for one in MUTANTS)
