"""A contract in C++17: an abstract class of its functions, one for each of its classes, and a macro that exports.

    class Plugin           the contract's functions, pure; the author derives a class of it
    class Encoder          the methods of codec_encoder; T_new returns a std::unique_ptr of one
    class Progress         what calls an interface or a service
    CODEC_EXPORT(derived)  extern "C" functions, which hand on to the derived class and let no exception out

Types of parameters in the exported functions are taken from the header's own declarations, whatever it spells.
What calls them is in include/loader/bindings.hpp; here is only what differs from contract to contract.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from loader.author.bindings import cpp_types as types
from loader.author.bindings import first_line
from loader.author.bindings.cpp_tables import table_class
from loader.author.bindings.words import all_functions, check_names, comment, members, places, tables, unused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loader.author.bindings.words import Place
    from loader.contract.contract import Contract
    from loader.contract.kinds import Class, Function

__all__ = ["generate"]


def generate(contract: Contract, header: str) -> dict[str, str]:
    """The file codec.hpp of a contract codec."""
    return {f"{contract.name}.hpp": "\n".join([*_Cpp(contract, header).lines(), ""])}


class _Cpp:
    def __init__(self, contract: Contract, header: str) -> None:
        self.contract = contract
        self.header = header
        check_names("C++", types.KEYWORDS, _named(contract))
        outside = {each.name for each in contract.functions} | {each.name for each in contract.structs}
        self.space = unused(contract.name, outside | types.KEYWORDS)
        self.upper = contract.name.upper()
        self.names = types.Names(contract, self.space)
        self.stamped = contract.stamp(contract.major, contract.minor) is not None
        self.command = f"loader bindings {header} --lang cpp -o DIR"

    def lines(self) -> Iterator[str]:
        guard = f"{self.upper}_BINDINGS_HPP"
        yield first_line(self.contract, self.header)
        yield from _BEFORE.format(self=self, guard=guard, example=self._example()).splitlines()
        yield from self._same_header()
        yield from ["", f"namespace {self.space} {{"]
        for declared in self.contract.classes:
            yield f"class {self.names.of(declared.name)};"
        for table in tables(self.contract):
            yield from table_class(self.names, table)
        yield from self._results()
        for declared in self.contract.classes:
            yield from self._class(declared)
        yield from self._plugin()
        yield f"}} // namespace {self.space}"
        yield from self._exports()
        yield from ["", f"#endif // {guard}"]

    def _same_header(self) -> Iterator[str]:
        """What does not compile with another header, whose names for the handshake the plugin would have."""
        marker = self.contract.marker
        stamp = f"{marker}_is_0x{self.contract.fingerprint}"
        yield from ["", f"// If a name is not declared here, {self.header} has changed since: {self.command}"]
        yield "#ifndef LOADER_HOST // which exports none"
        for name in (marker, stamp) if self.stamped else (marker,):
            yield f'static_assert(sizeof(&::{name}) != 0, "not declared? Write anew: {self.command}");'
        if not self.stamped:
            said = (
                f"{self.contract.name}, {self.contract.major}, {self.contract.minor}, 0x{self.contract.fingerprint}"
            )
            yield f"// {self.header} does not say its declarations' fingerprint: this is what a host compares."
            yield f"LOADER_FINGERPRINT({said}); // defined twice? {self.command}"
        yield "#endif"

    def _example(self) -> str:
        """A function as an author writes it, outside of the namespace."""
        free = [each for each in self.contract.functions if each.role not in ("method", "next", "free")]
        free.sort(key=lambda each: each.optional)  # one that is optional wants a #define
        names = types.Names(self.contract, self.space, outside=True)
        return self._signature(free[0], names).removesuffix(" = 0;").removeprefix("virtual ") if free else ""

    # ---- What the author sees --------------------------------------------------------------------------------

    def _results(self) -> Iterator[str]:
        for function in self.contract.functions:
            if len(function.results) > 1:
                yield from ["", f"// What {function.name} gives.", f"struct {self.names.row(function)} {{"]
                yield from (f"    {self.names.result(part)} {part.name}{{}};" for part in function.results)
                yield "};"

    def _class(self, declared: Class) -> Iterator[str]:
        name = self.names.of(declared.name)
        threads = "several threads at once may be in it" if declared.shared else "one thread at a time is in it"
        yield ""
        yield from comment(declared.doc)
        yield f"// An instance of {declared.name}: derive a class of it. Its destructor frees it, on any"
        yield f"// thread; {threads}."
        yield from [f"class {name} {{", "public:", f"    virtual ~{name}() = default;"]
        for function in members(self.contract, declared.name):
            yield from self._virtual(function)
        yield "};"

    def _plugin(self) -> Iterator[str]:
        yield from ["", "// The functions of the contract: derive a class of it, and export that."]
        yield from ["class Plugin {", "public:"]
        for function in self.contract.functions:
            if function.role not in ("method", "next", "free"):
                yield from self._virtual(function)
        yield from ["", "protected:", "    ~Plugin() = default;", "};", ""]

    def _virtual(self, function: Function) -> Iterator[str]:
        if function.doc:
            yield from ["", *comment(function.doc, "    ")]
        signature = "    " + self._signature(function)
        if not function.optional:
            yield signature
            return
        yield from [
            f"    // Optional: to give it, #define {self._with(function)} before this file is included.",
            f"#ifdef {self._with(function)}",
            signature,
            "#else",
            f'    {self._signature(function, given=False)} {{ throw loader::Error("not exported"); }}',
            "#endif",
        ]

    def _with(self, function: Function) -> str:
        """What an author defines to give an optional function; a class is made and freed by one word."""
        name = function.cls if function.role in ("new", "free") else function.name
        return f"{self.upper}_WITH_{name.upper()}"

    def _signature(self, function: Function, space: types.Names | None = None, *, given: bool = True) -> str:
        known = space or self.names
        own = function.parameters[function.role in ("method", "next") :]
        names = [unused("call", [part.name for part in own]), *(part.name for part in own)]
        types_ = ["loader::Call &", *map(known.taken, own)]
        parameters = ", ".join(
            kind + name if given else kind.rstrip() for kind, name in zip(types_, names, strict=True)
        )
        end = "= 0;" if given else "final"
        return f"virtual {known.given(function)} {_method(function)}({parameters}) {end}"

    # ---- What the host calls ---------------------------------------------------------------------------------

    def _exports(self) -> Iterator[str]:
        yield from ["", f"namespace {self.space}::detail {{", "", "// What the exported functions do."]
        yield from ["template <class Derived> struct Exports {"]
        yield from _CHECKED.format(self=self).splitlines()
        for function in self.contract.functions:
            if function.role == "free":
                yield from self._free_body(function)
            else:
                yield from self._body(function)
        yield from ["};", "", f"}} // namespace {self.space}::detail", ""]
        macros = []
        for function in self.contract.functions:
            if function.optional:
                macro = f"{self.upper}_EXPORT_{function.name.upper()}_(derived)"
                macros.append(f"    {macro}")
                yield f"#ifdef {self._with(function)}"
                yield from [f"#define {macro} \\", self._exported(function), "#else", f"#define {macro}"]
                yield "#endif"
            else:
                macros.append(self._exported(function))
        yield from ["// Exports the functions of a class that is derived of Plugin: once, outside of any namespace."]
        yield f"#define {self.upper}_EXPORT(derived) \\"
        yield from (f"{each} \\" for each in macros)
        yield f'    static_assert(sizeof(derived) != 0, "a class that is derived of {self.space}::Plugin")'

    def _exported(self, function: Function) -> str:
        """A definition in a macro."""
        name, inner = function.name, f"::{self.space}::detail::Exports<derived>::{function.name}"
        if function.role == "free":
            parameter = f"LOADER_PARAMETER({name}, 0) instance_"
            return f'    extern "C" void {name}({parameter}) \\\n    {{ {inner}(instance_); }}'
        numbers = [each.number for each in places(function)]
        typed = [f"LOADER_PARAMETER({name}, {i + 1}) p{i}_" for i in numbers]
        passed = ", ".join(["call_", *(f"p{i}_" for i in numbers)])
        declared = ", ".join(["loader_call *call_", *typed])
        return f'    extern "C" int {name}({declared}) \\\n    {{ return {inner}({passed}); }}'

    def _free_body(self, function: Function) -> Iterator[str]:
        cls = self.names.of(function.cls)
        yield from ["", f"    static void {function.name}(::{function.cls} *instance_) noexcept", "    {",
                    f"        delete &loader::detail::instance<{cls}>(instance_);", "    }"]  # fmt: skip

    def _body(self, function: Function) -> Iterator[str]:
        found = places(function)
        method = function.role in ("method", "next")
        own = [f"P{each.number} p{each.number}_" for each in found]
        if found:
            yield from ["", f"    template <{', '.join(f'class P{each.number}' for each in found)}>"]
        else:
            yield ""
        answer = " -> int" if function.role == "next" else ""
        yield f"    static int {function.name}({', '.join(['loader_call *entered_', *own])}) noexcept"
        yield "    {"
        if not self.stamped:
            yield from (f"        {line}" for line in self._same_numbers(found))
        yield from [
            f"        return loader::guard(entered_, [&](loader::Call &call_){answer} {{",
        ]
        if method:
            target = f"loader::detail::instance<{self.names.of(function.cls)}>(p{found[0].number}_)"
        else:
            yield "            Derived plugin_;"
            target = "plugin_"
        taken = [self.names.from_c(each.part, f"p{each.number}_") for each in found if not each.result][method:]
        called = f"{target}.{_method(function)}({', '.join(['call_', *taken])})"
        yield from (f"            {line}" for line in self._giving(function, called))
        yield from ["        });", "    }"]

    def _same_numbers(self, found: list[Place]) -> Iterator[str]:
        """What a header without a fingerprint does not tell otherwise: C++ would turn one number into another."""
        for each in found:
            if each.part.kind not in (types.Kind.INTEGER, types.Kind.FLOAT, types.Kind.DOUBLE) or each.part.enum:
                continue
            given = f"std::remove_pointer_t<P{each.number}>" if each.result else f"P{each.number}"
            same = f"loader::detail::same_number<{given}, {self.names.result(each.part)}>"
            yield f'static_assert({same}, "{each.part.name} is another number now: {self.command}");'

    def _giving(self, function: Function, called: str) -> Iterator[str]:
        """Statements that call, and set the results."""
        results = [each for each in places(function) if each.result]
        if function.role == "next" and not results:
            yield f"return {called} ? LOADER_OK : LOADER_DONE;"
            return
        if not results:
            yield f"{called};"
            return
        value = "result_"
        yield f"auto result_ = {called};"
        if function.role == "next":
            yield from ["if (!result_)", "    return LOADER_DONE;"]
            value = "(*result_)"
        single = len(results) == 1
        given = [(each, value if single else f"{value}.{each.part.name}") for each in results]
        # Instances last: nothing after them may throw, or nobody would free them.
        given.sort(key=lambda each: each[0].part.kind in (types.Kind.INSTANCE, types.Kind.ARROW))
        for each, name in given:
            yield from self.names.check_given(each.part, name)
        for each, name in given:
            yield self.names.to_c(each.part, f"p{each.number}_", name)
        if function.role == "next":
            yield "return LOADER_OK;"


def _method(function: Function) -> str:
    return function.method if function.role in ("method", "next") else function.name


def _named(contract: Contract) -> Iterator[tuple[str, str]]:
    """All that the header names, as C++ sees it."""
    for function in all_functions(contract):
        yield "the function", function.name
        if function.role in ("method", "next"):
            yield f"the method of {function.name}", function.method
        for part in (*function.parameters, *function.results):
            yield f"a parameter of {function.name},", part.name
    for struct in contract.structs:
        for field in struct.fields:
            yield f"a member of {struct.name},", field.name


_BEFORE = """\
//
// Include it in the place of {self.header}, in one source file, and derive a class of Plugin in it:
//
//     struct Mine final : {self.space}::Plugin {{
//         {example} override {{ ... }}
//         ...
//     }};
//     {self.upper}_EXPORT(Mine);
//
// What is thrown becomes an error with its text: see loader/plugin.hpp. All that a function receives is borrowed
// until it returns.
#ifndef {guard}
#define {guard}

#include "{self.header}"
#include "loader/bindings.hpp"
"""

_CHECKED = """\
    static_assert(std::is_base_of_v<Plugin, Derived>, "derive the class of {self.space}::Plugin");
    static_assert(sizeof(Derived) == sizeof(Plugin), "a plugin has no data members: it is made anew for each call. "
                                                     "What has state is a class of the contract");
"""
