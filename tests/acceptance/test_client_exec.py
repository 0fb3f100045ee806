"""`client.py exec` with real processes: every end of a command is reported, and reporting changes nothing for it."""

import fcntl
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import pytest

from pipelinejobs import client
from support.canaries import NONCE
from support.gateway import eventually
from support.message_samples import JOB, TOKEN
from support.misbehaving import PATH, Judge, Manager, drip, manager
from support.terminal import CTRL_C, terminal

pytestmark = pytest.mark.promise("P14")

SECONDS: Final = 60
COUNTING: Final = """
import os, signal, sys, time
def told(number, _):
    os.write(1, (signal.Signals(number).name + "\\n").encode())  # print() fails if the next signal interrupts it
signal.signal(signal.SIGALRM, lambda *_: sys.exit(7))
for name in sys.argv[1:]:
    signal.signal(getattr(signal, "SIG" + name), told)
print("ready", flush=True)
while True:
    time.sleep(1)
"""
"""A command that prints each of some signals, and ends at SIGALRM."""
CRASH: Final = Path(__file__).resolve().parents[1] / "support" / "client_crash.py"


class Wrapped:
    """A running `exec`. Its stdout and stderr are files, as a batch system has it."""

    def __init__(self, process: "subprocess.Popen[bytes]", directory: Path) -> None:
        self.process, self._directory = process, directory

    @property
    def printed(self) -> str:
        return (self._directory / "stdout").read_text()

    @property
    def said(self) -> str:
        return (self._directory / "stderr").read_text()

    def wait_for(self, text: str, times: int = 1) -> None:
        eventually(lambda: self.printed.count(text) >= times, SECONDS)

    def end(self) -> int:
        """Waits for the end; nothing may be shown that is secret."""
        code = self.process.wait(SECONDS)
        assert "Traceback" not in self.said, self.said
        assert TOKEN not in self.said
        return code


def callback(url: str) -> str:
    return f"{url}?x-nonce={NONCE}&uuid={JOB}&token={TOKEN}"


def variables(directory: Path, url: str | None, **more: str) -> dict[str, str]:
    """The environment of a batch job: the spool is the default one, in the user's directory for state."""
    named = {} if url is None else {"PIPELINEJOBS_CALLBACK": callback(url)}
    return {"PATH": os.environ["PATH"], "LC_ALL": "C", "HOME": str(directory), **named, **more}


def spool_of(directory: Path) -> Path:
    return directory / ".local" / "state" / "pipelinejobs" / "spool"


def words(*options: str) -> list[str]:
    return [sys.executable, client.__file__, "exec", *options, "--"]


