"""A contract's C header → plain values that loader.contract makes a Contract of. No compiler is needed.

In order, one module a step:
    files         the header and what it includes: read once, bounded, with one digest
    tokens        text → tokens and comments
    preprocess    directives and macros → one list of tokens
    statements    tokens → statements at file scope
    declarations  statements → declarations, with what the LOADER_ macros say of each
    parse         declarations → pycparser's tree (the only module that imports pycparser)
    syntax        the tree → C types
    rules         C types → what a contract may hold; refuses the rest with line and reason
Beside them, for declarations: attributes, those that change nothing. For rules: parameters, of functions; tables, of
services and interfaces; classes, which function is what of which; structs: their layout; misleading: what looks like
something else; stamps and stamp_line, the fingerprints that the header says; refusal, the one form of such an error;
condition, for `#if`; target, the sizes of C's types and the name under which the values are cached, so that all this
is skipped the next time; complaint, words for what is refused.
"""

from __future__ import annotations

import re

__all__ = [
    "CONTRACT_NAME",
    "LOADER_ABI",
    "LOADER_ABI_MINOR",
    "MAX_DEPTH",
    "MAX_FUNCTIONS",
    "MAX_PARAMETERS",
    "MAX_STRUCT",
    "SERVICE_ID",
    "VERSION_PART",
]

#: The version of include/loader/plugin.h that this loader speaks.
LOADER_ABI = 1
#: What it knows of what was added to that since.
LOADER_ABI_MINOR = 3

#: As loader.trust.handshake finds them in a file's markers.
CONTRACT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
VERSION_PART = re.compile(r"0|[1-9][0-9]{0,5}")
#: A name and a version, as plugin.h has it.
SERVICE_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,98}/[1-9][0-9]{0,5}")

#: Parameters of a contract's function after `call`, or of a service's after its table: as many words as
#: loader/_core/call can pass, and as many floating-point numbers beside them.
MAX_PARAMETERS = 8
#: Functions of a service's or an interface's table: as many as loader/_core/call/service.c has.
MAX_FUNCTIONS = 32
#: Bytes of a struct: loader/_core/call/layout.c takes no larger one.
MAX_STRUCT = 4096
#: Structs in structs.
MAX_DEPTH = 16
