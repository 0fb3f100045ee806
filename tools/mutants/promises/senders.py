"""The senders' client loses no event, shows no secret, and reports commands as they end."""

from typing import Final

from tools.mutants.mutant import Mutant

SENDERS: Final = (
    Mutant(
        promises=("P1",),
        what="drops a spooled event because the gateway could not be reached",
        where="pipelinejobs/client.py:_Flush._send",
        old="self.away[event.host] = error",
        new="""
            self.away[event.host] = error
            self._spool.remove(name)
        """,
        tests=("tests/unit/client/test_client_spool.py::TestAnEvent::test_an_undelivered_event_waits",),
    ),
    Mutant(
        promises=("P1",),
        what="treats an answer that asks to try again (503) as a refusal",
        where="pipelinejobs/client.py:_AGAIN",
        old="(408, 425, 429, 500, 502, 503, 504)",
        new="(408, 425, 429, 500, 502, 504)",
        tests=("tests/unit/client/test_client_delivery.py::TestTryingAgain::test_ends_when_a_server_answers",),
    ),
    Mutant(
        promises=("P1", "P8"),
        what="sends later events of a job before the one that could not be delivered",
        where="pipelinejobs/client.py:_Flush.round",
        old="job in self.away",
        new="name in self.away",
        tests=("tests/unit/client/test_client_spool.py::TestAFileThatCannotBeHandled::test_stops_its_own_job_alone",),
    ),
    Mutant(
        promises=("P2",),
        what="gives an event a new id each time that it is sent",
        where="pipelinejobs/client.py:_post",
        old="event.id",
        new="event.id + os.urandom(4).hex()",
        tests=("tests/unit/client/test_client_delivery.py::TestTryingAgain::test_ends_when_a_server_answers",),
    ),
    Mutant(
        promises=("P6",),
        what="shows the token when the gateway's answer repeats it",
        where="pipelinejobs/client.py:_Event.shown",
        old='"***"',
        new="secret",
        tests=("tests/unit/client/test_client_delivery.py::TestARefusal::test_shows_no_secret",),
    ),
    Mutant(
        promises=("P6",),
        what="lets other users read the tokens in the spool",
        where="pipelinejobs/client.py:_Spool._write",
        old="384",
        new="420",
        tests=("tests/unit/client/test_client_spool.py::TestRoom::test_its_files_are_private",),
    ),
    Mutant(
        promises=("S16", "P6"),
        what="sends the token to the target of a redirect",
        where="pipelinejobs/client.py:_opener",
        old="_NoRedirect()",
        new="urllib.request.HTTPRedirectHandler()",
        tests=("tests/unit/client/test_client_delivery.py::TestTheWay::test_a_redirect_is_not_followed",),
    ),
    Mutant(
        promises=("P10",),
        what="waits without limit for an answer that comes byte by byte",
        where="pipelinejobs/client.py:_in_time",
        old="done.get(timeout=seconds)",
        new="done.get()",
        tests=("tests/unit/client/test_client_delivery.py::TestTryingAgain::test_an_answer_that_drips_is_none",),
    ),
    Mutant(
        promises=("P14",),
        what="passes a signal to the command, but not to the processes that it has started",
        where="pipelinejobs/client.py:_Child._handle",
        old="os.killpg",
        new="os.kill",
        tests=("tests/acceptance/test_client_exec.py::TestSignals::test_are_passed_to_all_processes_of_the_command",),
    ),
    Mutant(
        promises=("P14",),
        what="takes an exit code above 128 for a signal, as a shell writes it",
        where="pipelinejobs/client.py:_end_data",
        old="code >= 0",
        new="0 <= code < 128",
        tests=("tests/acceptance/test_client_exec.py::TestTheEnd::test_is_reported_and_is_that_of_exec",),
    ),
    Mutant(
        promises=("P1", "P14"),
        what="sends the events of a command without writing them to the spool",
        where="pipelinejobs/client.py:_Reporter._add",
        old="self._file_of(event)",
        new="None",
        tests=("tests/acceptance/test_client_exec.py::TestReportingNeverStopsTheCommand::test_a_manager_that_is_away",),
    ),
    Mutant(
        promises=("P14",),
        what="does not start the command when the spool does not answer",
        where="pipelinejobs/client.py:_Reporter.begin",
        old="thread.join(START_SECONDS)",
        new="thread.join()",
        tests=("tests/acceptance/test_client_exec.py::TestReportingNeverStopsTheCommand::test_a_spool_that_hangs",),
    ),
    Mutant(
        promises=("P14",),
        what="goes on sending after a signal until the whole timeout is over, or the batch system kills it",
        where="pipelinejobs/client.py:_run_command",
        old="child.is_urged",
        new="False",
        tests=("tests/acceptance/test_client_exec.py::TestSignals::test_one_limits_the_time_for_sending",),
    ),
    Mutant(
        promises=("P14",),
        what="lets Python end the process in its own way, so that a late signal replaces the command's exit code",
        where="pipelinejobs/client.py:leave",
        old="os._exit(code)",
        new="sys.exit(code)",
        tests=("tests/unit/client/test_client_command.py::Test::test_nor_does_what_python_does_at_its_end",),
    ),
)
