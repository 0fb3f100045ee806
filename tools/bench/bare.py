"""The baseline of a one-shot run: one read and one guarded write, and nothing else. Run as a script."""

import os
import sys
from datetime import UTC, datetime
from uuid import uuid4

import pymongo
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

uri, name, uuid, leaving = sys.argv[1:]
client: pymongo.MongoClient[dict[str, object]] = pymongo.MongoClient(uri)
database = client.get_database(
    name, read_concern=ReadConcern("majority"), write_concern=WriteConcern("majority", j=True)
)
job = database["jobs"].find_one({"uuid": uuid}, {"history": 0})
assert job is not None
properties = job["_properties"]
assert isinstance(properties, dict)
now = datetime.now(UTC)
entry = {"date": now, "data": {"progress": 0.5}, "name": "update", "uuid": str(uuid4())}
guard = {
    "_id": job["_id"],
    "state": job["state"],
    "_properties.revision": properties["revision"],
    "history.uuid": {"$nin": [entry["uuid"]]},
}
change = {
    "$set": {"last_event": "update", "updated": now, "_properties.modified_date": now},
    "$push": {"history": entry},
    "$inc": {"_properties.revision": 1},
}
assert database["jobs"].update_one(guard, change).matched_count == 1
print("applied", flush=True)
if leaving == "at-once":
    os._exit(0)
