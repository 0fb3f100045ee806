"""Turns new MongoDB servers into a replica set, and creates its users. Keeps what exists, so it is safe to run again.

Runs on the host of the first of MEMBERS (`host:port,...`), and needs pymongo only. Reads the administrator's password
and the connection string, whose user it creates, from files in /run/secrets.

With --drop-others it drops the users that it created earlier, except the one in the connection string: the last step of
a password rotation.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError
from pymongo.uri_parser import parse_uri

Client = MongoClient[dict[str, Any]]

SECRETS: Final = Path("/run/secrets")
ADMIN: Final = "admin"
MADE_HERE: Final = "pipelinejobs"
"""The mark of the users that this program creates."""
SECONDS: Final = 120.0
"""How long to wait for a server to become ready."""
UNAUTHORIZED: Final = 13
AUTHENTICATION_FAILED: Final = 18
ALREADY_INITIALIZED: Final = 23


def main() -> None:
    """Creates what is missing, and prints what was created."""
    members = os.environ["MEMBERS"].split(",")
    password = (SECRETS / "mongodb-admin-password").read_text().strip()
    secrets: dict[str, str] = json.loads((SECRETS / "secrets.json").read_text())
    wanted = parse_uri(secrets["_REACTOR_MONGODB_URI"])
    name = wanted["options"]["replicaSet"]

    here = f"127.0.0.1:{members[0].rpartition(':')[2]}/?directConnection=true&timeoutMS=10000"
    with Client(f"mongodb://{here}") as no_user:
        until(lambda: make_set(no_user, name, members[0]))
        until(lambda: make_administrator(no_user, f"mongodb://{login(ADMIN, password)}@{here}", password))

    everywhere = f"{members[0]}/?authSource=admin&replicaSet={name}&timeoutMS=30000"
    with Client(f"mongodb://{login(ADMIN, password)}@{everywhere}") as administrator:
        for member in members:
            until(lambda member=member: joined(administrator, member))  # type: ignore[misc]
        user, database = wanted["username"], secrets.get("_REACTOR_MONGODB_DATABASE") or "catalog_staging"
        as_user = f"mongodb://{login(user, wanted['password'])}@{everywhere}"
        until(lambda: make_user(administrator, as_user, user, wanted["password"], database))
        drop_others(administrator, user, ask="--drop-others" not in sys.argv)
    say("done: the replica set and its users are complete")


def login(user: str, password: str) -> str:
    """User and password, as they are written in a connection string."""
    return f"{quote(user, '')}:{quote(password, '')}"


def may_enter(uri: str) -> bool:
    """True if the server accepts the user and password in `uri`."""
    try:
        with Client(uri) as tried:
            tried.admin.command("connectionStatus")
    except OperationFailure as refused:
        if refused.code == AUTHENTICATION_FAILED:
            return False
        raise
    return True


def make_set(here: Client, name: str, member: str) -> None:
    """Creates a replica set with this one member, unless the server belongs to one already."""
    if "setName" in here.admin.command("hello"):
        return
    try:
        here.admin.command("replSetInitiate", {"_id": name, "members": [{"_id": 0, "host": member}]})
        say(f"created the replica set {name}")
    except OperationFailure as refused:
        if refused.code != ALREADY_INITIALIZED:  # it has just started, and did not know of its set yet
            raise


def make_administrator(here: Client, uri: str, password: str) -> None:
    """Creates the administrator if missing. A server without users accepts the first one from its own host."""
    if may_enter(uri):
        return
    try:
        here.admin.command("createUser", ADMIN, pwd=password, roles=["root"])
        say("created the administrator")
    except OperationFailure as refused:
        if refused.code == UNAUTHORIZED:
            sys.exit(f"the server has users, but {SECRETS}/mongodb-admin-password is not the administrator's password")
        raise


def joined(administrator: Client, member: str) -> bool:
    """True if the server is a member of the set and has caught up. Adds it to the set if it is no member."""
    config = administrator.admin.command("replSetGetConfig")["config"]
    if member not in [each["host"] for each in config["members"]]:
        number = max(each["_id"] for each in config["members"]) + 1
        config["members"].append({"_id": number, "host": member})
        config["version"] += 1
        administrator.admin.command("replSetReconfig", config)
        say(f"added {member} to the replica set")
    states = {each["name"]: each["stateStr"] for each in administrator.admin.command("replSetGetStatus")["members"]}
    return states.get(member) in ("PRIMARY", "SECONDARY")


def make_user(administrator: Client, uri: str, user: str, password: str, database: str) -> None:
    """Creates the user of the connection string if missing.

    The password of an existing user is not changed, because gateways that use the old password would be refused. To
    rotate the password, put a new user name into the connection string.
    """
    if administrator.admin.command("usersInfo", user)["users"]:
        if not may_enter(uri):
            sys.exit(f"the user {user} exists with another password; put a new user name into the connection string")
        return
    roles = [{"role": "readWrite", "db": database}]
    administrator.admin.command("createUser", user, pwd=password, roles=roles, customData={"madeBy": MADE_HERE})
    say(f"created the user {user}")


def drop_others(administrator: Client, user: str, *, ask: bool) -> None:
    """Drops the users that this program created earlier; with `ask`, only lists them."""
    users: list[dict[str, Any]] = administrator.admin.command("usersInfo", 1)["users"]
    made_here = [one["user"] for one in users if one.get("customData", {}).get("madeBy") == MADE_HERE]
    for other in (name for name in made_here if name != user):
        if ask:
            say(f"the user {other} is no longer in the connection string; to drop it, use --drop-others")
        else:
            administrator.admin.command("dropUser", other)
            say(f"dropped the user {other}")


def until(done: Callable[[], Any]) -> Any:
    """Calls `done` until it returns something other than False: the server may be starting or electing a primary."""
    end = time.monotonic() + SECONDS
    while True:
        try:
            given = done()
            if given is not False:
                return given
            problem = f"not done within {SECONDS:.0f} seconds"
        except PyMongoError as error:
            problem = str(error)
        if time.monotonic() > end:
            sys.exit(problem)
        time.sleep(0.5)


def say(line: str) -> None:
    """Prints a line for the container's log."""
    print(line, flush=True)


if __name__ == "__main__":
    main()
