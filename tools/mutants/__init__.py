"""Mutants: the product broken on purpose, one promise at a time, to see that its tests notice.

    python -m tools.mutants --only retry

A mutant lives in a copy of the source, which is gone afterwards; nothing here is ever part of the product. `promises/`
lists mutants that break what the product promises. The small ones that a tool can make by itself, in `fsm/` and
`pipelinejobs/core/`, are left to mutmut (`make mutmut`).
"""
