"""``loader.health``, as applications name it: the module observe/health.py."""

import sys

from loader.observe import health

sys.modules[__name__] = health
