"""The commands for operators, `python -m pipelinejobs ...`: a module for each, and what they share."""
