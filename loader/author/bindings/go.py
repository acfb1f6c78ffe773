"""A contract in Go: a package with an interface of its functions, one for each of its classes, and what exports them.

    type Codec interface       the contract's functions; the author implements it
    type Encoder interface     the methods of codec_encoder
    type Progress struct       what calls an interface or a service
    Register(Codec)            to be called in init, once

The package needs no header of the contract: an exported function's C type is made of its Go type, and all that is
lent comes as a pointer. What calls C is in include/go/binding; here is only what differs from contract to contract.
An optional function is exported by a file of its own, which a build tag brings in: to export it is to have it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from loader.author.bindings import first_line
from loader.author.bindings.go_exports import exported, renamed
from loader.author.bindings.go_tables import table_lines, table_preamble
from loader.author.bindings.go_types import KEYWORDS, USED, Types, identifier
from loader.author.bindings.naming import OWN, choice, enum_user, notes, value_names
from loader.author.bindings.words import camel, comment, markers, members, unused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loader.contract.contract import Contract
    from loader.contract.kinds import Class, Function, Struct

__all__ = ["generate"]

_PACKAGE = """\
// Package {package} is contract {version} for plugins in Go: implement {main}, and register it in init.
//
//	type implementation struct{{}}
//
//	func init() {{ {package}.Register(implementation{{}}) }}
//
//	func main() {{}} // never run
//
// What functions receive is borrowed until they return: slices too, and what a struct points to. Copy to keep. An
// error or a panic is an error of that call, with its text.
package {package}
"""
_REGISTER = """
var registered {main}

// Register makes the plugin answer calls. Call it from init, once.
func Register(implementation {main}) {{ registered = implementation }}

