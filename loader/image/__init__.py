"""A file -> Image: what it is, from its bytes, before any of its code runs; and what comes along with it.

In: a path, or bytes. Out: a frozen Image; and a Closure, all that the dynamic linker would bring along.
Open first: image.py (the value), then read.py; elf.py, macho.py and pe.py are a format each, closure.py the resolver.
"""

from loader.image.image import File, Image, Machine, this_machine
from loader.image.read import read_bytes, read_image

__all__ = ["File", "Image", "Machine", "read_bytes", "read_image", "this_machine"]
