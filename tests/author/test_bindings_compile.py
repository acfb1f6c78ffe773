"""What `loader bindings` writes, compiled: for headers of this repository, one of which has all that one can say."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tree import GREETER, PLUGINS, ROOT

import loader
from loader.author.bindings import bindings
from loader.author.sdk import include_dir

pytestmark = pytest.mark.slow

BuildZig = Callable[..., subprocess.CompletedProcess[str]]

CODEC = ROOT / "native_plugins" / "codec"
# To compile one takes seconds for each compiler; the other headers here say nothing that all.h does not.
HEADERS = [
    CODEC / "codec.h",
    ROOT / "include" / "htmlize" / "htmlize.h",
    *(PLUGINS / f"{name}.h" for name in ("all", "names")),
]


@pytest.fixture(scope="module", params=HEADERS, ids=lambda each: each.stem)
def header(request: pytest.FixtureRequest) -> Path:
    """Headers of this repository; all.h has all that a header can say."""
    path: Path = request.param
    return path


def cpp_plugin(text: str, upper: str, name: str) -> str:
    """A plugin whose functions all throw, made of the pure functions in the header that was generated."""
    space = re.search(r"^namespace (\w+) \{$", text, re.MULTILINE)
    assert space is not None
    classes = []
    for match in re.finditer(r"^class (\w+) \{\n(?:.*\n)*?\};$", text, re.MULTILINE):
        pure = re.findall(r"^    virtual (.*) = 0;$", match[0], re.MULTILINE)
        if pure:
            unnamed = [re.sub(r"(?<=[ &])[a-z_0-9]+(?=[,)])", "", each) for each in pure]
            body = "\n".join(f'    {each} override {{ throw loader::Error("made"); }}' for each in unnamed)
            classes.append(f"class My{match[1]} final : public {match[1]} {{\npublic:\n{body}\n}};\n")
    wanted = "".join(f"#define {each}\n" for each in sorted(set(re.findall(rf"{upper}_WITH_\w+", text))))
    inner = f"namespace {space[1]} {{\n{''.join(classes)}}}\n"
    return f'{wanted}#include "{name}.hpp"\n{inner}{upper}_EXPORT({space[1]}::MyPlugin);\n'


def test_cpp_compiles_without_a_warning_and_is_a_plugin(
    header: Path, tmp_path: Path, tool: Callable[..., str]
) -> None:
    """As C++17 and C++20, by every compiler here; it exports what the contract has, and an exception is an error."""
    contract = loader.Contract.from_header(header, include=[include_dir()])
    (text,) = bindings(contract, "cpp", header).values()
    (tmp_path / f"{contract.name}.hpp").write_text(text)
    source = tmp_path / "plugin.cpp"
    source.write_text(cpp_plugin(text, contract.name.upper(), contract.name))
    flags = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror", "-fPIC", "-shared", "-O1"]
    flags += [f"-I{each}" for each in (include_dir(), header.parent, tmp_path)]
    compilers = [tool("c++", "g++"), *(["clang++"] if shutil.which("clang++") else [])]
    for compiler in compilers:
        for standard in ("c++17", "c++20"):
            target = tmp_path / f"{contract.name}.so"
            made = [compiler, f"-std={standard}", *flags, "-fvisibility=hidden", str(source), "-o", str(target)]
            done = subprocess.run(made, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
    assert f"{contract.marker}_is_0x{contract.fingerprint}" in loader.read_image(target).exports
    plugin = loader.load(target, contract=contract)
    for function in contract.functions:
        if not function.cls and not function.parameters:
            with pytest.raises(loader.PluginError, match="made"):
                getattr(plugin, function.name)()
    for declared in contract.classes:
        new = contract.function(f"{declared.name}_new")
        values = [each.values[0][1] if each.values else 0 for each in new.parameters]
        with pytest.raises(loader.PluginError, match="made"):
            getattr(plugin, declared.name)(*values)


EXAMPLES = [
    "LOADER_OUT double *mean, LOADER_OUT int64_t *count",
    "const stats_seen *seen, LOADER_OUT stats_reader **reader",
]


@pytest.mark.parametrize("parameters", EXAMPLES)
def test_cpp_example_compiles(contract_of: Callable[..., loader.Contract], tmp_path: Path, build: Callable[..., Path],
                              parameters: str) -> None:  # fmt: skip
    """The comment at the head of what was generated is right as it stands, but for the dots."""
    contract = contract_of(
        "stats", 1, 0, "typedef struct stats_seen stats_seen;",
        "struct stats_seen { size_t size; int (*at)(loader_call *call, const stats_seen *self, double done); };",
        "LOADER_INTERFACE(stats_seen);", "LOADER_CLASS(stats_reader);", "LOADER_BEGIN_C",
        f"LOADER_{'OPTIONAL' if 'reader' in parameters else 'EXPORT'} int stats(loader_call *call, {parameters});",
        "LOADER_OPTIONAL void stats_reader_free(stats_reader *reader);",
        "LOADER_OPTIONAL int stats_reader_new(loader_call *call, LOADER_OUT stats_reader **reader);", "LOADER_END_C",
    )  # fmt: skip
    header = tmp_path / "stats_1_0.h"
    (text,) = bindings(contract, "cpp", header).values()
    (tmp_path / "stats.hpp").write_text(text)
    comment = text[text.index("struct Mine") : text.index("// What is thrown")]
    lines = [line.removeprefix("//").strip().removeprefix("// ") for line in comment.splitlines()]
    example = "\n".join(line for line in lines if line != "...").replace("{ ... }", "{ throw 1; }")
    source = tmp_path / "stats.cpp"
    wanted = "#define STATS_WITH_STATS\n" if "reader" in parameters else ""
    source.write_text(f'{wanted}#include "stats.hpp"\n{example}\n')
    made = build(source, flags=[f"-I{tmp_path}", "-Wno-unused-parameter"])
    assert "stats" in loader.read_image(made).exports


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        ("return nullptr;", 1, "it gave no instance of codec_encoder"),
        ("throw std::bad_alloc();", 2, "std::bad_alloc"),
        ("throw loader::Error(std::string(70000, 'x'), 3);", 3, "x" * 65_536),
        ('throw std::string("é");', 7, "what was thrown is not a std::exception"),
        ("throw loader::Passed(4);", 4, ""),
    ],
)
def test_cpp_lets_nothing_out(tmp_path: Path, build: Callable[..., Path], body: str, status: int, text: str) -> None:
    """Whatever is thrown, and an instance that is none, is an error of the call."""
    codec = loader.Contract.from_header(CODEC / "codec.h")
    (made,) = bindings(codec, "cpp", CODEC / "codec.h").values()
    (tmp_path / "codec.hpp").write_text(made)
    source = tmp_path / "plugin.cpp"
    plugin = cpp_plugin(made, "CODEC", "codec")
    source.write_text(re.sub(r"(codec_encoder_new\(.*override) \{.*\}", rf"\1 {{ {body} }}", plugin))
    path = build(source, flags=[f"-I{CODEC}", f"-I{tmp_path}"])
    with pytest.raises(loader.PluginError) as caught:
        loader.load(path, contract=codec).codec_encoder(0)
    assert (caught.value.status, caught.value.message) == (status, text)


def zig_plugin(text: str, name: str) -> str:
    """A plugin whose functions all fail, made of the signatures in the comment that was generated."""
    comment = re.search(r"^/// Exports the functions of an author's struct.*\n((?:///.*\n)*)", text, re.MULTILINE)
    assert comment is not None
    lines = [line.removeprefix("///").split(" // ")[0].rstrip() for line in comment[1].splitlines()]
    types = re.findall(r"^pub (?:const|fn) (\w+)", text, re.MULTILINE)
    body = []
    for line in lines:
        if line.strip().startswith("//") or not line.strip():
            continue
        if "pub fn" in line:
            before, parameters, given = re.fullmatch(r"(.*?)\((.*)\) (.*)", line).groups()  # type: ignore[union-attr]
            parameters = re.sub(r"(\w+|@\"\w+\"): ", "_: ", parameters)
            end = "{}" if given == "void" else "{ return error.Made; }"
            named = rf"(?<![\w.\"])({'|'.join(types)})(?=[,)( ])(?!\(_)"
            body.append(re.sub(named, r"bindings.\1", f"{before}({parameters}) {given} {end}"))
        else:
            body.append(line)
    made = "\n".join(body).replace("(Plugin)", "(Made)")
    used = []  # functions that nobody asks for are not compiled
    for struct in re.finditer(r"^pub const (\w+) = struct \{\n(?:.*\n)*?\};$", text, re.MULTILINE):
        for function in re.findall(r"^    pub fn ([^(]+)", struct[0], re.MULTILINE):
            used.append(
                f"export fn used_{len(used)}() usize {{ return @intFromPtr(&bindings.{struct[1]}.{function}); }}"
            )
    return (
        f'const bindings = @import("{name}");\nconst loader = @import("loader");\n'
        f"const Made = struct {{\n{made}\n}};\ncomptime {{ bindings.exportPlugin(Made); }}\n" + "\n".join(used)
    )


def test_zig_compiles_and_is_a_plugin(header: Path, tmp_path: Path, build_zig: BuildZig) -> None:
    """It exports what the contract has, and an error is one, with its name."""
    contract = loader.Contract.from_header(header, include=[include_dir()])
    (text,) = bindings(contract, "zig", header).values()
    (tmp_path / "bindings.zig").write_text(text)
    source, target = tmp_path / "plugin.zig", tmp_path / f"{contract.name}.so"
    source.write_text(zig_plugin(text, "bindings"))
    done = build_zig(source, tmp_path / "bindings.zig", target)
    assert done.returncode == 0, done.stderr
    assert f"{contract.marker}_is_0x{contract.fingerprint}" in loader.read_image(target).exports
    plugin = loader.load(target, contract=contract)
    for declared in contract.classes:
        new = contract.function(f"{declared.name}_new")
        values = [each.values[0][1] if each.values else 0 for each in new.parameters]
        with pytest.raises(loader.PluginError, match="Made"):
            getattr(plugin, declared.name)(*values)


def test_zig_says_what_is_missing(tmp_path: Path, build_zig: BuildZig) -> None:
    """A misspelt function is an error of the compiler's, with the line that the contract wants."""
    (text,) = bindings(loader.Contract.from_header(GREETER), "zig", GREETER).values()
    (tmp_path / "bindings.zig").write_text(text)
    source = tmp_path / "plugin.zig"
    source.write_text(zig_plugin(text, "bindings").replace("pub fn greet(", "pub fn gret("))
    done = build_zig(source, tmp_path / "bindings.zig", tmp_path / "plugin.so")
    assert done.returncode != 0
    assert "lacks what the contract wants: pub fn greet(call: loader.Call" in done.stderr


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("scale(", "sclae("), "override|abstract"),
        (("double , float )", "double , double )"), "override|abstract"),
        (("public:\n    double scale", "public:\n    int state_ = 0;\n    double scale"), "no data members"),
    ],
)
def test_cpp_says_what_is_missing(
    tmp_path: Path, tool: Callable[..., str], change: tuple[str, str], reason: str
) -> None:
    """A misspelt function, one with other types and a plugin with state do not compile."""
    (text,) = bindings(loader.Contract.from_header(CODEC / "codec.h"), "cpp", CODEC / "codec.h").values()
    source = tmp_path / "plugin.cpp"
    plugin = cpp_plugin(text, "CODEC", "codec")
    source.write_text(plugin)
    (tmp_path / "codec.hpp").write_text(text)
    made = [tool("c++", "g++"), "-std=c++17", "-fsyntax-only", f"-I{include_dir()}", f"-I{CODEC}", str(source)]
    assert subprocess.run(made, capture_output=True, check=False).returncode == 0
    wrong = plugin.replace(*change)
    assert wrong != plugin
    source.write_text(wrong)
    done = subprocess.run(made, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert re.search(reason, done.stderr)
