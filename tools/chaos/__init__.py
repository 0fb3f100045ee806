"""`make soak`: faults done to a whole deployment while senders send, and then a count of what was lost.

    python -m tools.chaos --seconds 600 --seed 7

A replica set of three, gateways, senders and an Indexer run on this machine's loopback, and are stopped at the end.
Servers are killed and frozen, and connections are cut. (Jepsen calls the part that does this a nemesis.)
"""
