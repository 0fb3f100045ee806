"""Entry point 2: the actor's HTTP contract, served by one resident process."""
