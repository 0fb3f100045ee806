"""Breaks the product on purpose, one promise at a time, and looks whether the tests see it.

    python -m tools.mutants --only retry

Each break is made in a copy of the source, which is gone afterwards; nothing here is ever part of the product.
"""
