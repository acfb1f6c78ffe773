"""Types of the cffi module."""

from typing import Any

ffi: Any
lib: Any
