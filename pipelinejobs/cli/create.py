"""Create a job, and print its uuid and its token.

The job's uuid is derived from its pipeline, its parents and its data, as in python-datacatalog. If the job exists, the
command fails and changes nothing. --pipeline-name uses the pipeline that is registered under this name or id; if there
is none, it registers one.

The Indexer indexes only files in the archive system whose names match a pattern:

  python -m pipelinejobs create --pipeline-name demo --data '{"sample": 1}' \\
    --archive-patterns '[{"level": "1", "patterns": ["\\.csv$"]}]'
"""

import argparse

from pipelinejobs.cli import inputs
from pipelinejobs.cli.output import Output
from pipelinejobs.cli.session import Session
from pipelinejobs.core import uuids
from pipelinejobs.core.tokens import job_token
from pipelinejobs.store.pipelines import ARCHIVE_SYSTEM, NewJob, Owner
from pipelinejobs.util.errors import CommandFailed


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--pipeline", type=inputs.uuid, metavar="UUID", help="uuid of an existing pipeline")
    which.add_argument(
        "--pipeline-name",
        type=inputs.line,
        metavar="NAME",
        help="name or id of a pipeline; if it is not registered, it is registered",
    )
    parser.add_argument("--data", type=inputs.json_object, default={}, metavar="JSON", help="run-time parameters")
    parser.add_argument(
        "--child-of",
        action="append",
        default=[],
        type=inputs.uuid,
        metavar="UUID",
        help="uuid of a parent; may be repeated",
    )
    text = inputs.line
    parser.add_argument(
        "--archive-path",
        type=text,
        metavar="PATH",
        help="path of the outputs (default: /products/v2/PIPELINE/JOB, with the uuids of both)",
    )
    parser.add_argument(
        "--archive-system",
        type=text,
        metavar="ID",
        default=ARCHIVE_SYSTEM,
        help="storage system of the outputs (default: %(default)s, as in python-datacatalog)",
    )
    parser.add_argument(
        "--archive-patterns",
        type=inputs.archive_patterns,
        default=[],
        metavar="JSON",
        help='what to index as the job\'s own outputs: a list of {"level": LEVEL, "patterns": [REGEX, ...]}',
    )
    parser.add_argument(
        "--product-patterns",
        type=inputs.product_patterns,
        default=[],
        metavar="JSON",
        help="what to index as derived from other files: a list of "
        '{"patterns": [REGEX, ...], "derived_from": [FILE, ...], "derived_using": [REFERENCE, ...]}',
    )
    parser.add_argument("--session", type=text, metavar="TEXT", help="text to correlate jobs")
    parser.add_argument("--agent", type=text, metavar="URI", help="the actor or app that runs the job")
    parser.add_argument("--task", type=text, metavar="URI", help="the execution, or the job of the job system")
    parser.add_argument(
        "--external",
        type=inputs.external,
        metavar="SYSTEM:ID",
        help="the job of the job system that does the work, such as agave:ID; reconcile asks about it",
    )
    parser.add_argument("--owner", type=text, metavar="NAME", help="owner of the job (default: the present user)")
    parser.add_argument("--project", type=text, metavar="NAME", default="SD2E-Community", help="default: %(default)s")
    parser.add_argument("--tenant", type=text, metavar="NAME", default="sd2e", help="default: %(default)s")


def run(options: argparse.Namespace, session: Session) -> Output:
    """Makes the job. Raises CommandFailed if it exists, or if there is no such pipeline."""
    store, now = session.store, session.now
    if session.services.embedded is not None:
        store.ensure_indexes()
    owner = Owner(owner=options.owner or inputs.user(), project=options.project, tenant=options.tenant)
    if options.pipeline_name is not None:
        pipeline = store.pipelines.named(options.pipeline_name, owner, now)
    elif store.pipelines.has_pipeline(options.pipeline):
        pipeline = options.pipeline
    else:
        raise CommandFailed(f"there is no pipeline {options.pipeline}; use --pipeline-name to register one")
    job = store.pipelines.make_job(
        NewJob(
            pipeline_uuid=pipeline,
            archive_path=options.archive_path or _archive_path(pipeline, options),
            archive_system=options.archive_system,
            archive_patterns=tuple(options.archive_patterns),
            product_patterns=tuple(options.product_patterns),
            data=options.data,
            child_of=tuple(options.child_of),
            session=options.session,
            agent=options.agent,
            task=options.task,
            external=options.external,
        ),
        owner,
        now,
    )
    facts = {
        "uuid": job["uuid"],
        "token": job_token(job["uuid"], job["_salt"], job["_admin"]),
        "state": job["state"],
        "pipeline_uuid": pipeline,
        "archive_path": job["archive_path"],
    }
    return Output(data=facts, lines=[f"{name}: {value}" for name, value in facts.items()])


def _archive_path(pipeline: str, options: argparse.Namespace) -> str:
    """A path that no other job has, so that two jobs of a pipeline cannot overwrite each other's outputs."""
    job = uuids.job_uuid({"pipeline_uuid": pipeline, "child_of": options.child_of, "data": options.data})
    return f"/products/v2/{pipeline}/{job}"
