"""Why a job is in its state: checks, explanation, snapshot."""
