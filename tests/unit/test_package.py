"""pyproject.toml, and the files that others expect in a repository: each says what is done elsewhere in it."""

import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from packaging.requirements import Requirement

import fsm
import pipelinejobs

ROOT: Final = Path(__file__).resolve().parents[2]
WHOLE: Final = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PROJECT: Final[dict[str, Any]] = WHOLE["project"]
EXTRAS: Final[dict[str, list[str]]] = PROJECT["optional-dependencies"]


def written(name: str) -> set[Requirement]:
    """The requirements of a file, without those that it takes in."""
    lines = [line.partition("#")[0].strip() for line in (ROOT / name).read_text("utf-8").splitlines()]
    return {Requirement(line) for line in lines if line and not line.startswith("-r ")}


def ranges(*lists: list[str]) -> set[Requirement]:
    """What pyproject.toml says, without the project's own extras."""
    found = {Requirement(line) for one in lists for line in one}
    return {each for each in found if each.name != PROJECT["name"]}


class TestRequirements:
    @pytest.mark.parametrize(
        ("name", "lists"),
        [
            ("requirements.txt", [PROJECT["dependencies"]]),
            ("requirements-gateway.txt", [EXTRAS["gateway"]]),
            ("requirements-dev.txt", [EXTRAS["dev"], EXTRAS["embedded"]]),
        ],
    )
    def test_are_those_of_the_files(self, name: str, lists: list[list[str]]) -> None:
        """The reasons are in the files, and pip asks pyproject.toml."""
        assert written(name) == ranges(*lists)

    def test_dev_takes_in_the_other_extras(self) -> None:
        (own,) = {Requirement(line) for line in EXTRAS["dev"] if line.startswith(PROJECT["name"])}
        assert own.extras == EXTRAS.keys() - {"dev"}

    def test_the_backend_of_builds_is_in_dev(self) -> None:
        """So that `make build` asks no network."""
        assert {Requirement(line) for line in WHOLE["build-system"]["requires"]} <= written("requirements-dev.txt")

    def test_the_embedded_server_is_for_where_its_wheel_runs(self) -> None:
        (one,) = ranges(EXTRAS["embedded"])
        assert one.marker is not None
        assert one.marker.evaluate({"sys_platform": "linux", "platform_machine": "x86_64"})
        assert not one.marker.evaluate({"sys_platform": "linux", "platform_machine": "aarch64"})
        assert not one.marker.evaluate({"sys_platform": "darwin", "platform_machine": "x86_64"})


class TestVersion:
    def test_is_read_from_the_package(self) -> None:
        assert PROJECT["dynamic"] == ["version"]
        assert "version" not in PROJECT
        file = ROOT / WHOLE["tool"]["hatch"]["version"]["path"]
        assert f'\n__version__ = "{pipelinejobs.__version__}"\n' in file.read_text("utf-8")

    def test_stands_nowhere_else(self) -> None:
        """But where it says which version something was in, and in the two files that test_actor_files compares."""
        command = ["git", "grep", "-lFw", pipelinejobs.__version__, "--", ":!*.lock", ":!tests/data"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode > 1:
            pytest.skip("this is no clone, so that git cannot tell which files are its own")
        allowed = {"pipelinejobs/__init__.py", "CHANGELOG.rst", "deploy/project.ini", "deploy/reactor.rc"}
        assert set(done.stdout.split()) <= allowed


class TestPublicNames:
    @pytest.mark.parametrize("package", [pipelinejobs, fsm])
    def test_are_listed_and_there(self, package: Any) -> None:
        directory = Path(package.__file__).parent
        modules = [name for name in package.__all__ if not name.startswith("__")]
        assert modules
        assert all((directory / f"{name}.py").is_file() for name in modules)

    @pytest.mark.parametrize("package", [pipelinejobs, fsm])
    def test_are_typed(self, package: Any) -> None:
        assert (Path(package.__file__).parent / "py.typed").is_file()

    def test_fsm_lists_all_its_modules(self) -> None:
        assert {path.stem for path in (ROOT / "fsm").glob("[!_]*.py")} == set(fsm.__all__)


def test_the_licence_is_the_one_that_is_named() -> None:
    assert PROJECT["license"] == "BSD-3-Clause"
    (name,) = PROJECT["license-files"]
    text = (ROOT / name).read_text("utf-8")
    assert text.startswith("BSD 3-Clause License\n")
    assert f"{PROJECT['authors'][0]['name']}\n" in text


def test_every_file_that_is_put_into_the_wheel_or_the_sdist_is_there() -> None:
    targets = WHOLE["tool"]["hatch"]["build"]["targets"]
    assert all((ROOT / name).is_file() for name in targets["wheel"]["force-include"])
    assert all((ROOT / name).is_dir() for name in targets["wheel"]["packages"])
    assert all(list(ROOT.glob(name.lstrip("/"))) for name in targets["sdist"]["include"])


class TestHooks:
    def test_a_commit_runs_what_make_lint_runs(self) -> None:
        (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))["repos"]
        (hook,) = repository["hooks"]
        assert hook["entry"].split() == ["make", "--no-print-directory", "lint"]
        assert hook["pass_filenames"] is False

    def test_the_workflow_runs_ci_and_builds_each_image(self) -> None:
        jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8"))["jobs"]
        commands = {name: [step["run"] for step in job["steps"] if "run" in step] for name, job in jobs.items()}
        assert ".ci/run" in commands["test"]
        assert re.fullmatch(r"docker build --target \$\{\{ matrix\.target }} .* \.", commands["images"][-1])
        stages = re.findall(r"^FROM base AS (\w+)$", (ROOT / "Dockerfile").read_text("utf-8"), re.MULTILINE)
        assert sorted(jobs["images"]["strategy"]["matrix"]["target"]) == sorted(stages)
