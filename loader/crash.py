"""``loader.crash``, as applications name it: the module observe/crash.py."""

import sys

from loader.observe import crash

sys.modules[__name__] = crash
