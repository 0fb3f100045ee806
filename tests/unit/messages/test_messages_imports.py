"""What reading a message loads: the cold start of every one-shot run pays for it."""

import subprocess
import sys

from support.message_samples import JOB, sample

GOOD = f"""
import sys
from pipelinejobs.messages.delivery import Delivery
from pipelinejobs.messages.reader import read
for body, parameters in (
    ('{{"uuid": "{JOB}", "name": "run"}}', {{}}),
    ("{{'uuid': '{JOB}', 'name': 'run'}}", {{}}),
    (None, {{"uuid": "{JOB}", "event": "run"}}),
    ({str(sample("agave-callback"))!r}, {{"uuid": "{JOB}"}}),
    ({str(sample("tapis-notification"))!r}, {{"uuid": "{JOB}"}}),
):
    read(Delivery(id="exec-1", body=body, parameters=parameters))
print(*sys.modules)
"""


def test_a_good_message_loads_little() -> None:
    loaded = subprocess.run([sys.executable, "-c", GOOD], capture_output=True, text=True, check=True).stdout.split()
    ours = {name for name in loaded if name.startswith(("pipelinejobs", "fsm"))}
    assert "pipelinejobs.messages.reader" in ours
    assert (
        not ours
        - {name for name in ours if name.startswith("pipelinejobs.messages.")}
        - {
            "fsm",
            "fsm.lifecycle",
            "pipelinejobs",
            "pipelinejobs.util",
            "pipelinejobs.util.errors",
            "pipelinejobs.messages",
            "pipelinejobs.util.record",
            "pipelinejobs.util.secret",
        }
    )
    heavy = {"jsonschema", "pymongo", "bson", "transitions", "requests", "urllib3", "yaml", "email", "http", "ssl"}
    assert heavy.isdisjoint(loaded)
    assert "pipelinejobs.messages.lenient" not in loaded
