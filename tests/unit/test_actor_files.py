"""deploy/project.ini and deploy/reactor.rc: what the tools of Abaco and Tapis read, and that both say the same.

The rules are those of tapis-cli 1.0.6, whose own two readers were run once on these files.
"""

import configparser
import shlex
from pathlib import Path

from pipelinejobs import __version__

ROOT = Path(__file__).resolve().parents[2]


def ini() -> dict[str, dict[str, str]]:
    """project.ini as tapis-cli reads it: names as they are written, values interpolated."""
    parser = configparser.ConfigParser()
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # as the standard library says to keep names
    parser.read(ROOT / "deploy" / "project.ini")
    return {section: dict(parser.items(section)) for section in parser.sections()}


def rc() -> dict[str, str]:
    """reactor.rc as a shell reads it."""
    lines = (ROOT / "deploy" / "reactor.rc").read_text().splitlines()
    words = [shlex.split(line) for line in lines if line and not line.startswith("#")]
    assert all(len(one) == 1 for one in words)
    return {name: value for (word,) in words for name, _, value in [word.partition("=")]}


def test_what_the_tool_needs_is_there() -> None:
    said = ini()
    assert said["actor"]["name"]
    assert all(said["docker"][name] for name in ("namespace", "repo", "tag"))
    assert said["environment"] == {}, "settings belong into secrets.json, from which the pins are made"


def test_the_dockerfile_and_the_version_are_ours() -> None:
    assert (ROOT / ini()["docker"]["dockerfile"]).is_file()
    assert ini()["docker"]["tag"] == __version__


def test_the_actor_keeps_nothing_and_has_no_more_rights_than_it_needs() -> None:
    actor = ini()["actor"]
    assert (actor["stateless"], actor["privileged"], actor["token"]) == ("true", "false", "true")


def test_both_say_the_same() -> None:
    actor, docker, other = ini()["actor"], ini()["docker"], rc()
    switches = {"1": "true", "0": "false"}
    assert other == {
        "REACTOR_NAME": actor["name"],
        "REACTOR_DESCRIPTION": actor["description"],
        "REACTOR_TOKENS": {value: key for key, value in switches.items()}[actor["token"]],
        "REACTOR_STATEFUL": {"true": "0", "false": "1"}[actor["stateless"]],
        "REACTOR_PRIVILEGED": {value: key for key, value in switches.items()}[actor["privileged"]],
        "REACTOR_USE_UID": "0",
        "DOCKERFILE": docker["dockerfile"],
        "DOCKER_HUB_ORG": docker["namespace"],
        "DOCKER_IMAGE_TAG": docker["repo"],
        "DOCKER_IMAGE_VERSION": docker["tag"],
    }