@contextmanager
def wrapped(
    directory: Path,
    url: str | None,
    *command: str,
    options: tuple[str, ...] = (),
    before: Callable[[], None] | None = None,
    first: list[str] | None = None,
    **more: str,
) -> Iterator[Wrapped]:
    """Starts a command under `exec`; at the end, the processes of its session are killed.

    Args:
        before: what to do in the process before it becomes `exec`.
        first: the words before the command.
    """
    with (directory / "stdout").open("wb") as out, (directory / "stderr").open("wb") as err:
        process = subprocess.Popen(
            [*(first or words(*options)), *command],
            cwd=directory,
            env=variables(directory, url, **more),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,
            preexec_fn=before,
        )
    try:
        yield Wrapped(process, directory)
    finally:
        for pid in in_session(process.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()


def in_session(session: int) -> list[int]:
    """The processes of a session."""
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(ValueError, OSError, ProcessLookupError):
            if os.getsid(int(entry.name)) == session:
                found.append(int(entry.name))
    return found


def run(directory: Path, url: str | None, *command: str, **more: Any) -> tuple[int, Wrapped]:
    """Runs a command to its end."""
    with wrapped(directory, url, *command, **more) as process:
        return process.end(), process


def child_of(process: Wrapped) -> int:
    """The process of the command."""
    return next(pid for pid in in_session(process.process.pid) if os.getpgid(pid) == pid != process.process.pid)


def data_of(served: Manager, name: str) -> dict[str, Any]:
    """The data of the only event with this name."""
    (event,) = (one for one in served.asked if one.body["name"] == name)
    data: dict[str, Any] = event.body["data"]
    return data


class TestTheEnd:
    @pytest.mark.parametrize(
        ("command", "code", "told"),
        [
            ("exit 0", 0, {"exit_code": 0}),
            ("exit 3", 3, {"exit_code": 3}),
            ("exit 143", 143, {"exit_code": 143}),
            ("kill -TERM $$", 143, {"signal": "TERM"}),
            ("kill -KILL $$", 137, {"signal": "KILL"}),
            ("kill -USR2 $$", 140, {"signal": "USR2"}),
            ("kill -PIPE $$", 141, {"signal": "PIPE"}),
            ("sh -c 'kill -TERM $$'; exit $?", 143, {"exit_code": 143}),
            ("ulimit -f 0; exec cat /proc/self/status > f", 153, {"signal": "XFSZ"}),
        ],
    )
    def test_is_reported_and_is_that_of_exec(
        self, tmp_path: Path, command: str, code: int, told: dict[str, Any]
    ) -> None:
        with manager(Judge()) as served:
            assert run(tmp_path, served.url, "sh", "-c", command)[0] == code
        assert served.events == ["run", "finish" if code == 0 else "fail"]
        data = served.asked[1].body["data"]
        assert {key: data[key] for key in ("exit_code", "signal") if key in data} == told
        assert data["seconds"] >= 0
        assert list(spool_of(tmp_path).glob("*.json")) == []

    @pytest.mark.parametrize(("name", "code"), [("nosuch", 127), ("/nosuch/x", 127), ("plain", 126), (".", 126)])
    def test_of_a_command_that_cannot_start(self, tmp_path: Path, name: str, code: int) -> None:
        (tmp_path / "plain").write_text("text")
        command = str(tmp_path / name) if name in ("plain", ".") else name
        with manager(Judge()) as served:
            ended, process = run(tmp_path, served.url, command)
        assert (ended, data_of(served, "fail")["exit_code"]) == (code, code)
        assert data_of(served, "fail")["reason"] in process.said
        assert "cannot be started: " in process.said

    def test_of_a_script_without_an_interpreter(self, tmp_path: Path) -> None:
        script = tmp_path / "script"
        script.write_text('echo "$@"; exit 4')
        script.chmod(0o700)
        with manager(Judge()) as served:
            code, process = run(tmp_path, served.url, str(script), "a b", "--", "c")
        assert (code, process.printed) == (4, "a b -- c\n")

    def test_is_not_delayed_by_grandchildren_that_hold_stdout(self, tmp_path: Path) -> None:
        with (
            manager(Judge()) as served,
            wrapped(tmp_path, served.url, "sh", "-c", "sleep 1000 & echo $!") as process,
        ):
            assert process.end() == 0
            os.kill(int(process.printed), 0)  # it is alive: exec kills nothing
        assert served.events == ["run", "finish"]

    def test_tells_where_it_ran(self, tmp_path: Path) -> None:
        ids = {"SLURM_JOB_ID": "17", "PBS_JOBID": "18.server", "LSB_JOBID": "19", "JOB_ID": "20", "SGE_TASK_ID": "1"}
        with manager(Judge()) as served:
            assert run(tmp_path, served.url, "/bin/sh", "-c", "exit 0", "secret", **ids)[0] == 0
        data = data_of(served, "run")
        assert {key: data[key] for key in data if key.endswith("_job_id")} == {
            "slurm_job_id": "17",
            "pbs_job_id": "18.server",
            "lsb_job_id": "19",
            "sge_job_id": "20",
        }
        assert data["host"] == os.uname().nodename
        assert data["command"] == "sh"
        assert "secret" not in json.dumps(data)


class TestSignals:
    @pytest.mark.parametrize("name", ["HUP", "INT", "QUIT", "TERM", "USR1", "USR2", "XCPU", "ALRM"])
    def test_are_passed_to_all_processes_of_the_command(self, tmp_path: Path, name: str) -> None:
        two = f"{sys.executable} -c '{COUNTING}' {name} & exec {sys.executable} -c '{COUNTING}' {name}"
        with manager(Judge()) as served, wrapped(tmp_path, served.url, "sh", "-c", two) as process:
            process.wait_for("ready", 2)
            process.process.send_signal(getattr(signal, f"SIG{name}"))
            process.wait_for(f"SIG{name}", 2)
            eventually(lambda: "update" in served.events, SECONDS)  # reported at once, while the command still runs
            assert data_of(served, "update") == {"signal_received": name}
            os.kill(child_of(process), signal.SIGKILL)
            assert process.end() == 128 + signal.SIGKILL
            assert process.printed.count(f"SIG{name}") == 2
        assert served.events == ["run", "update", "fail"]
        assert (data_of(served, "fail")["signal"], data_of(served, "fail")["signals_received"]) == ("KILL", [name])

    def test_two_in_a_row_are_both_passed_on(self, tmp_path: Path) -> None:
        command = (sys.executable, "-c", COUNTING, "TERM")
        with manager(Judge()) as served, wrapped(tmp_path, served.url, *command) as process:
            process.wait_for("ready")
            for times in (1, 2, 3):
                process.process.send_signal(signal.SIGTERM)
                process.wait_for("SIGTERM", times)
            process.process.send_signal(signal.SIGUSR2)
            assert process.end() == 128 + signal.SIGUSR2
        assert served.events == ["run", "update", "update", "fail"]
        assert (data_of(served, "fail")["signal"], data_of(served, "fail")["signals_received"]) == (
            "USR2",
            ["TERM", "USR2"],
        )

    def test_a_killed_command_is_reported_although_the_manager_hangs(self, tmp_path: Path) -> None:
        """As when a batch system ends the job while `run` is being sent."""
        command = (sys.executable, "-c", COUNTING)
        with (
            manager(drip) as served,
            wrapped(tmp_path, served.url, *command, options=("--timeout", "0.3")) as process,
        ):
            process.wait_for("ready")
            eventually(lambda: served.events == ["run"], SECONDS)
            process.process.send_signal(signal.SIGTERM)
            assert process.end() == 143
            assert "waiting in the spool: run, update, fail (the manager has not answered yet)" in process.said
            served.script = [judge := Judge()]
            assert client.flush(spool_of(tmp_path)).left == 0
        assert len(judge.applied) == 3
        assert served.events[-3:] == ["run", "update", "fail"]
        assert data_of(served, "fail")["signal"] == "TERM"

    @pytest.mark.parametrize(("command", "code"), [("kill -TERM $PPID; sleep 1000", 143), ("exit 5", 5)])
    def test_one_limits_the_time_for_sending(self, tmp_path: Path, free_port: int, command: str, code: int) -> None:
        """While the command runs, or after its end."""
        script = "from pipelinejobs import client; client.HURRY_SECONDS = 0.1; client.leave(client.main())"
        first = [sys.executable, "-c", script, "exec", "--timeout", "1h", "--"]
        url, root = f"http://127.0.0.1:{free_port}{PATH}", str(Path(client.__file__).parents[1])
        with wrapped(tmp_path, url, "sh", "-c", command, first=first, PYTHONPATH=root) as process:
            spooled = spool_of(tmp_path).glob
            eventually(lambda: any('"name": "fail"' in file.read_text() for file in spooled("*.json")), SECONDS)
            process.process.send_signal(signal.SIGTERM)
            assert process.end() == code

    def test_an_ignored_one_stays_ignored(self, tmp_path: Path) -> None:
        """As under nohup."""
        command = (sys.executable, "-c", COUNTING)

        def ignore() -> None:
            signal.signal(signal.SIGHUP, signal.SIG_IGN)

        with manager(Judge()) as served, wrapped(tmp_path, served.url, *command, before=ignore) as process:
            process.wait_for("ready")
            process.process.send_signal(signal.SIGHUP)
            os.kill(child_of(process), signal.SIGHUP)
            os.kill(child_of(process), signal.SIGALRM)
            assert process.end() == 7
        assert served.events == ["run", "fail"]

    def test_a_blocked_one_is_noticed(self, tmp_path: Path) -> None:
        command = (sys.executable, "-c", COUNTING, "TERM")

        def block() -> None:
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])

        with manager(Judge()) as served, wrapped(tmp_path, served.url, *command, before=block) as process:
            process.wait_for("ready")
            process.process.send_signal(signal.SIGTERM)
            eventually(lambda: "update" in served.events, SECONDS)
            os.kill(child_of(process), signal.SIGALRM)
            assert process.end() == 7
            assert "SIGTERM" not in process.printed  # the command has it blocked, as it would without exec
        assert data_of(served, "fail")["signals_received"] == ["TERM"]

    @pytest.mark.parametrize("ignored", [[], [signal.SIGHUP, signal.SIGINT], [signal.SIGCHLD, signal.SIGTTOU]])
    def test_are_to_the_command_as_they_would_be_without_exec(
        self, tmp_path: Path, ignored: list[signal.Signals]
    ) -> None:
        def change() -> None:
            for number in ignored:
                signal.signal(number, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1, signal.SIGTTOU])

        command = ["grep", "^Sig[BIC]", "/proc/self/status"]
        with manager(Judge()) as served:
            code, process = run(tmp_path, served.url, *command, before=change)
            with_exec = process.printed
            run(tmp_path, None, before=change, first=command)
        assert (code, with_exec) == (0, process.printed)


