"""Header -> Contract: what plugins of one kind export, read from a C header without a compiler.

In: the path of a header. Out: a frozen Contract, with the C side's form of each function and struct.
Open first: contract.py (the value), then header/ (reading and rules), layout.py (what C is told),
fingerprint.py, compare.py and stamp.py (versions that cannot drift).
"""

from loader.contract.contract import Contract
from loader.contract.header import MAX_PARAMETERS
from loader.contract.kinds import Class, Field, Function, Interface, Kind, Parameter, Service, Struct

__all__ = [
    "MAX_PARAMETERS",
    "Class",
    "Contract",
    "Field",
    "Function",
    "Interface",
    "Kind",
    "Parameter",
    "Service",
    "Struct",
]
