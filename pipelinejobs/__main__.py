"""`python -m pipelinejobs`."""

import sys

from pipelinejobs.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
