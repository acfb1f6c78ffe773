"""TrustedImage -> Library: a file's code is in this process, from the very bytes that were checked.

In: a TrustedImage and its Owner. Out: a Library, which gives the address of each exported symbol. Nothing is ever
unmapped. Open first: library.py; opened.py has what is open, sealed.py the private copy that the dynamic linker maps,
dependencies.py what a plugin brings along.
"""

from loader.library.library import check_libraries, open_library
from loader.library.opened import Library, Mapping, go_runtimes, mappings, owner_of

__all__ = ["Library", "Mapping", "check_libraries", "go_runtimes", "mappings", "open_library", "owner_of"]
