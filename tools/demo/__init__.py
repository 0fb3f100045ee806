"""`make demo`: one job's life on this machine, with stand-ins for Abaco and the Indexer."""