class TestWhatTheCommandHas:
    def test_stdin_and_descriptors_are_its_own(self, tmp_path: Path) -> None:
        reading, writing = os.pipe()
        with manager(Judge()) as served:
            done = subprocess.run(
                [*words(), "bash", "-c", f"cat; echo more >&{writing}"],
                env=variables(tmp_path, served.url),
                input=b"text",
                capture_output=True,
                pass_fds=[writing],
                timeout=SECONDS,
            )
        os.close(writing)
        with os.fdopen(reading) as read:
            assert (done.returncode, done.stdout, done.stderr, read.read()) == (0, b"text", b"", "more\n")

    def test_it_reports_by_itself_behind_run(self, tmp_path: Path) -> None:
        with manager(Judge()) as served:
            line = f"{sys.executable} {client.__file__} update --data '{{\"a\": 1}}'"
            code, process = run(
                tmp_path, None, "sh", "-c", line, options=("--callback", callback(served.url), "--spool", "here")
            )
        assert (code, process.printed) == (0, "applied (now RUNNING): done\n")
        assert served.events == ["run", "update", "finish"]
        assert (tmp_path / "here").is_dir()

    def test_an_exec_below_does_not_report_once_more(self, tmp_path: Path) -> None:
        with manager(Judge()) as served:
            code, process = run(tmp_path, served.url, *words(), "sh", "-c", "exit 9")
        assert (code, served.events) == (9, ["run", "fail"])
        assert "nothing is reported: the exec above this one reports on the job" in process.said

    def test_progress_that_is_refused_is_the_last(self, tmp_path: Path) -> None:
        command = "echo 1 > progress; until grep -q 'no longer read' stderr; do sleep 0.1; done; echo 2 > progress"
        with manager(Judge("update")) as served:
            options = ("--progress", "progress", "--update-every", "0.05s")
            assert run(tmp_path, served.url, "sh", "-c", command, options=options)[0] == 0
        assert served.events == ["run", "update", "finish"]

    def test_progress_is_sent_when_it_changes(self, tmp_path: Path) -> None:
        command = (sys.executable, "-c", COUNTING)
        options = ("--progress", "progress", "--update-every", "0.05s")
        with manager(Judge()) as served, wrapped(tmp_path, served.url, *command, options=options) as process:
            process.wait_for("ready")
            (tmp_path / "progress").write_text('{"x": NaN}')
            eventually(lambda: "progress: not reported: data: is not JSON" in process.said, SECONDS)
            for number, text in enumerate(("0.25", '{"step": 2, "of": 7}', "reading\nwriting\n"), 1):
                (tmp_path / "new").write_text(text)
                (tmp_path / "new").rename(tmp_path / "progress")
                eventually(lambda wanted=number: served.events.count("update") == wanted, SECONDS)
            os.kill(child_of(process), signal.SIGALRM)
            assert process.end() == 7
        assert [one.body["data"] for one in served.asked[1:-1]] == [
            {"progress": 0.25},
            {"step": 2, "of": 7},
            {"message": "writing"},
        ]

    def test_the_last_progress_is_sent_before_the_end(self, tmp_path: Path) -> None:
        with manager(Judge()) as served:
            run(tmp_path, served.url, "sh", "-c", "echo 1.0 > progress", options=("--progress", "progress"))
        assert served.events == ["run", "update", "finish"]
        assert data_of(served, "update") == {"progress": 1.0}


