"""``python -m loader``: the command `loader`, where its script is not on PATH."""

import sys

from loader.cli import main

if __name__ == "__main__":
    sys.exit(main())
