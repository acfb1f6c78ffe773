"""Structs of a contract's header, laid out as C does: names, offsets and sizes, or a refusal with line and reason."""

from __future__ import annotations

from keyword import iskeyword
from typing import TYPE_CHECKING, Any

from loader.contract.header import MAX_DEPTH, MAX_STRUCT
from loader.contract.header.complaint import cure_for_member, described, why_not
from loader.contract.header.refusal import cure_for_class, refused
from loader.contract.header.target import varies
from loader.contract.kinds import BOOL

if TYPE_CHECKING:
    from loader.contract.header.syntax import Declared, Named, Type
    from loader.contract.header.tokens import Token

__all__ = ["Structs"]

_FIELDS = (
    "loader_text, loader_bytes, integers of 1 to 8 bytes, float, double, structs of these, and arrays of fixed length"
)
_SIZE = "size_t"
MAX_VALUES = 50_000


class Structs:
    """The structs that a contract uses. `values`: by name, in order of first use, nested ones first.

    stamped: the header says a fingerprint of itself, which is to be the same on all machines.
    """

    def __init__(self, declared: Declared, lists: dict[str, str], *, stamped: bool) -> None:
        self.declared = declared
        self._lists = lists
        self.stamped = stamped
        self.has_bool = True  # whether `bool` is declared
        self.values: dict[str, dict[str, Any]] = {}
        self._tags: dict[str, str] = {}  # name → tag
        self._alignments: dict[str, int] = {}  # name → bytes
        self._open: list[str] = []  # tags of those that are being laid out
        self._listed_values = 0

    def is_list(self, made: Type) -> bool:
        """Whether LOADER_LIST declared it."""
        return made.what == "struct" and made.tag in self._lists

    def element_of(self, made: Type, place: Token) -> str:
        """The name of the struct that a list is of."""
        named = self._lists[made.tag]
        element = self.declared.typedefs.get(named)
        if element is None or element.what != "struct" or self.is_list(element):
            reason, cure = f"LOADER_LIST({named}) is of no struct", "Name the typedef of one"
            raise refused(place, reason, cure=cure)
        name = self.name_of(element, place)
        if self.values[name]["sized"]:
            reason = f"LOADER_LIST({named}) is of a struct that begins with its size"
            raise refused(place, reason, cure="Leave the size out: a struct in a list cannot grow")
        return name

    def name_of(self, made: Type, place: Token) -> str:
        """Lays the struct out as C does, at natural alignment, and returns its name."""
        name = self.declared.names.get(made.tag, made.tag)
        if self._tags.setdefault(name, made.tag) != made.tag:
            raise refused(place, f"there are two structs {name!r}", cure="Give each a typedef of its own")
        if name in self.values:
            return name
        members = self.declared.structs.get(made.tag)
        if members is None or (made.tag.startswith("@") and name == made.tag):
            lack = "is declared but not defined" if members is None else "without a name"
            cure = "Define it in the header, with a typedef"
            if members is None:
                cure += f". {cure_for_class(name)}"
            raise refused(place, f"{made.spelled} {lack}", cure=cure)
        if not members:
            raise refused(place, f"{name!r} has no members", expected="at least one")
        if made.tag in self._open or len(self._open) >= MAX_DEPTH:
            reason = (
                f"{name!r} holds itself" if made.tag in self._open else f"structs nest more than {MAX_DEPTH} deep"
            )
            raise refused(place, reason)
        self._open.append(made.tag)
        sized = members[0].name == "size" and members[0].type.spelled == _SIZE
        fields: dict[str, dict[str, Any]] = {}
        end, widest = (8, 8) if sized else (0, 1)
        for member in members[1:] if sized else members:
            field = self._field(name, member)
            if field["name"] in fields or (sized and field["name"] == "size"):
                raise refused(member.place, f"{name!r} has two members {field['name']!r}")
            alignment = min(field["size"], 8) if field["struct"] is None else self._alignments[field["struct"]]
            widest = max(widest, alignment)
            field["offset"] = -(-end // alignment) * alignment
            end = field["offset"] + field["size"] * max(field["count"], 1)
            if end > MAX_STRUCT:
                reason, cure = f"{name!r} is too large", "Take long texts as a loader_text, or divide it"
                raise refused(member.place, reason, expected=f"at most {MAX_STRUCT:,} bytes", cure=cure)
            fields[field["name"]] = field
        self._open.pop()
        self._alignments[name] = widest
        size = -(-end // widest) * widest
        self.values[name] = {"name": name, "size": size, "sized": sized, "fields": list(fields.values())}
        return name

    def _field(self, struct: str, member: Named) -> dict[str, Any]:
        made, count = member.type, 0
        if made.what == "array" and made.target is not None and 0 < made.count <= MAX_STRUCT and not made.odd:
            made, count = made.target, made.count
        complaint = None
        if member.bits:
            complaint = "a bit-field"
        elif member.aligned:
            complaint = "aligned by _Alignas"
        elif count and made.spelled == "char":
            complaint = "an array of char, which would be text without a length"
        elif self.is_list(made):
            complaint = "a list"
        elif made.odd or made.what not in ("integer", "float", "double", "text", "bytes", "struct"):
            complaint = why_not(made).removesuffix(" by value")
        elif member.name is None:
            complaint = f"a nested {made.spelled}"
        elif iskeyword(member.name):
            complaint = "a key word of Python"
        if complaint is not None:
            which = f"member {member.name!r}" if member.name else "a member without a name"
            reason = f"{which} of {struct!r} is {complaint}"
            raise refused(member.place, reason, expected=_FIELDS, cure=cure_for_member(made, struct))
        self.check_same(made, f"member {member.name!r} of {struct!r}", member.place)
        nested = self.name_of(made, member.place) if made.what == "struct" else None
        return {
            "name": member.name,
            "kind": made.what,
            "offset": 0,
            "size": made.size if nested is None else self.values[nested]["size"],
            "signed": made.signed,
            "values": self.listed(made, member.place),
            "enum": made.enum,
            "struct": nested,
            "count": count,
        }

    def check_same(self, made: Type, which: str, place: Token) -> None:
        """Refuses a number in a stamped header that is not the same everywhere. `which`: "parameter 'n' of 'f'"."""
        instead = varies(made.spelled) if self.stamped and made.what == "integer" else None
        if instead is not None:
            reason = (
                f"{which} is {described(made)}, which is not the same on all machines: no type for a stamped header"
            )
            raise refused(place, reason, expected=instead)

    def listed(self, made: Type, place: Token) -> list[list[str | int]]:
        """The values of an enum, told anew for each that has its type."""
        if made.spelled == "bool" and not self.has_bool:
            reason, cure = "bool without <stdbool.h>: C11 has no such type", "Write #include <stdbool.h> above"
            raise refused(place, reason, cure=cure)
        if made.values not in ((), BOOL) and not made.enum:
            cure = "Give it a typedef, by which Python can call it"
            raise refused(place, "an enum without a name", cure=cure)
        self._listed_values += len(made.values)
        if self._listed_values > MAX_VALUES:
            reason = f"enums of more than {MAX_VALUES} values in all, counted for each parameter and member"
            raise refused(place, reason, cure="Take an integer where an enum has that many values")
        return [[name, value] for name, value in made.values]
