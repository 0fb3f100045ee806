"""Makes a sample job, and prints commands to try with it."""

import json
import shlex
from typing import Final

from pipelinejobs.cli import inputs
from pipelinejobs.cli.session import Session
from pipelinejobs.core.tokens import job_token
from pipelinejobs.store.nonces import NewNonce
from pipelinejobs.store.pipelines import ARCHIVE_SYSTEM, NewJob, Owner

LAST_LINE: Final = "Press Ctrl-C to stop the gateway."
"""The end of what `serve --sample` prints; programs that read it wait for this line."""
_PIPELINE: Final = "sample"
_INDEXED: Final = ({"level": "1", "patterns": [r"\.csv$", r"\.json$"]},)
_DAYS: Final = 7
_CALLBACK: Final = {
    "id": "4183620957716350441-a81f0c2e9b7d-0001-007",
    "appId": "read-aligner-1.4.0u3",
    "executionSystem": "hpc-example-cluster",
    "owner": "jdoe",
    "status": "FINISHED",
    "_links": {},
}
"""The part of Agave's callback by which the manager recognises it."""


def lines(session: Session, address: str) -> list[str]:
    """Makes a job and a nonce, and returns commands to try with them, as lines.

    Args:
        session: gives the database and the settings.
        address: the URL of the gateway.

    Raises:
        CommandFailed: several pipelines have the name of the sample.
        Unavailable: the database cannot be asked.
    """
    from pipelinejobs.gateway.actor_names import (
        names,
    )  # needs requirements-gateway.txt, which an actor does not install

    uuid, token = _job(session)
    known = names(session.settings)
    alias = known.aliases[0] if known.aliases else known.id
    nonce, _ = session.store.nonces.make(
        NewNonce(
            scope=known.scope(alias) or "",
            tenant=known.tenant,
            description="sample of serve",
            seconds=_DAYS * 86400,
            owner=inputs.user(),
            by_operator=True,
        )
    )
    insecure = "-k " if address.startswith("https:") else ""
    url = f"{address}/actors/v2/{alias}/messages?x-nonce={nonce.reveal()}"
    of_job = f"{url}&uuid={uuid}&token={token}"
    event = json.dumps({"uuid": uuid, "name": "run", "token": token, "data": {"node": "c401-003"}})
    progress = json.dumps({"progress": 0.5})
    explained = f"{address}/jobs/{uuid}/explain?x-nonce={nonce.reveal()}"
    post = f"curl {insecure}-X POST -H 'Content-Type: application/json' --data"
    return [
        "",
        f"A job to try it with: {uuid}",
        f"its token:            {token}",
        f"a nonce ({_DAYS} days):     {nonce.reveal()}",
        "",
        "# a JSON event",
        f"{post} {shlex.quote(event)} {shlex.quote(url)}",
        "# an event as URL parameters; the body is its data",
        f"{post} {shlex.quote(progress)} {shlex.quote(of_job + '&event=update&note=half-way')}",
        "# a job system's callback",
        f"{post} {shlex.quote(json.dumps(_CALLBACK))} {shlex.quote(of_job + '&status=FINISHED')}",
        "# from another reactor whose actors API is this gateway",
        f'rx.send_message("{alias}", {event})',
        "# the same in a browser; sign in with the nonce",
        f"{address}/pages/jobs/{uuid}",
        "# why the job is in its state",
        f"curl {insecure}{shlex.quote(explained)}",
        "",
        LAST_LINE,
    ]


def _job(session: Session) -> tuple[str, str]:
    owner = Owner(owner=inputs.user(), project="SD2E-Community", tenant="sd2e")
    store, now = session.store, session.now
    pipeline = store.pipelines.named(_PIPELINE, owner, now)
    unused = store.pipelines.unused_job(pipeline)
    job = unused or store.pipelines.make_job(
        NewJob(
            pipeline_uuid=pipeline,
            archive_path=f"/products/v2/{pipeline}/{now:%Y%m%dT%H%M%S}",
            archive_system=ARCHIVE_SYSTEM,
            archive_patterns=_INDEXED,
            data={"sample": now.isoformat()},
        ),
        owner,
        now,
    )
    return job["uuid"], job_token(job["uuid"], job["_salt"], job["_admin"])
