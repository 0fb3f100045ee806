"""Makes a replica set and its users of MongoDB servers that have just been started; what is there already it leaves.

Runs beside the first of MEMBERS (`host:port,...`), with pymongo alone. The administrator's password and the connection
string, whose user is made, come from files of /run/secrets. Safe to run again, at any time.

With --drop-others, users that were made here before and are not that of the connection string are dropped: the end of a
change of password.
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
"""What the users that are made here are marked with."""
SECONDS: Final = 120.0
"""How long servers are waited for."""
UNAUTHORIZED: Final = 13
AUTHENTICATION_FAILED: Final = 18
ALREADY_INITIALIZED: Final = 23


def main() -> None:
    """Does it, and says what was done."""
    members = os.environ["MEMBERS"].split(",")
    password = (SECRETS / "mongodb-admin-password").read_text().strip()
    secrets: dict[str, str] = json.loads((SECRETS / "secrets.json").read_text())
    wanted = parse_uri(secrets["_REACTOR_MONGODB_URI"])
    name = wanted["options"]["replicaSet"]

    here = f"127.0.0.1:{members[0].rpartition(':')[2]}/?directConnection=true&timeoutMS=10000"
    with Client(f"mongodb://{here}") as anybody:
        until(lambda: make_set(anybody, name, members[0]))
        until(lambda: make_administrator(anybody, f"mongodb://{login(ADMIN, password)}@{here}", password))

    everywhere = f"{members[0]}/?authSource=admin&replicaSet={name}&timeoutMS=30000"
    with Client(f"mongodb://{login(ADMIN, password)}@{everywhere}") as administrator:
        for member in members:
            until(lambda member=member: joined(administrator, member))  # type: ignore[misc]
        user, database = wanted["username"], secrets.get("_REACTOR_MONGODB_DATABASE") or "catalog_staging"
        as_user = f"mongodb://{login(user, wanted['password'])}@{everywhere}"
        until(lambda: make_user(administrator, as_user, user, wanted["password"], database))
        drop_others(administrator, user, ask="--drop-others" not in sys.argv)
    say("all is as it should be")


def login(user: str, password: str) -> str:
    """The part of a connection string."""
    return f"{quote(user, '')}:{quote(password, '')}"


def may_enter(uri: str) -> bool:
    """Whether the server knows this user and password."""
    try:
        with Client(uri) as tried:
            tried.admin.command("connectionStatus")
    except OperationFailure as refused:
        if refused.code == AUTHENTICATION_FAILED:
            return False
        raise
    return True


def make_set(here: Client, name: str, member: str) -> None:
    """Makes a replica set of this one member, unless it belongs to one."""
    if "setName" in here.admin.command("hello"):
        return
    try:
        here.admin.command("replSetInitiate", {"_id": name, "members": [{"_id": 0, "host": member}]})
        say(f"the replica set {name} is made")
    except OperationFailure as refused:
        if refused.code != ALREADY_INITIALIZED:  # it had just been started, and did not know yet
            raise


def make_administrator(here: Client, uri: str, password: str) -> None:
    """Makes the administrator, or sees that it is there. A server without users lets its own machine make the first."""
    if may_enter(uri):
        return
    try:
        here.admin.command("createUser", ADMIN, pwd=password, roles=["root"])
        say("the administrator is made")
    except OperationFailure as refused:
        if refused.code == UNAUTHORIZED:
            sys.exit(f"there are users, and {SECRETS}/mongodb-admin-password is not the administrator's password")
        raise


def joined(administrator: Client, member: str) -> bool:
    """Whether this server belongs to the set and has caught up; asks it in where it does not."""
    config = administrator.admin.command("replSetGetConfig")["config"]
    if member not in [each["host"] for each in config["members"]]:
        number = max(each["_id"] for each in config["members"]) + 1
        config["members"].append({"_id": number, "host": member})
        config["version"] += 1
        administrator.admin.command("replSetReconfig", config)
        say(f"{member} is asked into the replica set")
    states = {each["name"]: each["stateStr"] for each in administrator.admin.command("replSetGetStatus")["members"]}
    return states.get(member) in ("PRIMARY", "SECONDARY")


def make_user(administrator: Client, uri: str, user: str, password: str, database: str) -> None:
    """Makes the user of the connection string, or sees that it can be used as it is.

    The password of one who is there is not changed, for that would shut out whoever uses it now: another name is how a
    password is changed.
    """
    if administrator.admin.command("usersInfo", user)["users"]:
        if not may_enter(uri):
            sys.exit(f"the user {user} has another password; give the connection string another user, who is then made")
        return
    roles = [{"role": "readWrite", "db": database}]
    administrator.admin.command("createUser", user, pwd=password, roles=roles, customData={"madeBy": MADE_HERE})
    say(f"the user {user} is made")


def drop_others(administrator: Client, user: str, *, ask: bool) -> None:
    """Drops the users that this program made before, or says only that they are there."""
    users: list[dict[str, Any]] = administrator.admin.command("usersInfo", 1)["users"]
    made_here = [one["user"] for one in users if one.get("customData", {}).get("madeBy") == MADE_HERE]
    for other in (name for name in made_here if name != user):
        if ask:
            say(f"the user {other} is not that of the connection string any more; --drop-others drops it")
        else:
            administrator.admin.command("dropUser", other)
            say(f"the user {other} is dropped")


def until(done: Callable[[], Any]) -> Any:
    """What this gives, once it gives anything but False; a server that starts, or elects, is waited for."""
    end = time.monotonic() + SECONDS
    while True:
        try:
            given = done()
            if given is not False:
                return given
            problem = "it takes too long"
        except PyMongoError as error:
            problem = str(error)
        if time.monotonic() > end:
            sys.exit(problem)
        time.sleep(0.5)


def say(line: str) -> None:
    """Tells whoever looks at the log."""
    print(line, flush=True)


if __name__ == "__main__":
    main()
