"""Former names of settings: they work, and a warning names the present one."""

import logging
from pathlib import Path

import pytest

from pipelinejobs import settings
from pipelinejobs.settings import pins, pins_file
from pipelinejobs.settings.other_variables import Remark
from pipelinejobs.settings.table import RENAMED, TABLE, Settings, variable
from pipelinejobs.util.errors import WrongSetting


def load(tmp_path: Path, text: str, environ: dict[str, str] | None = None) -> Settings:
    path = tmp_path / "config.yml"
    path.write_text(text, encoding="utf-8")
    return settings.load(environ or {}, path)


def said(configured: Settings, environ: dict[str, str] | None = None) -> list[Remark]:
    return list(settings.remarks(environ or {}, configured))


def test_present_names_are_settings_and_former_ones_are_not() -> None:
    assert set(RENAMED.values()) <= set(TABLE)
    assert not set(RENAMED) & set(TABLE)


def test_the_file_may_use_a_former_name(tmp_path: Path) -> None:
    read = load(tmp_path, "handback: {attempts: 7}\ngateway: {rights: ['jdoe:READ']}")
    assert read.requeue.attempts == 7
    assert [grant.user for grant in read.gateway.permissions] == ["jdoe"]
    rest = "is deprecated and will stop working in the next release; use"
    assert said(read) == [
        Remark(logging.WARNING, f"gateway.rights {rest} gateway.permissions"),
        Remark(logging.WARNING, f"handback.attempts {rest} requeue.attempts"),
    ]


def test_the_environment_may_use_a_former_name(tmp_path: Path) -> None:
    environ = {"_REACTOR_HANDBACK_LONGEST_DELAY": "3"}
    read = load(tmp_path, "requeue: {longest_delay: 4}", environ)
    assert read.requeue.longest_delay == 3
    (remark,) = said(read, environ)
    assert remark.text.startswith("_REACTOR_HANDBACK_LONGEST_DELAY is deprecated")
    assert remark.text.endswith("use _REACTOR_REQUEUE_LONGEST_DELAY")


def test_the_present_name_wins_in_the_environment(tmp_path: Path) -> None:
    environ = {"_REACTOR_HANDBACK_ATTEMPTS": "3", "_REACTOR_REQUEUE_ATTEMPTS": "5"}
    read = load(tmp_path, "", environ)
    assert read.requeue.attempts == 5
    assert said(read, environ) == []
    assert load(tmp_path, "", {**environ, "_REACTOR_REQUEUE_ATTEMPTS": ""}).requeue.attempts == 3


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("handback: {attempts: 1}\nrequeue: {attempts: 1}", "requeue.attempts"),
        ("pinned: {handback.attempts: null, requeue.attempts: null}", "pinned.requeue.attempts"),
    ],
)
def test_a_file_with_both_names_is_refused(tmp_path: Path, text: str, name: str) -> None:
    with pytest.raises(
        WrongSetting, match=rf"^{name}: is in the file twice, also by its former name handback.attempts$"
    ):
        load(tmp_path, text)


def test_an_unknown_name_in_a_former_section_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WrongSetting, match=r"^handback\.attempt: is not a setting"):
        load(tmp_path, "handback: {attempt: 1}")


@pytest.mark.parametrize("name", ["handback.attempts", "requeue.attempts"])
def test_a_pin_holds_by_either_name(tmp_path: Path, name: str) -> None:
    config = f"pinned: {{{name}: '3'}}"
    for by in (variable("handback.attempts"), variable("requeue.attempts")):
        assert load(tmp_path, config, {by: "3"}).requeue.attempts == 3
        with pytest.raises(WrongSetting, match=f"the value of {by} does not match the pin"):
            load(tmp_path, config, {by: "4"})


def test_pinning_writes_the_present_name(tmp_path: Path) -> None:
    config = tmp_path / "config.yml"
    config.write_text("handback: {longest_delay: 2}\npinned: {handback.attempts: '3'}\n", encoding="utf-8")
    assert pins_file.write(config, {"_REACTOR_HANDBACK_ATTEMPTS": "9"}) == ["requeue.attempts"]
    read = settings.load({"_REACTOR_HANDBACK_ATTEMPTS": "9"}, config)
    assert read.pinned["requeue.attempts"] == pins.digest("9")
    assert read.requeue == (9, 2.0)
