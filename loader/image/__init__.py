"""What a plugin file is, from its bytes, before any of its code runs."""

from loader.image.image import File, Image, Machine, this_machine
from loader.image.read import read_bytes, read_image

__all__ = ["File", "Image", "Machine", "read_bytes", "read_image", "this_machine"]
