"""The operators' commands: `python -m pipelinejobs ...`, one file each."""
