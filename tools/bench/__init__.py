"""Measures what the manager costs, against what MongoDB and Python cost by themselves, in one run and as ratios.

    python -m tools.bench

tools/bench/README.rst says how to read it.
"""
