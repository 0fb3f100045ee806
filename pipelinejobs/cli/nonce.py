"""Make, list or delete nonces of the gateway.

With a nonce in the URL, as the parameter x-nonce, its holder can send messages. A nonce is valid for one name of the
actor in the URL: an alias, or the actor's id. Its secret id is shown only when it is made; lists show its handle, with
which it can be deleted.

  python -m pipelinejobs nonce add --max-uses 100 --days 30
  python -m pipelinejobs nonce list
  python -m pipelinejobs nonce delete HANDLE
"""

import argparse
from collections.abc import Iterable
from typing import TYPE_CHECKING

from pipelinejobs.cli import inputs
from pipelinejobs.cli.output import Output, table, when
from pipelinejobs.cli.session import Session
from pipelinejobs.core.permission import Permission
from pipelinejobs.store.nonces import UNLIMITED, NewNonce, Nonce
from pipelinejobs.util.errors import CommandFailed

if TYPE_CHECKING:
    from pipelinejobs.gateway.actor_names import ActorNames

_LEVELS = [permission.name for permission in Permission if permission is not Permission.NONE]
_DAY = 86400


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    add = actions.add_parser("add", help="make a nonce")
    add.add_argument(
        "--level", choices=_LEVELS, default="EXECUTE", help="the permission that it gives (default: %(default)s)"
    )
    add.add_argument("--max-uses", type=inputs.positive, metavar="N", help="valid for N uses (default: without limit)")
    add.add_argument("--days", type=inputs.positive, metavar="N", help="valid for N days (default: without limit)")
    add.add_argument("--description", type=inputs.line, metavar="TEXT", help="a note about its purpose")
    add.add_argument(
        "--owner",
        type=inputs.line,
        metavar="USER",
        help="the user for whom its holder acts (default: the present user)",
    )
    listed = actions.add_parser("list", help="list the nonces, also spent and expired ones")
    delete = actions.add_parser("delete", help="delete a nonce")
    delete.add_argument("nonce", type=inputs.line, help="its id or handle")
    for action in (add, listed, delete):
        action.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print JSON instead of text")
        action.add_argument(
            "--name",
            type=inputs.line,
            help="the alias or id in the URL (default: pipelines.job_manager_id; for list and delete: all names)",
        )


def run(options: argparse.Namespace, session: Session) -> Output:
    """Makes, lists or deletes nonces."""
    from pipelinejobs.gateway.actor_names import names  # needs requirements-gateway.txt

    known = names(session.settings)
    name = options.name or session.settings.pipelines.job_manager_id
    scope = known.scope(name)
    if scope is None:
        raise CommandFailed(f"the actor has no alias or id {name}; it has {', '.join((known.id, *known.aliases))}")
    if options.action == "add":
        return _add(options, session, known, scope)
    scopes = [scope] if options.name else known.scopes  # without --name: the nonces of all names
    if options.action == "list":
        return _list(session, scopes)
    if not any(session.store.nonces.delete(one, options.nonce) for one in scopes):
        raise CommandFailed(f"{options.name or 'the actor'} has no such nonce")
    return Output(data={"deleted": True}, lines=["deleted"])


def _list(session: Session, scopes: Iterable[str]) -> Output:
    found = [nonce for one in scopes for nonce in session.store.nonces.of(one)]
    heads = ("handle", "scope", "level", "uses left", "used", "expires (UTC)", "owner", "description")
    lines = table(heads, map(_row, found)) if found else ["no nonces"]
    return Output(data=[_facts(nonce) for nonce in found], lines=lines)


def _add(options: argparse.Namespace, session: Session, known: "ActorNames", scope: str) -> Output:
    level = Permission[options.level]
    if level is Permission.UPDATE and scope.startswith("alias:"):
        raise CommandFailed(
            f"a nonce for an alias has at most the level EXECUTE; for UPDATE, use the actor's id: --name {known.id}"
        )
    secret, nonce = session.store.nonces.make(
        NewNonce(
            scope=scope,
            tenant=known.tenant,
            level=level,
            max_uses=options.max_uses or UNLIMITED,
            description=options.description or "",
            seconds=options.days * _DAY if options.days else None,
            owner=options.owner or inputs.user(),
            by_operator=True,
        )
    )
    return Output(
        data={"id": secret.reveal(), **_facts(nonce)},
        lines=[
            f"id: {secret.reveal()}",
            f"handle: {nonce.handle}",
            f"scope: {scope.partition(':')[2]}",
            f"level: {nonce.level.name}",
            f"expires: {_expires(nonce)}",
        ],
    )


def _facts(nonce: Nonce) -> dict[str, object]:
    return {
        "handle": nonce.handle,
        "name": nonce.scope.partition(":")[2],
        "level": nonce.level.name,
        "max_uses": nonce.max_uses,
        "remaining": nonce.remaining,
        "used": nonce.used,
        "owner": nonce.owner,
        "description": nonce.description,
        "created": nonce.created,
        "last_used": nonce.last_used,
        "expires": nonce.expires,
    }


def _row(nonce: Nonce) -> tuple[str, ...]:
    left = "any" if nonce.remaining == UNLIMITED else str(nonce.remaining)
    name = nonce.scope.partition(":")[2]
    return nonce.handle, name, nonce.level.name, left, str(nonce.used), _expires(nonce), nonce.owner, nonce.description


def _expires(nonce: Nonce) -> str:
    return when(nonce.expires) if nonce.expires else "never"