// enter is the body of every exported function.
func enter(call unsafe.Pointer, f func(call *plugin.Call) error) int32 {{
	return int32(plugin.Guard(call, func(call *plugin.Call) error {{
		if registered == nil {{
			return plugin.Fail(plugin.Failed, "this plugin registers nothing: call {package}.Register in init")
		}}
		return f(call)
	}}))
}}
"""
#: Endings of file names that Go takes for a system, a processor or a test.
_ENDINGS = frozenset(
    """
    aix android darwin dragonfly freebsd illumos ios js linux netbsd openbsd plan9 solaris wasip1 windows 386
    amd64 arm arm64 loong64 mips mips64 mips64le mipsle ppc64 ppc64le riscv64 s390x wasm test
    """.split()  # noqa: SIM905 - a list of thirty lines
)


def generate(contract: Contract, header: str) -> dict[str, str]:
    """The file codec.go of a contract codec; codec_NAME_optional.go of each optional function; codec_renamed.c where
    functions have names that Go does not take.
    """
    return _Go(contract, header).files()


class _Go:
    def __init__(self, contract: Contract, header: str) -> None:
        self.contract = contract
        self.first = first_line(contract, header)
        self.package = contract.name + ("_contract" if contract.name in KEYWORDS | USED else "")
        self.types = Types(contract)

    def files(self) -> dict[str, str]:
        """All of it: names and texts."""
        stem = self.package + ("_contract" if self.package.split("_")[-1] in _ENDINGS else "")
        made = {f"{stem}.go": self._text([self.first, "", *self._lines()])}
        required = [each for each in self.contract.functions if not each.optional]
        if renamed(self.types, required):
            made[f"{stem}_renamed.c"] = self._text([self.first, "", *renamed(self.types, required)])
        optional = [each for each in self.contract.functions if each.optional]
        for word in dict.fromkeys(map(choice, optional)):
            chosen = [each for each in optional if choice(each) == word]
            tag = ["", f"//go:build {self.types.tag(word)}", ""]
            body = [line for each in chosen for line in exported(self.types, each)]
            head = [*tag, f"package {self.package}", "", 'import "C"', "", *_imports(body)]
            made[f"{stem}_{word}_optional.go"] = self._text([self.first, *head, *body])
            if renamed(self.types, chosen):
                made[f"{stem}_{word}_renamed.c"] = self._text([self.first, *tag, *renamed(self.types, chosen)])
        return made

    @staticmethod
    def _text(lines: list[str]) -> str:
        """As gofmt has it: no blank lines in a row, none after an opening brace, none at the end."""
        kept: list[str] = []
        for line in lines:
            if line or (kept and kept[-1] and not kept[-1].endswith(("{", "("))):
                kept.append(line)
        while kept and not kept[-1]:
            kept.pop()
        return "\n".join([*kept, ""])

    def _lines(self) -> Iterator[str]:
        body = list(self._body())
        yield from _PACKAGE.format(package=self.package, version=self.contract, main=self.types.main).splitlines()
        yield ""
        preamble = table_preamble(self.contract)
        if preamble:
            yield from ["/*", *preamble, "*/"]
        yield from ['import "C"', ""]
        yield from _imports(body)
        yield from body

    def _body(self) -> Iterator[str]:
        for name, values in self.contract.enums.items():
            yield from self._enum(name, list(values))
        for struct in self.contract.structs:
            yield from self._struct(struct)
        yield from table_lines(self.contract, self.types)
        for declared in self.contract.classes:
            yield from self._class(declared)
        yield from self._main()
        yield from _REGISTER.format(main=self.types.main, package=self.package).splitlines()
        yield from ["", "// The handshake: names that the host reads before any code runs.", ""]
        for marker in markers(self.contract):
            yield from [f"//export {marker}", f"func {marker}() {{}}", ""]
        for function in self.contract.functions:
            if not function.optional:
                yield from exported(self.types, function)

    # ---- What the author sees ------------------------------------------------------------------------------------

    def _enum(self, name: str, values: list[tuple[str, int]]) -> Iterator[str]:
        known = self.types.names[name]
        number = self.types.integer_of(enum_user(self.contract, name))
        short = value_names(name, values, self.contract)
        named = [(f"{known}{camel(value.lower())}", count) for value, count in short]
        yield from ["", f"// {known} is {name}.", f"type {known} {number}", "", "const ("]
        wide = max(len(value) for value, _ in named)
        yield from (f"\t{value:<{wide}} {known} = {count}" for value, count in named)
        yield from [")", "", "// String is what the header calls it."]
        yield from [f"func (value {known}) String() string {{", "\tswitch value {"]
        seen: set[int] = set()
        for (value, count), (original, _) in zip(named, values, strict=True):
            if count not in seen:
                yield from [f"\tcase {value}:", f'\t\treturn "{original}"']
            seen.add(count)
        digits = (
            "strconv.FormatInt(int64(value), 10)" if number[0] == "i" else "strconv.FormatUint(uint64(value), 10)"
        )
        yield from ["\t}", f'\treturn "{name}(" + {digits} + ")"', "}"]

    def _struct(self, struct: Struct) -> Iterator[str]:
        known, names = self.types.names[struct.name], self.types.fields[struct.name]
        yield from ["", f"// {known} is {struct.name}.", f"type {known} struct {{"]
        wide = max(map(len, names.values()), default=0)
        yield from (f"\t{names[field.name]:<{wide}} {self.types.field(field)}" for field in struct.fields)
        yield from ["}", "", "// As in C, or it does not compile.", "var ("]
        start = 8 if struct.sized else 0
        for field in struct.fields:
            offset = field.offset - start
            yield f"\t_ = [1]struct{{}}{{}}[unsafe.Offsetof({known}{{}}.{names[field.name]})-{offset}]"
        whole = f"binding.Sized[{known}]" if struct.sized else known
        yield from [f"\t_ = [1]struct{{}}{{}}[unsafe.Sizeof({whole}{{}})-{struct.size}]", ")"]

    def _class(self, declared: Class) -> Iterator[str]:
        name = self.types.names[declared.name]
        yield ""
        yield from comment(declared.doc)
        threads = "Several threads at once call its methods." if declared.shared else "One thread at a time has it."
        yield f"// {name} is an instance of {declared.name}. {threads}"
        yield f"type {name} interface {{"
        for function in members(self.contract, declared.name):
            if not function.optional:
                yield from self._method(function)
        yield from [
            "",
            "\t// Free is called last, on any thread: the application has no use for it any more.",
            "\tFree()",
        ]
        yield "}"

    def _main(self) -> Iterator[str]:
        what = f"the functions of contract {self.contract}. The host calls them from several threads at once"
        yield from ["", f"// {self.types.main} is {what}."]
        yield f"type {self.types.main} interface {{"
        for function in self.contract.functions:
            if function.role not in (*OWN, "free") and not function.optional:
                yield from self._method(function)
        yield "}"
        for function in self.contract.functions:
            if function.optional and function.role != "free":
                tag = f"a plugin that gives {function.name} is built with -tags {self.types.tag(choice(function))}"
                yield from ["", f"// {self.types.optional(function)} is optional: {tag}."]
                yield f"type {self.types.optional(function)} interface {{"
                yield from self._method(function)
                yield "}"

    def _method(self, function: Function) -> Iterator[str]:
        own = function.role in OWN
        yield ""
        yield from comment("\n".join(notes(function)), "\t")
        if function.role == "next":
            yield "\t// False: there is nothing more."
        parts = ["call *plugin.Call"]
        parts += [f"{identifier(part.name)} {self.types.taken(part)}" for part in function.parameters[own:]]
        answers = [f"{identifier(part.name)} {self.types.given(part)}" for part in function.results]
        if function.role == "next":
            answers.append(f"{unused('more', [each.name for each in function.results])} bool")
        answers.append(f"{unused('err', [part.name for part in (*function.parameters, *function.results)])} error")
        answer = "error" if len(answers) == 1 else f"({', '.join(answers)})"
        yield f"\t{self.types.method(function)}({', '.join(parts)}) {answer}"


def _imports(body: list[str]) -> list[str]:
    """Those that the lines need."""
    known = ("strconv", "unsafe", "native-plugin.example/binding", "native-plugin.example/plugin")
    code = "\n".join(line for line in body if not line.lstrip().startswith("//"))
    paths = [each for each in known if re.search(rf"\b{each.split('/')[-1]}\.", code)]
    own = [each for each in paths if "/" in each]
    lines = [f'\t"{each}"' for each in paths if "/" not in each]
    lines += [""] * bool(lines and own) + [f'\t"{each}"' for each in own]
    return ["import (", *lines, ")", ""] if lines else []
