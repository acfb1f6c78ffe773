"""TOML text -> plain values, and strings and keys as TOML. The parser is imported when a file is read."""

from __future__ import annotations

import json
import re
import sys
from typing import Any

from loader.errors import TrustError

__all__ = ["key", "parse", "string"]

_BARE = re.compile(r"[A-Za-z0-9_-]+\Z", re.ASCII)


def parse(data: bytes, *, path: str) -> dict[str, Any]:
    """The tables of a TOML file. Raises TrustError: these files say what is trusted."""
    if sys.version_info >= (3, 11):
        import tomllib  # noqa: PLC0415
    else:
        try:
            import tomli as tomllib  # noqa: PLC0415
        except ImportError as error:
            raise TrustError(
                "cannot be read by this Python",
                path=path,
                expected="Python 3.11, or the package tomli",
                cure="Install it: pip install tomli",
            ) from error
    try:
        return tomllib.loads(data.decode())
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError and TOMLDecodeError are ValueErrors
        raise TrustError("is not valid TOML", path=path, found=str(error) or "nested too deeply") from error


def string(text: str) -> str:
    """A TOML string. JSON's escapes are TOML's, but for DEL, which it lets stand."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007F")


def key(name: str) -> str:
    """A TOML key, quoted where it must be."""
    return name if _BARE.match(name) else string(name)