class TestReportingNeverStopsTheCommand:
    def test_a_manager_that_is_away(self, tmp_path: Path, free_port: int) -> None:
        url = f"http://127.0.0.1:{free_port}{PATH}"
        code, process = run(tmp_path, url, "sh", "-c", "echo done; exit 5", options=("--timeout", "0.3"))
        assert (code, process.printed) == (5, "done\n")
        assert "waiting in the spool: run, fail (" in process.said
        flush_with = f"{sys.executable} {client.__file__} --flush --spool {spool_of(tmp_path)}"
        assert f"; to send: {flush_with}\n" in process.said
        assert spool_of(tmp_path).stat().st_mode & 0o777 == 0o700
        with manager(judge := Judge(), port=free_port) as served:
            assert [each.verdict for each in client.flush(spool_of(tmp_path)).taken] == ["applied", "applied"]
        assert (served.events, len(judge.applied)) == (["run", "fail"], 2)

    def test_one_that_comes_back_while_the_command_runs(self, tmp_path: Path, free_port: int) -> None:
        url = f"http://127.0.0.1:{free_port}{PATH}"
        with wrapped(tmp_path, url, sys.executable, "-c", COUNTING) as process:
            process.wait_for("ready")
            with manager(Judge(), port=free_port) as served:
                eventually(lambda: served.events == ["run"], SECONDS)
                os.kill(child_of(process), signal.SIGALRM)
                assert process.end() == 7
        assert served.events == ["run", "fail"]

    def test_a_machine_without_a_network(self, tmp_path: Path) -> None:
        url = f"https://manager.invalid{PATH}"
        code, process = run(tmp_path, url, "sh", "-c", "exit 2", options=("--later",))
        assert code == 2
        assert "waiting in the spool: run, fail; to send: " in process.said
        assert len(list(spool_of(tmp_path).glob("*.json"))) == 2

    def test_a_spool_that_is_full(self, tmp_path: Path, free_port: int) -> None:
        spool = spool_of(tmp_path)
        spool.mkdir(0o700, parents=True)
        (spool / "refused").mkdir(0o700)
        with (spool / "refused" / "large.json").open("wb") as file:
            file.truncate(client.SPOOL_BYTES)
        with manager(Judge(), port=free_port) as served:
            code, process = run(tmp_path, served.url, "sh", "-c", "exit 3")
        assert (code, served.events) == (3, ["run", "fail"])
        assert process.said.count("is full") == 1
        code, process = run(tmp_path, served.url, "sh", "-c", "exit 3", options=("--timeout", "0.3"))
        assert code == 3
        assert "not reported: run, fail (" in process.said

    @pytest.mark.parametrize("mode", ["open to others", "a file", "no home"])
    def test_a_spool_that_cannot_be_used(self, tmp_path: Path, mode: str) -> None:
        more = {}
        if mode == "open to others":
            spool_of(tmp_path).mkdir(0o755, parents=True)
            spool_of(tmp_path).chmod(0o755)
        elif mode == "a file":
            more["PIPELINEJOBS_SPOOL"] = str(tmp_path / "stdout")
        else:
            more["HOME"] = "relative"
        with manager(Judge()) as served:
            code, process = run(tmp_path, served.url, "sh", "-c", "exit 3", **more)
        assert (code, served.events) == (3, ["run", "fail"])
        assert ("spool" in process.said) == (mode != "no home")

    def test_a_spool_that_hangs(self, tmp_path: Path) -> None:
        """Another process holds its lock; so does a file system that hangs."""
        spool = spool_of(tmp_path)
        spool.mkdir(0o700, parents=True)
        with (spool / "lock").open("w") as lock, manager(Judge()) as served:
            fcntl.flock(lock, fcntl.LOCK_EX)
            code, process = run(tmp_path, served.url, "sh", "-c", "exit 3", options=("--timeout", "0.3"))
        assert (code, served.events) == (3, [])
        assert "not reported: run, fail (the spool did not answer)" in process.said

    def test_a_refusal(self, tmp_path: Path) -> None:
        with manager(Judge("run", "finish")) as served:
            code, process = run(tmp_path, served.url, "echo", "done")
        assert (code, process.printed, served.events) == (0, "done\n", ["run", "finish"])
        assert "run was refused: run is not allowed\n" in process.said
        assert "finish was refused: finish is not allowed\n" in process.said

    @pytest.mark.parametrize(
        ("callback", "reason"),
        [("", "name the job"), ("https://host/x", "uuid"), (f"http://h/?uuid={JOB}&token={TOKEN}", "allow_http")],
    )
    def test_a_callback_that_is_missing_or_wrong(self, tmp_path: Path, callback: str, reason: str) -> None:
        code, process = run(tmp_path, None, "sh", "-c", "exit 6", PIPELINEJOBS_CALLBACK=callback)
        assert code == 6
        assert process.said.startswith("client.py: nothing is reported: ")
        assert reason in process.said


