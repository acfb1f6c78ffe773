"""What a plugin takes part in, as its function ``hooks`` writes it: a line each, "role:NAME" or "contents"."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from loader.errors import RegistryError

if TYPE_CHECKING:
    from loader.plugin import Plugin

__all__ = ["read_hooks"]

_HOOK = re.compile(r"role:([0-9A-Za-z_]{1,100})|contents")


def read_hooks(plugin: Plugin, hooks: str) -> tuple[list[str], bool]:
    """The role claims in what a plugin's ``hooks`` wrote, and whether it changes contents."""
    lines = hooks.split("\n")
    roles: dict[str, None] = {}
    contents = False
    problem = None if lines.pop() == "" else "its last line is not ended by a newline"
    for number, line in enumerate(lines, 1):
        match = _HOOK.fullmatch(line)
        if match is None:
            shown = line if len(line) <= 40 else f"{line[:40]}… ({len(line)} characters)"
            problem = problem or f"line {number} is {shown!r}"
        elif line in roles or (line == "contents" and contents):
            problem = problem or f"line {number} repeats {line!r}"
        elif match[1] is None:
            contents = True
        else:
            roles[line] = None
    if problem is not None:
        raise RegistryError(
            "its hooks are malformed",
            path=plugin.path,
            plugin=plugin.name,
            function="hooks",
            expected='lines "role:NAME" (1 to 100 of 0-9A-Za-z_) or "contents", each once',
            found=problem,
            cure="Mend the plugin's hooks function",
        )
    return list(roles), contents
