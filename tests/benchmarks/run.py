"""python tests/benchmarks/run.py: the same as python -m tests.benchmarks, from any folder."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.benchmarks.__main__ import main

raise SystemExit(main())
