"""``loader.process_state``, as applications name it: the module observe/process_state.py."""

import sys

from loader.observe import process_state

sys.modules[__name__] = process_state
