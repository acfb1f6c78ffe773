"""Two versions of a contract → what changed, and whether it may within one major version.

Plugins that were built before a change go on in newer hosts, so a minor version may only add what they need not have:
optional functions, members at the end of structs that begin with their size, services and functions at the end of
their tables, values of enums. And a change of whatever kind wants a new version.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from loader.contract.header import LOADER_ABI
from loader.contract.wording import given, member, taken

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from loader.contract.contract import Contract
    from loader.contract.kinds import Field, Function, Service, Struct

__all__ = ["Change", "changes"]

_Enums: TypeAlias = "Mapping[str, tuple[tuple[str, int], ...]]"


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. part: contract, function, struct, enum or service. name: the part's. what: a few words."""

    part: str
    name: str
    what: str
    allowed: bool


def changes(old: Contract, new: Contract) -> tuple[Change, ...]:
    """What changed from `old` to `new`. Nothing of another major version is allowed or not: there all may change."""
    found = [
        *_functions(old, new),
        *_structs(old, new),
        *_enums(old.enums, new.enums),
        *_services(old, new),
        *_interfaces(old, new),
        *_classes(old, new),
    ]
    if old.name == new.name and new.major > old.major:
        found = [replace(each, allowed=True) for each in found]
    changed = old.fingerprint != new.fingerprint
    if changed and not found:
        found = [Change("contract", new.name, "changed in what is not known here", allowed=False)]
    return (*_version(old, new, changed), *_needs(old, new), *found)


def _version(old: Contract, new: Contract, changed: bool) -> Iterator[Change]:
    if old.name != new.name:
        yield Change("contract", new.name, f"was {old.name}, which is another contract", allowed=False)
        return
    before, now = (old.major, old.minor), (new.major, new.minor)
    if before != now:
        yield Change("contract", new.name, f"version {old.version} is {new.version} now", allowed=now > before)
    elif changed:
        yield Change("contract", new.name, f"changed, and is {new.version} as before", allowed=False)


def _needs(old: Contract, new: Contract) -> Iterator[Change]:
    """A plugin that was built before needs what it did: a host reads that from its file."""
    if old.needs != new.needs:
        what = f"needs loader ABI {LOADER_ABI}.{new.needs}, was {LOADER_ABI}.{old.needs}"
        yield Change("contract", new.name, what, allowed=True)


def _functions(old: Contract, new: Contract) -> Iterator[Change]:
    before = {each.name: each for each in old.functions}
    now = {each.name: each for each in new.functions}
    for name in before.keys() - now.keys():
        yield Change("function", name, "is gone", allowed=False)
    for name, function in now.items():
        if name not in before:
            kind = "optional" if function.optional else "required: plugins that were built before lack it"
            yield Change("function", name, f"is new, {kind}", allowed=function.optional)
        else:
            yield from _function("function", name, before[name], function)
    kept = [name for name in before if name in now]
    if kept != [name for name in now if name in before]:
        yield Change("contract", new.name, "functions are in another order", allowed=True)


def _function(part: str, name: str, old: Function, new: Function) -> Iterator[Change]:
    if old.optional != new.optional:
        now = "optional" if new.optional else "required: plugins that were built before may lack it"
        yield Change(part, name, f"is {now}", allowed=new.optional)
    for verb, words in (("takes", taken), ("gives", given)):
        before, after = words(old), words(new)
        if before != after:
            yield Change(part, name, f"{verb} {_list(after)}, was {_list(before)}", allowed=False)


def _list(words: Sequence[str]) -> str:
    return f"({', '.join(words)})"


def _structs(old: Contract, new: Contract) -> Iterator[Change]:
    before = {each.name: each for each in old.structs}
    nested = _nested(old) | _nested(new)
    for struct in new.structs:
        if struct.name in before:
            yield from _struct(before.pop(struct.name), struct, struct.name in nested)
        else:
            yield Change("struct", struct.name, "is new", allowed=True)
    for name in before:
        yield Change("struct", name, "is not used any more", allowed=True)


def _nested(contract: Contract) -> set[str]:
    """Structs that lie in other structs, where something may stand behind them. (Those in lists have no size.)"""
    fields = [each for struct in contract.structs for each in struct.fields]
    return {each.struct.name for each in fields if each.struct is not None}


