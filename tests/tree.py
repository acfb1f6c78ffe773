"""Where things lie in this tree, for tests in whichever folder."""

from pathlib import Path

TESTS = Path(__file__).resolve().parent
ROOT = TESTS.parent
PLUGINS = TESTS / "plugins"
FUZZ = TESTS / "fuzz"
CORPUS = FUZZ / "corpus" / "image"
GREETER = ROOT / "native_plugins" / "greeter" / "greeter.h"