class TestAnExecThatIsKilled:
    @pytest.mark.parametrize(
        ("point", "left"),
        [
            ("before replace 1", []),
            ("after replace 1", ["run"]),
            ("before replace 2", ["run"]),
            ("after replace 2", ["run", "fail"]),
        ],
    )
    def test_leaves_whole_events(self, tmp_path: Path, free_port: int, point: str, left: list[str]) -> None:
        url = f"http://127.0.0.1:{free_port}{PATH}"
        first = [sys.executable, str(CRASH), str(tmp_path / "points"), point, "exec", "--later", "--"]
        code, _ = run(tmp_path, url, "sh", "-c", "exit 3", first=first)
        assert code == -signal.SIGKILL
        with manager(Judge(), port=free_port) as served:
            flushed = client.flush(spool_of(tmp_path))
        assert ([each.event for each in flushed.taken], flushed.left, flushed.damaged) == (left, 0, [])
        assert served.events == left

    def test_while_the_command_runs(self, tmp_path: Path) -> None:
        with (
            manager(judge := Judge()) as served,
            wrapped(tmp_path, served.url, sys.executable, "-c", COUNTING) as process,
        ):
            process.wait_for("ready")
            eventually(lambda: judge.applied, SECONDS)
            process.process.kill()
            assert process.end() == -signal.SIGKILL
            client.flush(spool_of(tmp_path))
        assert len(judge.applied) == 1  # `run`, whether or not it was sent twice


