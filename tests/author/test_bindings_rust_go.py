"""What `loader bindings` writes in Rust and Go, compiled: for headers of this repository, with functions that fail.

What the values are is asked by test_every.py and test_codec_conformance.py.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from tree import PLUGINS, ROOT, TESTS

import loader
from loader.author.bindings import bindings
from loader.author.sdk import go_dir, include_dir, rust_dir
from loader.image import read_image

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# To compile one takes seconds; the other headers of this repository say nothing that every.h and all.h do not.
HEADERS = [
    ROOT / "native_plugins" / "codec" / "codec.h",
    ROOT / "include" / "htmlize" / "htmlize.h",
    TESTS / "author" / "every" / "every.h",
    PLUGINS / "all.h",
]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=HEADERS, ids=lambda each: each.stem)
def header(request: pytest.FixtureRequest) -> Path:
    """Headers of this repository; all.h and every.h have all that a header can say."""
    path: Path = request.param
    return path


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all crates: the kit is compiled once."""
    return tmp_path_factory.mktemp("target")


def run(command: list[str], folder: Path) -> str:
    """What it prints; it must succeed."""
    environment = {**os.environ, "CGO_ENABLED": "1"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
    return done.stdout


def contract_of(header: Path) -> loader.Contract:
    """With the folder of the shipped headers."""
    return loader.Contract.from_header(header, include=[include_dir()])


def rust_plugin(module: str, text: str) -> str:
    """An implementation of each trait; its functions give an error."""
    lines = [
        "#![forbid(unsafe_code)]",
        f"mod {module};",
        f"use {module}::*;",
        "struct Made;",
    ]
    optional = list(dict.fromkeys(re.findall(r"^    \(@(\S+) \$plugin:ty\)", text, re.MULTILINE)))
    traits = re.findall(r"^pub trait (\w+)(<.*>)?: .*\{\n((?:.*\n)*?)\}$", text, re.MULTILINE)
    for at, (name, generic, body) in enumerate(traits, 1):
        functions = re.findall(r"^    (fn .*)(?:;| \{)$", body.replace("kit::", "native_plugin::"), re.MULTILINE)
        types = re.findall(r"^    type (\w+):", body, re.MULTILINE)
        owner = "Made" if at == len(traits) else f"My{name}"  # the contract's own is the last
        if owner != "Made":
            lines.append(f"struct {owner};")
        lines.append("#[allow(unused_variables)]")
        lines.append(f"impl {name}{'<Made>' if generic else ''} for {owner} {{")
        lines += [f"    type {each} = My{each};" for each in types]
        lines += [f'    {each.replace("Plugin::", "My")} {{ Err("made".into()) }}' for each in functions]
        lines.append("}")
    macro = re.search(r"macro_rules! (export_\w+)", text)
    assert macro is not None
    chosen = f"; {', '.join(optional)}" if optional else ""
    return "\n".join([*lines, f"{module}::{macro[1]}!(Made{chosen});", ""])


def test_rust_compiles_without_a_warning_and_is_a_plugin(
    header: Path, tmp_path: Path, target: Path, tool: Callable[..., str]
) -> None:
    """Without unsafe code, with clippy; it exports what the contract has, and an error is one."""
    contract = contract_of(header)
    ((name, text),) = bindings(contract, "rust", header).items()
    source = tmp_path / "src"
    source.mkdir()
    (source / name).write_text(text)
    (source / "lib.rs").write_text(rust_plugin(name.removesuffix(".rs"), text))
    crate = f"made_{contract.name}"
    manifest = f'[package]\nname = "{crate}"\nversion = "0.0.0"\nedition = "2021"\n[lib]\ncrate-type = ["cdylib"]\n'
    (tmp_path / "Cargo.toml").write_text(f'{manifest}[dependencies]\nnative-plugin = {{ path = "{rust_dir()}" }}\n')
    cargo = [tool("cargo"), "--offline", "--quiet"]
    run([*cargo, "clippy", "--target-dir", str(target), "--", "-D", "warnings"], tmp_path)
    run([*cargo, "build", "--target-dir", str(target)], tmp_path)
    plugin = loader.load(target / "debug" / f"lib{crate}.so", contract=contract)
    for function in contract.functions:
        if not function.cls and not function.parameters:
            with pytest.raises(loader.PluginError, match="made"):
                getattr(plugin, function.name)()
    for declared in contract.classes:
        new = contract.function(f"{declared.name}_new")
        values = [each.values[0][1] if each.values else 0 for each in new.parameters]
        with pytest.raises(loader.PluginError, match="made"):
            getattr(plugin, declared.name)(*values)


def go_plugin(package: str, text: str) -> str:
    """A type with the methods of the contract's interfaces, which give an error; beside what was generated."""
    interfaces = re.findall(r"^type (\w+) interface \{\n((?:.*\n)*?)\}$", text, re.MULTILINE)
    main = re.search(r"^func Register\(implementation (\w+)\)", text, re.MULTILINE)
    assert main is not None
    lines = [
        f"package {package}",
        "",
        "import (",
        '\t"native-plugin.example/plugin"',
    ]
    lines += [")", "", "func init() { Register(made{}) }", "", "type made struct{}", "", "var _ plugin.Status"]
    lines += ['func failure() error { return plugin.Fail(plugin.Failed, "made") }']
    methods: dict[str, str] = {}
    for interface, body in interfaces:
        for line in body.splitlines():
            match = re.fullmatch(r"\t(\w+)\(([^()]*)\)(?: (?:\((.*)\)|(\S+)))", line)
            if match is None or not interface.startswith(main[1]):  # no instance is ever made
                continue
            name, parameters, several, one = match.groups()
            given = several or f"err {one}"
            methods[name] = f"func (made) {name}({parameters}) ({given}) {{ err = failure(); return }}"
    return "\n".join([*lines, *methods.values(), ""])


def test_go_compiles_and_is_a_plugin(header: Path, tmp_path: Path, tool: Callable[..., str]) -> None:
    """As gofmt has it; go vet finds nothing; it exports what the contract has, optional functions by tag."""
    contract = contract_of(header)
    made = bindings(contract, "go", header)
    package = next(iter(made)).removesuffix(".go")
    folder = tmp_path / package
    folder.mkdir()
    for name, text in made.items():
        (folder / name).write_text(text)
    assert run([tool("gofmt"), "-l", "."], tmp_path) == ""
    (folder / "made.go").write_text(go_plugin(package, made[f"{package}.go"]))
    (tmp_path / "main.go").write_text(f'package main\n\nimport _ "made/{package}"\n\nfunc main() {{}}\n')
    _module(tmp_path)
    for tags in ("", ",".join(_tags(made))):
        flags = [f"-tags={tags}"]
        run([tool("go"), "vet", *flags, "./..."], tmp_path)
        target = tmp_path / f"{package}.so"
        run([tool("go"), "build", *flags, "-buildmode=c-shared", "-buildvcs=false", "-o", str(target), "."], tmp_path)
        exports = read_image(target).exports
        fingerprint = f"{contract.marker}_is_0x{contract.fingerprint}"
        assert {contract.marker, fingerprint, "loader_abi_1"} <= set(exports)
        for function in contract.functions:
            assert (function.name in exports) == (not function.optional or tags != ""), function.name


def _module(folder: Path) -> None:
    text = "module made\n\ngo 1.21\n\nrequire native-plugin.example v0.0.0\n\n"
    (folder / "go.mod").write_text(f"{text}replace native-plugin.example => {go_dir()}\n")


def _tags(made: dict[str, str]) -> list[str]:
    return sorted({tag for text in made.values() for tag in re.findall(r"^//go:build (\w+)$", text, re.MULTILINE)})


def test_go_takes_any_name(tmp_path: Path, tool: Callable[..., str]) -> None:
    """Functions may have names that mean something in Go: C has them, and nothing else is exported."""
    names = ["range", "init", "string", "error", "plugin", "Register", "append"]
    declared = "".join(f"LOADER_EXPORT int {each}(loader_call *call, float type, const loader_text *map, bool nil, "
                       "LOADER_OUT int64_t *error);\n" for each in names)  # fmt: skip
    header = tmp_path / "hard.h"
    include = '#include <stdbool.h>\n#include "loader/plugin.h"\nLOADER_CONTRACT(hard, 1, 0);\n'
    header.write_text(f"{include}{declared}LOADER_OPTIONAL int select(loader_call *call);\n")
    made = bindings(contract_of(header), "go", header)
    (tmp_path / "hard").mkdir()
    for name, text in made.items():
        (tmp_path / "hard" / name).write_text(text)
    (tmp_path / "main.go").write_text('package main\n\nimport _ "made/hard"\n\nfunc main() {}\n')
    _module(tmp_path)
    assert run([tool("gofmt"), "-l", "."], tmp_path) == ""
    (tmp_path / "hard" / "made.go").write_text(go_plugin("hard", made["hard.go"]))
    run([tool("go"), "vet", "-tags=hard_select", "./..."], tmp_path)
    hide = f"-ldflags=-s '-extldflags=-Wl,--version-script={go_dir() / 'exports.map'}'"
    for tags, more in (("", set()), ("hard_select", {"select"})):
        command = [tool("go"), "build", f"-tags={tags}", "-buildmode=c-shared", "-buildvcs=false", hide]
        run([*command, "-o", "hard.so", "."], tmp_path)
        fingerprint = f"hard_abi_1_0_is_0x{contract_of(header).fingerprint}"
        exports = {*names, *more, "hard_abi_1_0", fingerprint, "loader_abi_1"}
        assert set(read_image(tmp_path / "hard.so").exports) == exports
    script = "import loader, sys; p = loader.load('hard.so', contract=loader.Contract.from_header('hard.h'))\n"
    for name in names:
        script += f"try: p.{name}(0.5, 'é', True)\nexcept loader.PluginError as error: assert 'made' in str(error)\n"
    run([sys.executable, "-c", script], tmp_path)


@pytest.mark.parametrize("name", ["match", "type", "dyn", "move", "self", "Option", "call"])
def test_rust_takes_any_name(tmp_path: Path, target: Path, tool: Callable[..., str], name: str) -> None:
    """Functions, parameters, structs and members may have names that mean something in Rust."""
    function = {"self": "one", "call": "calls"}.get(name, name)  # none can be called `self`, nor as its parameter
    header = tmp_path / "hard.h"
    header.write_text(
        f"""#include "loader/plugin.h"
LOADER_CONTRACT(hard, 1, 0);
typedef struct hard_{name} {{ int64_t {name}; loader_text impl; }} hard_{name};
LOADER_EXPORT int {function}(loader_call *c, const hard_{name} *{name}, int64_t given, LOADER_OUT hard_{name} *kit);
"""
    )
    ((file, text),) = bindings(contract_of(header), "rust", header).items()
    (tmp_path / file).write_text(text)
    (tmp_path / "lib.rs").write_text(rust_plugin("hard", text))
    manifest = '[package]\nname = "hard"\nversion = "0.0.0"\nedition = "2021"\n[lib]\npath = "lib.rs"\n'
    (tmp_path / "Cargo.toml").write_text(f'{manifest}[dependencies]\nnative-plugin = {{ path = "{rust_dir()}" }}\n')
    run([tool("cargo"), "--offline", "--quiet", "check", "--target-dir", str(target)], tmp_path)
