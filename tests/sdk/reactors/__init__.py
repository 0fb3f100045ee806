"""A stand-in for the package of the Reactors SDK, which is on no package index. Put `tests/sdk` on the path."""