class TestAtATerminal:
    def test_ctrl_c_reaches_the_command_once(self, tmp_path: Path) -> None:
        command = [*words(), sys.executable, "-c", COUNTING, "INT"]
        with manager(Judge()) as served, terminal(command, variables(tmp_path, served.url)) as shown:
            shown.wait_for_printed("ready")
            shown.press(CTRL_C)
            shown.wait_for_printed("SIGINT")
            shown.press(CTRL_C)
            eventually(lambda: shown.printed.count("SIGINT") == 2, SECONDS)
            shown.press(b"\x1c")
            assert shown.end() == 128 + signal.SIGQUIT
        assert served.events == ["run", "fail"]
        assert data_of(served, "fail")["signal"] == "QUIT"

    def test_a_script_ends_at_ctrl_c_as_it_would_without_exec(self, tmp_path: Path) -> None:
        script = tmp_path / "script"
        script.write_text('"$@"\necho goes on\n')
        command = ["/bin/bash", str(script), *words(), "sh", "-c", "echo ready; sleep 1000"]
        with manager(Judge()) as served, terminal(command, variables(tmp_path, served.url)) as shown:
            shown.wait_for_printed("ready")
            shown.press(CTRL_C)
            assert shown.end() == -signal.SIGINT
            assert "goes on" not in shown.printed
        assert data_of(served, "fail")["signal"] == "INT"

    def test_the_command_can_be_stopped_and_continued(self, tmp_path: Path) -> None:
        command = ["/bin/bash", "--norc", "--noprofile", "-i"]
        line = " ".join(words("--timeout", "30")) + " cat\n"
        with (
            manager(Judge()) as served,
            terminal(command, variables(tmp_path, served.url, PS1="> ", HISTFILE=""), columns=500) as shown,
        ):
            shown.wait_for("> ")
            shown.press(line.encode())
            eventually(lambda: served.events == ["run"], SECONDS)
            shown.press(b"first\n")
            shown.wait_for_printed("first\n")
            shown.press(b"\x1a")
            shown.wait_for("Stopped")
            shown.press(b"fg\n")
            shown.wait_for_printed("client.py exec")  # the shell says what it continues
            shown.press(b"second\n")
            shown.wait_for_printed("second\n")
            shown.press(b"\x04")
            eventually(lambda: served.events == ["run", "finish"], SECONDS)
            shown.press(b"echo code $?\nexit 0\n")
            assert shown.end() == 0
            assert "code 0\n" in shown.printed
