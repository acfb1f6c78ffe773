"""What a load asks of an ELF file, from C. Private: loader.image reads files."""

from typing import Any

def read_facts(data: bytes, /) -> dict[str, Any] | None: ...
