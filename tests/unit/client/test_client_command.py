"""The client as a command: of this project, and as a file that was copied to another machine."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipelinejobs import client
from pipelinejobs.client import main
from pipelinejobs.core.verdict import EXIT_CODES, Verdict
from support.canaries import NONCE, plant
from support.message_samples import JOB, TOKEN
from support.misbehaving import ABACO, PATH, TAKEN, UNAVAILABLE, Judge, Manager, answer, drop, manager, refusal

ROOT = Path(__file__).resolve().parents[3]
OLD = ("3.6", "3.7", "3.8", "3.9", "3.10", "3.12", "3.13")


@pytest.fixture(autouse=True)
def sender(quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The job's token must not be shown."""
    plant(TOKEN)
    monkeypatch.delenv("PIPELINEJOBS_CALLBACK", raising=False)
    monkeypatch.delenv("PIPELINEJOBS_SPOOL", raising=False)


def callback(of: Manager) -> str:
    return f"{of.url}?x-nonce={NONCE}&uuid={JOB}&token={TOKEN}"


class Test:
    def told(self, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, Any]:
        code = main([*arguments, "--json"])
        return code, json.loads(capsys.readouterr().out)

    def test_sends_an_event(self, capsys: pytest.CaptureFixture[str]) -> None:
        with manager(TAKEN) as served:
            code, facts = self.told(capsys, "--callback", callback(served), "update", "--data", '{"a": 1}', "--id", "7")
        assert code == 0
        assert facts == {
            "verdict": "applied",
            "uuid": JOB,
            "event": "update",
            "state": "RUNNING",
            "reason": "done",
            "execution": "N4xBQWo8YyO7y",
            "id": "7",
            "spooled": False,
        }
        assert (served.asked[0].key, served.asked[0].body["data"]) == ("7", {"a": 1})

    def test_an_event_that_there_is_not_is_no_event_for_the_spool(
        self, capsys: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        """In the spool its refusal would not be seen."""
        where = ["--callback", f"https://x{PATH}?uuid={JOB}&token={TOKEN}", "--spool", str(tmp_path / "spool")]
        assert main([*where, "finnish", "--later"], prog="report.py") == 2
        assert capsys.readouterr().err.startswith("report.py: 'finnish' is not an event; the events are run, update,")
        assert not (tmp_path / "spool").exists()

    def test_data_that_is_not_json_is_told_where(self, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit):
            main(["update", "--data", "{'a': 1}"])
        said = capsys.readouterr().err
        assert "--data: is not a JSON object: " in said
        assert "line 1 column 2" in said

    def test_tells_people(self, capsys: pytest.CaptureFixture[str]) -> None:
        with manager(TAKEN, ABACO, refusal(409, "illegal", "not\x1b now"), answer(404, b"")) as served:
            where = ["--callback", callback(served)]
            assert [main([*where, "run"]) for _ in range(4)] == [0, 0, 70, 65]
        assert capsys.readouterr().out.splitlines() == [
            "applied (now RUNNING): done",
            "sent: acknowledged, not judged yet",
            "illegal: not  now",
            f"not taken: {callback(served).split('/')[2]} answered 404 Not Found",
        ]

    @pytest.mark.parametrize(
        ("status", "verdict"),
        [(400, Verdict.MALFORMED), (403, Verdict.UNAUTHORISED), (409, Verdict.ILLEGAL), (503, Verdict.UNAVAILABLE)],
    )
    def test_the_exit_code_is_the_verdicts(
        self, capsys: pytest.CaptureFixture[str], status: int, verdict: Verdict, one_attempt: None
    ) -> None:
        with manager(refusal(status, verdict.value, "because")) as served:
            code, facts = self.told(capsys, "--callback", callback(served), "run")
        assert code == EXIT_CODES[verdict]
        assert (facts["verdict"], facts["reason"]) == (verdict.value, "because")

    def test_spools_and_flushes(
        self, capsys: pytest.CaptureFixture[str], tmp_path: Path, free_port: int, one_attempt: None
    ) -> None:
        spool = str(tmp_path / "spool")
        url = f"http://127.0.0.1:{free_port}{PATH}?uuid={JOB}&token={TOKEN}"
        where = ["--callback", url, "--spool", spool]
        code, facts = self.told(capsys, *where, "run")
        assert (code, facts["verdict"], facts["spooled"]) == (0, None, True)
        assert main([*where, "finish", "--later"]) == 0
        assert capsys.readouterr().out == "spooled: it waits in the spool\n"
        code, facts = self.told(capsys, "--flush", "--spool", spool)
        assert (code, facts["left"], facts["taken"]) == (75, 2, [])
        with manager(TAKEN, refusal(409, "illegal", "not now"), port=free_port):
            assert main(["--flush", "--spool", spool]) == 70
        assert capsys.readouterr().out.splitlines() == ["applied: run", "illegal: finish: not now", "0 left"]
        assert main(["--flush", "--spool", spool]) == 0

    def test_job_and_spool_can_be_in_the_environment(
        self, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with manager(TAKEN) as served:
            monkeypatch.setenv("PIPELINEJOBS_CALLBACK", callback(served))
            monkeypatch.setenv("PIPELINEJOBS_SPOOL", str(tmp_path / "spool"))
            assert main(["run", "--later"]) == 0
            assert main(["--flush"]) == 0
        assert served.events == ["run"]

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            ([], "name an event"),
            (["run"], "name the job"),
            (["run", "--callback", "https://host/messages"], "uuid"),
            (["run", "--callback", f"http://manager.example.org/?uuid={JOB}&token={TOKEN}"], "--allow-http"),
            (["run", "--callback", f"https://host/?uuid={JOB}&token={TOKEN}", "--later"], "--spool"),
            (["run", "--callback", f"https://host/?uuid={JOB}&token={TOKEN}&dry_run=true"], "dry_run"),
            (["--flush"], "--spool"),
            (["--flush", "--spool", "x", "run"], "takes no event"),
            (["run", "--data", "[]"], "JSON object"),
            (["run", "--data", "{"], "JSON object"),
            (["run", "--timeout", "0"], "above 0"),
            (["run", "--timeout", "soon"], "seconds"),
        ],
    )
    def test_wrong_arguments(self, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str) -> None:
        try:
            code: Any = main(arguments)
        except SystemExit as end:
            code = end.code
        assert code == 2
        assert words in capsys.readouterr().err

    def test_a_stdout_that_takes_nothing_changes_no_exit_code(self) -> None:
        with manager(TAKEN) as served, Path("/dev/full").open("w") as full:
            command = [sys.executable, client.__file__, "--callback", callback(served), "run"]
            done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, timeout=60)
        assert (done.returncode, done.stderr) == (0, b"")

    def test_nor_does_one_that_is_closed(self) -> None:
        with manager(TAKEN) as served:
            command = ["sh", "-c", '"$@" >&-', "sh", sys.executable, client.__file__, "--callback", callback(served)]
            done = subprocess.run([*command, "run"], stderr=subprocess.PIPE, timeout=60)
        assert (done.returncode, done.stderr) == (0, b"")
        assert served.events == ["run"]

    @pytest.mark.parametrize("words", [["-I", client.__file__], ["-m", "pipelinejobs", "send"]])
    def test_nor_does_an_attempt_that_is_under_way_at_the_end(self, words: list[str]) -> None:
        """Python 3.11 crashes now and then if it ends while a thread is about to use TLS."""
        with manager(UNAVAILABLE) as served:
            command = [sys.executable, "-S", *words, "--callback", callback(served), "run"]
            for number in range(30):
                seconds = str(0.005 + 0.004 * number)
                done = subprocess.run([*command, "--timeout", seconds], cwd=ROOT, capture_output=True, timeout=60)
                assert (done.returncode, done.stderr) == (75, b""), number

    def test_nor_does_what_python_does_at_its_end(self) -> None:
        """As when a signal comes then: Python has given up its handlers."""
        script = "import atexit, os\nfrom pipelinejobs import client\natexit.register(os.abort)\nclient.leave(3)"
        done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, timeout=60)
        assert (done.returncode, done.stderr) == (3, b"")