def _struct(old: Struct, new: Struct, nested: bool) -> Iterator[Change]:
    if old.sized != new.sized:
        what = "begins with its size" if new.sized else "does not begin with its size any more"
        yield Change("struct", new.name, what, allowed=False)
        return
    names = {each.name for each in new.fields}
    for each in old.fields:
        if each.name not in names:
            yield Change("struct", new.name, f"{each.name} is gone", allowed=False)
    before = {each.name: each for each in old.fields}
    for each in new.fields:
        known = before.get(each.name)
        if known is None:
            yield _grown(old, new, each, nested)
        elif member(known) != member(each):
            yield Change("struct", new.name, f"has {member(each)}, was {member(known)}", allowed=False)
        elif known.offset != each.offset:
            what = f"{each.name} is at byte {each.offset}, was at {known.offset}"
            yield Change("struct", new.name, what, allowed=False)
    if old.size != new.size and names == before.keys():
        yield Change("struct", new.name, f"has {new.size} bytes, was {old.size}", allowed=False)


def _grown(old: Struct, new: Struct, added: Field, nested: bool) -> Change:
    """Whether a new member lies behind all that plugins know which were built before, and whether its size tells."""
    what = f"{member(added)} is new"
    if added.offset >= old.size and new.sized and not nested:
        return Change("struct", new.name, f"{what}, at the end", allowed=True)
    if not new.sized:
        reason = "the struct does not begin with its size"
    elif nested:
        reason = "the struct lies in another one"
    elif all(added.offset > each.offset for each in old.fields):
        reason = "it lies in what was padding, so the size does not tell whether it is there"
    else:
        reason = "not at the end"
    return Change("struct", new.name, f"{what}: {reason}", allowed=False)


def _enums(old: _Enums, new: _Enums) -> Iterator[Change]:
    for name, values in new.items():
        before, now = dict(old.get(name, ())), dict(values)
        if name not in old:
            yield Change("enum", name, "is new", allowed=True)
            continue
        for each, value in before.items():
            if now.get(each) != value:
                what = f"{each} is gone" if each not in now else f"{each} is {now[each]}, was {value}"
                yield Change("enum", name, what, allowed=False)
        for each in now.keys() - before.keys():
            yield Change("enum", name, f"{each} ({now[each]}) is new", allowed=True)
    for name in old.keys() - new.keys():
        yield Change("enum", name, "is not used any more", allowed=True)


def _services(old: Contract, new: Contract) -> Iterator[Change]:
    before = {each.id: each for each in old.services}
    for service in new.services:
        known = before.pop(service.id, None)
        if known is None:
            yield Change("service", service.id, "is new", allowed=True)
        else:
            yield from _table(known, service)
    for name in before:
        yield Change("service", name, "is gone", allowed=False)


def _table(old: Service, new: Service) -> Iterator[Change]:
    """A table grows at its end, under its size; places count, not names."""
    if old.table != new.table:
        yield Change("service", new.id, f"its table is {new.table}, was {old.table}", allowed=False)
    yield from _places("service", new.id, old.functions, new.functions)


def _interfaces(old: Contract, new: Contract) -> Iterator[Change]:
    """A plugin reads an interface's size as it does a service's."""
    before = {each.name: each for each in old.interfaces}
    for interface in new.interfaces:
        known = before.pop(interface.name, None)
        if known is None:
            yield Change("interface", interface.name, "is new", allowed=True)
        else:
            yield from _places("interface", interface.name, known.functions, interface.functions)
    for name in before:
        yield Change("interface", name, "is not used any more", allowed=True)


def _classes(old: Contract, new: Contract) -> Iterator[Change]:
    before = {each.name: each for each in old.classes}
    for cls in new.classes:
        known = before.pop(cls.name, None)
        if known is not None and known.shared != cls.shared:
            more = "is shared by threads now: plugins that were built before do not lock"
            how = more if cls.shared else "is not shared by threads any more"
            yield Change("class", cls.name, how, allowed=known.shared)
    # That one is new, or gone, its functions tell: there is always one.


def _places(part: str, name: str, old: Sequence[Function], new: Sequence[Function]) -> Iterator[Change]:
    for place, function in enumerate(new):
        if place >= len(old):
            yield Change(part, name, f"{function.name} is new, at the end", allowed=True)
        elif old[place].name != function.name:
            what = f"in place {place + 1} of the table is {function.name}, was {old[place].name}"
            yield Change(part, name, what, allowed=False)
        else:
            for each in _function(part, name, old[place], function):
                yield replace(each, what=f"{function.name} {each.what}")
    for function in old[len(new) :]:
        yield Change(part, name, f"{function.name} is gone", allowed=False)
