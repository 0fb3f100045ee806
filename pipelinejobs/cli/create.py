"""Make a job, as the agents that create jobs do.

The job's uuid is derived from its pipeline, its parents and its data, as python-datacatalog derives it. A job that
exists is left as it is: the command fails and says so. With --pipeline-name the pipeline is made when there is none.

  python -m pipelinejobs create --pipeline-name demo --data '{"sample": 1}'
"""

import argparse
import getpass

from pipelinejobs.cli import inputs
from pipelinejobs.cli.report import Report
from pipelinejobs.cli.session import Session
from pipelinejobs.errors import CommandFailed
from pipelinejobs.messages import values
from pipelinejobs.store.pipelines import NewJob, Owner
from pipelinejobs.tokens import job_token


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--pipeline", metavar="UUID", help="uuid of an existing pipeline")
    which.add_argument("--pipeline-name", metavar="NAME", help="name of a pipeline, made when there is none")
    parser.add_argument("--data", type=inputs.json_object, default={}, metavar="JSON", help="run-time parameters")
    parser.add_argument("--child-of", action="append", default=[], metavar="UUID", help="a parent; may be repeated")
    parser.add_argument(
        "--archive-path", metavar="PATH", help="path of the outputs; default: made from pipeline and job"
    )
    parser.add_argument("--archive-system", metavar="ID", help="storage system of the outputs")
    parser.add_argument("--session", metavar="TEXT", help="correlation text")
    parser.add_argument("--agent", metavar="URI", help="the actor or app that runs the job")
    parser.add_argument("--task", metavar="URI", help="the execution or job system's job")
    parser.add_argument("--owner", default=getpass.getuser(), help="owner of the job (default: %(default)s)")
    parser.add_argument("--project", default="SD2E-Community", help="default: %(default)s")
    parser.add_argument("--tenant", default="sd2e", help="default: %(default)s")


def run(options: argparse.Namespace, session: Session) -> Report:
    """Makes the job and tells its uuid and token."""
    values.check(options.data)
    store, now = session.store, session.now
    if session.services.embedded:
        store.ensure_indexes()
    owner = Owner(owner=options.owner, project=options.project, tenant=options.tenant)
    if options.pipeline_name is not None:
        pipeline = store.pipelines.make_pipeline(options.pipeline_name, owner, now)
    elif store.pipelines.has_pipeline(options.pipeline):
        pipeline = options.pipeline
    else:
        raise CommandFailed(f"there is no pipeline {options.pipeline}; --pipeline-name makes one")
    job = store.pipelines.make_job(
        NewJob(
            pipeline_uuid=pipeline,
            archive_path=options.archive_path or f"/products/v2/{pipeline}",
            archive_system=options.archive_system,
            data=options.data,
            child_of=tuple(options.child_of),
            session=options.session,
            agent=options.agent,
            task=options.task,
        ),
        owner,
        now,
    )
    token = job_token(job["uuid"], job["_salt"], job["_admin"])
    facts = {"uuid": job["uuid"], "token": token, "state": job["state"], "pipeline_uuid": pipeline}
    return Report(data=facts, lines=[f"{name}: {value}" for name, value in facts.items()])