def ends(command: list[str], **environment: str) -> tuple[int, str]:
    """How a command ends, and what it prints on stdout."""
    variables = {"PATH": os.environ["PATH"], "LC_ALL": "C", **environment}
    done = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, timeout=60)
    assert "Traceback" not in done.stderr, done.stderr
    assert done.stderr == ""
    return done.returncode, done.stdout


class TestWithNothingInstalled:
    def test_of_the_project(self) -> None:
        """-S: the libraries of .venv are not there."""
        command = [sys.executable, "-S", "-m", "pipelinejobs", "send"]
        with manager(Judge("finish")) as served:
            assert ends([*command, "--callback", callback(served), "run"])[0] == 0
            code, out = ends([*command, "finish", "--json"], PIPELINEJOBS_CALLBACK=callback(served))
            assert (code, json.loads(out)["verdict"]) == (70, "illegal")

    @pytest.mark.parametrize("version", ["this", *OLD])
    def test_of_a_copied_file(self, tmp_path: Path, version: str) -> None:
        python = sys.executable if version == "this" else shutil.which(f"python{version}")
        if python is None or subprocess.run([python, "-V"], capture_output=True).returncode != 0:
            pytest.skip(f"there is no Python {version} here")
        copied = shutil.copy(client.__file__, tmp_path / "report.py")
        spool = str(tmp_path / "spool")
        with manager(refusal(200, "applied", "ü"), UNAVAILABLE) as served:
            served.script = [drop, TAKEN, UNAVAILABLE]
            command = [python, "-I", "-S", str(copied)]
            where = ["--callback", callback(served), "--spool", spool, "--timeout", "60"]
            assert ends([*command, *where, "run", "--data", '{"node": "ü"}']) == (0, "applied (now RUNNING): done\n")
            code, out = ends([*command, *where, "finish", "--json", "--timeout", "0.1"])
            assert (code, json.loads(out)["spooled"]) == (0, True)
            served.script = [refusal(409, "illegal", "nicht jetzt: ü")]
            code, out = ends([*command, "--flush", "--spool", spool])
            assert code == 70
            assert out.splitlines()[0].startswith("illegal: finish: nicht jetzt: ")
            served.script = [TAKEN]
            assert ends([*command, "exec", *where, "--", "sh", "-c", "kill -HUP $PPID; sleep 60"]) == (129, "")
        assert served.events[:2] == ["run", "run"]
        assert [one.body["name"] for one in served.asked if one.key.startswith("exec-")] == ["run", "update", "fail"]
        assert PATH in served.url
