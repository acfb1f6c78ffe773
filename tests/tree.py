"""Where things lie in this tree, for tests in whichever folder."""

import os
from pathlib import Path

TESTS = Path(__file__).resolve().parent
ROOT = TESTS.parent
PLUGINS = TESTS / "plugins"
FUZZ = TESTS / "fuzz"
CORPUS = FUZZ / "corpus" / "image"
GREETER = ROOT / "native_plugins" / "greeter" / "greeter.h"

#: All is emulated (.ci/arm64 says so): times mean nothing, and what looks at processes from outside does not work.
EMULATED = "LOADER_TEST_EMULATED" in os.environ
