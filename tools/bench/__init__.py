"""`make bench`: measures the manager's cost relative to MongoDB and Python alone, in one run, as ratios.

    python -m tools.bench

tools/bench/README.rst explains the results.
"""
