"""The macro in Rust that exports a contract's implementation: lines of the kit's macros, one for each function."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loader.author.bindings.naming import OWN, choice
from loader.author.bindings.rust_types import Types, call_name, identifier
from loader.author.bindings.words import places, unused
from loader.contract.kinds import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loader.contract.contract import Contract
    from loader.contract.kinds import Function, Parameter

__all__ = ["export_lines"]

_ALLOWED = "#[allow(clippy::too_many_arguments, clippy::type_complexity, non_snake_case, unused_imports)]"


def export_lines(contract: Contract, module: str) -> Iterator[str]:
    """export_codec!(implementation; optional functions)."""
    return _Exports(contract, module).lines()


class _Exports:
    """`outside`: types by their path, since the macro is expanded in another module."""

    def __init__(self, contract: Contract, module: str) -> None:
        self.contract = contract
        self.module = module
        self.types = Types(contract)
        self.outside = Types(contract, "contract::")

    def lines(self) -> Iterator[str]:
        """All of it."""
        # Also where the header has no stamp: see words.markers.
        marker = f"{self.contract.marker}, 0x{self.contract.fingerprint}"
        yield ""
        yield "/// Exports a plugin: the type that implements the trait, and the optional functions that it has."
        yield f"macro_rules! export_{self.contract.name} {{"
        yield "    ($plugin:ty $(; $($optional:ident),+ $(,)?)?) => {"
        yield f"        {_ALLOWED}"
        yield "        const _: () = {"
        yield "            use ::native_plugin as kit;"
        yield f"            use $crate::{self.module} as contract;"
        yield f"            kit::markers!({marker});"
        if self.contract.needs:
            yield f"            kit::needs!({self.contract.needs});"
        for function in self.contract.functions:
            if not function.optional:
                yield from self._exported(function)
        yield "        };"
        yield f"        $($($crate::{self.module}::export_{self.contract.name}!(@$optional $plugin);)+)?"
        yield "    };"
        optional = [each for each in self.contract.functions if each.optional]
        for word in dict.fromkeys(map(choice, optional)):
            yield f"    (@{identifier(word)} $plugin:ty) => {{"
            yield f"        {_ALLOWED}"
            yield "        const _: () = {"
            yield "            use ::native_plugin as kit;"
            yield f"            use $crate::{self.module} as contract;"
            for function in optional:
                if choice(function) == word:
                    yield from self._exported(function)
            yield from ["        };", "    };"]
        yield "}"
        yield f"pub(crate) use export_{self.contract.name};"

    def _instance_type(self, cls: str) -> str:
        return f"<$plugin as {self.outside.trait}>::{self.types.names[cls]}"

    def _exported(self, function: Function) -> Iterator[str]:
        margin = " " * 12
        if function.role == "free":
            yield f"{margin}kit::export_free!({identifier(function.name)}, {self._instance_type(function.cls)});"
            return
        call = call_name(function)
        taken = [
            f"{identifier(each.part.name)}: {self._raw(each.part, result=each.result)}" for each in places(function)
        ]
        yield f"{margin}kit::export_function!(fn {identifier(function.name)}({call}; {', '.join(taken)}) {{"
        yield from (f"{margin}    {line}" for line in self._body(function, call))
        yield f"{margin}}});"

    def _raw(self, part: Parameter, *, result: bool) -> str:
        """A parameter in the line of an exported function."""
        if part.kind is Kind.INSTANCE:
            made = self._instance_type(part.cls)
            if result:
                return f"kit::Out<'_, kit::New<{made}>>"
            return f"kit::{'Shared' if self.types.shared[part.cls] else 'Instance'}<'_, {made}>"
        return f"kit::Out<'_, {self.outside.given(part, chr(39) + '_')}>" if result else self.outside.taken(part, "")

    def _body(self, function: Function, call: str) -> Iterator[str]:
        passed = []
        for at, part in enumerate(function.parameters):
            name = identifier(part.name)
            if part.kind is Kind.INSTANCE:
                changed = not self.types.shared[part.cls]
                yield f"let {'mut ' if changed else ''}{name} = {name}.lock()?;"
                name = f"&mut {name}" if changed else name
            passed.append(name)
            if at == 0 and function.role in OWN:
                passed.append(call)
        if function.role not in OWN:
            passed.insert(0, call)
        called = f"{self._target(function)}({', '.join(passed)})"
        results = function.results
        given = unused("given", [part.name for part in (*function.parameters, *results)])
        if function.role == "next":
            names = given if results else "()"
            yield f"let ::core::option::Option::Some({names}) = {called}? else {{"
            yield "    return ::core::result::Result::Err(kit::Status::DONE.into());"
            yield "};"
        elif not results:
            yield called
            return
        else:
            yield f"let {given} = {called}?;"
        # What can fail goes first: an instance that was given is the host's, and after an error nobody's.
        order = sorted(enumerate(results), key=lambda each: each[1].kind is Kind.INSTANCE)
        for at, part in order:
            value = given if len(results) == 1 else f"{given}.{at}"
            yield f"{identifier(part.name)}.set({call}, {value})?;"
        yield "::core::result::Result::Ok(())"

    def _target(self, function: Function) -> str:
        """The author's function, by its path."""
        if not function.cls:
            return f"<$plugin as {self.outside.trait}>::{identifier(function.name)}"
        generic = "<$plugin>" if self.types.needs_plugin(function.cls) else ""
        trait = f"{self.outside.names[function.cls]}{generic}"
        return f"<{self._instance_type(function.cls)} as {trait}>::{identifier(function.method)}"
