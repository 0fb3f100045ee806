"""The picture in README.rst, made from the running product: `python -m tools.picture`."""
