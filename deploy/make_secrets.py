"""Creates the secret files that compose.yaml uses, in deploy/secrets. Existing files are kept.

Needs only Python. Each file must belong to the user that reads it in its container, and be readable for that user only.
If root runs this program, it sets the owners; otherwise it prints the commands for it.

  python3 deploy/make_secrets.py [DIRECTORY]
"""

import base64
import json
import os
import secrets
import sys
from pathlib import Path
from typing import Final

DIRECTORY: Final = Path(__file__).resolve().parent / "secrets"
MEMBERS: Final = "mongodb1:27017,mongodb2:27017,mongodb3:27017"
MONGODB: Final = 999
"""The user id in the image mongo."""
ACTOR: Final = 1000
"""The user id in the gateway's image."""


def keyfile() -> str:
    """The key by which the members of the replica set authenticate each other."""
    return base64.b64encode(secrets.token_bytes(96)).decode()


def password() -> str:
    """A random password that needs no escaping in a connection string."""
    return secrets.token_urlsafe(24)


def settings() -> str:
    """The gateway's secret settings."""
    uri = f"mongodb://pipelinejobs-1:{password()}@{MEMBERS}/?replicaSet=jobs&authSource=admin"
    given = {
        "_REACTOR_MONGODB_URI": uri,
        "_REACTOR_TOKENS_ADMIN_KEY": secrets.token_hex(20),
        "_REACTOR_TOKENS_ADMIN_SECRET": secrets.token_hex(20),
        "_REACTOR_PIPELINES_JOB_INDEXER_URL": "",
        "_REACTOR_GATEWAY_TOKENS": "",
    }
    return json.dumps(given, indent=2)


FILES: Final = {
    "mongodb-keyfile": (keyfile, MONGODB),
    "mongodb-admin-password": (password, ACTOR),
    "secrets.json": (settings, ACTOR),
}


def main() -> None:
    """Creates the missing files."""
    directory = Path(sys.argv[1]) if len(sys.argv) > 1 else DIRECTORY
    directory.mkdir(mode=0o711, exist_ok=True)
    for name, (made, owner) in FILES.items():
        file = directory / name
        try:
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400)
        except FileExistsError:
            print(f"kept {file}")
            continue
        with os.fdopen(descriptor, "w") as opened:
            opened.write(made() + "\n")
        print(f"created {file}")
        if os.geteuid() == 0:
            os.chown(file, owner, owner)
        elif os.geteuid() != owner:
            print(f"  sudo chown {owner}:{owner} {file}")


if __name__ == "__main__":
    main()
