"""What a contract says of a name that is no attribute of it: of what its header names, enums and rows are there when
a program runs, and nothing else.
"""

from __future__ import annotations

from loader.cures import did_you_mean

__all__ = ["absent_name"]

_STUB = "in annotations it is 'MODULE.{}', in quotes, where MODULE has the stub that `loader stubs` writes"


def absent_name(name: str, kind: str, known: list[str]) -> str:
    """The end of the sentence, behind the contract's name.

    Args:
        name: what was asked for.
        kind: what the header calls so: "class", "function", "interface", "service", or "".
        known: what could be asked for.
    """
    annotated = _STUB.format(name)
    match kind:
        case "class":
            return f"has a class {name}, and each plugin its own: plugin.{name}; {annotated}"
        case "function":
            return f"has a function {name}, which is each plugin's: plugin.{name}"
        case "interface" | "service":
            return f"has no object {name}: any with the functions of this {kind} will do; {annotated}"
    question = did_you_mean(name, known)
    return f"has no {name}" + (f". {question}" if question else "")
