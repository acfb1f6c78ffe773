"""TrustedImage -> Library: a file's code is in this process, from the very bytes that were checked.

In: a TrustedImage and its Owner. Out: a Library, which gives the address of each exported symbol. Nothing is ever
unmapped. Open first: library.py; sealed.py is the private copy that the dynamic linker maps.
"""

from loader.library.library import (
    Library,
    Mapping,
    go_runtimes,
    mappings,
    open_library,
    owner_of,
)

__all__ = [
    "Library",
    "Mapping",
    "go_runtimes",
    "mappings",
    "open_library",
    "owner_of",
]
