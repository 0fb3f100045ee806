"""A job's life on this machine, with stand-ins for Abaco and for the Indexer (`make demo`)."""
