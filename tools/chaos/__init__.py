"""Does to a deployment what networks and machines do, while senders send; and then counts what is left.

    python -m tools.chaos --seconds 600 --seed 7

A replica set of three, gateways, senders and an Indexer, all on this machine's loopback and stopped at the end.
"""
