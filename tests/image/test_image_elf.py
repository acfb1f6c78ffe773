"""ELF: what the dynamic linker would see, told by a reader of our own and checked against LIEF."""

from __future__ import annotations

import ctypes
import glob
import os
import platform
import struct
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tree import CORPUS

from loader.image import read_bytes, read_image

if TYPE_CHECKING:
    from collections.abc import Callable

SOURCE = """
#include <stdio.h>
extern const unsigned char loader_abi_1;
__attribute__((weak)) const unsigned char loader_abi_1 = 1;
extern int counter, zeroed;
extern __thread int each;
int counter = 5, zeroed;
__thread int each;
int greet(int a);
int greet_again(int a);
static int own(int a) { return a * 3; }
__attribute__((visibility("hidden"))) int hidden(int a);
int hidden(int a) { return own(a); }
int greet(int a) { printf("%d", a); return hidden(a) + each; }
__attribute__((weak)) int greet_again(int a) { return greet(a) + counter; }
"""
EXPORTS = {"loader_abi_1", "counter", "zeroed", "each", "greet", "greet_again"}
DATA = {"loader_abi_1", "counter", "zeroed", "each"}


@pytest.fixture(scope="module")
def library(build: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Compiles SOURCE, or another source, with more flags."""
    top = tmp_path_factory.mktemp("sources")

    def make(*flags: str, source: str = SOURCE, name: str = "plugin") -> Path:
        (top / f"{name}.c").write_text(source)
        return build(top / f"{name}.c", name=name, flags=["-fvisibility=default", *flags])

    return make


def plain(names: frozenset[str]) -> set[str]:
    """Without what the linker and a sanitizer's build add."""
    return {name for name in names if not name.startswith(("_", "asan.", "odr"))}


@pytest.mark.parametrize("style", ["gnu", "sysv", "both"])
def test_exports_are_what_dlsym_finds(library: Callable[..., Path], style: str) -> None:
    """Global and weak functions and data, not static or hidden ones, by either kind of hash table."""
    image = read_image(library(f"-Wl,--hash-style={style}"))
    assert plain(image.exports) == EXPORTS
    assert plain(image.data_exports) == DATA
    assert "printf" in image.imports or "__printf_chk" in image.imports
    loaded = ctypes.CDLL(image.path)
    for name in EXPORTS:
        assert getattr(loaded, name)
    assert not hasattr(loaded, "hidden")


def test_section_headers_are_not_needed(library: Callable[..., Path]) -> None:
    """The dynamic linker ignores them, so stripping or zeroing them changes nothing that matters."""
    whole = read_image(library())
    data = bytearray(whole.data)
    struct.pack_into("<Q", data, 0x28, 0)  # e_shoff
    struct.pack_into("<HHH", data, 0x3A, 64, 0, 0)  # e_shentsize, e_shnum, e_shstrndx
    bare = read_bytes(bytes(data), path="bare.so")
    assert bare.exports == whole.exports
    assert bare.imports == whole.imports
    assert bare.needed == whole.needed
    assert bare.build_id == whole.build_id


def test_lying_section_headers_change_nothing(library: Callable[..., Path]) -> None:
    """Section headers full of nonsense, but inside the file, are passed over."""
    whole = read_image(library())
    data = bytearray(whole.data)
    (offset,) = struct.unpack_from("<Q", data, 0x28)
    data[offset:] = b"\xff" * (len(data) - offset)
    lying = read_bytes(bytes(data), path="lying.so")
    assert (lying.exports, lying.needed, lying.compilers) == (whole.exports, whole.needed, ())


def test_a_table_of_section_names_that_is_not_read_is_passed_over(library: Callable[..., Path]) -> None:
    """The names may be said to be in a section beyond those that are read."""
    whole = read_image(library())
    data = bytearray(whole.data)
    struct.pack_into("<Q", data, 0x28, len(data))  # e_shoff
    struct.pack_into("<HHH", data, 0x3A, 64, 9000, 8500)  # e_shentsize, e_shnum, e_shstrndx
    many = read_bytes(bytes(data) + bytes(64 * 9000), path="many.so")
    assert (many.exports, many.needed, many.compilers) == (whole.exports, whole.needed, ())


def test_section_names_may_share_their_bytes(library: Callable[..., Path]) -> None:
    """A section's name may be the end of another's, as linkers write them; only whole names count."""
    whole = read_image(library("-g"))
    assert whole.debug
    data = bytearray(whole.data)
    (offset,) = struct.unpack_from("<Q", data, 0x28)
    _, count, index = struct.unpack_from("<HHH", data, 0x3A)
    names, size = struct.unpack_from("<QQ", data, offset + 64 * index + 24)
    at = data.index(b".debug_info\0", names, names + size) - names
    rows = [offset + 64 * number for number in range(count)]
    (row,) = (row for row in rows if struct.unpack_from("<I", data, row)[0] == at)
    struct.pack_into("<I", data, row, at + 1)  # "debug_info", the end of ".debug_info"
    assert not read_bytes(bytes(data), path="shared.so").debug


def test_an_old_version_of_a_symbol_is_no_export(library: Callable[..., Path], tmp_path: Path) -> None:
    """A plain dlsym passes over name@VERSION when there is no name@@VERSION."""
    script = tmp_path / "versions.map"
    script.write_text("ONE { global: only_old; both; local: *; }; TWO { } ONE;\n")
    source = """
        int only_old_1(void); int both_1(void); int both_2(void);
        int only_old_1(void) { return 1; }
        int both_1(void) { return 1; }
        int both_2(void) { return 2; }
        __asm__(".symver only_old_1, only_old@ONE");
        __asm__(".symver both_1, both@ONE");
        __asm__(".symver both_2, both@@TWO");
    """
    path = library(f"-Wl,--version-script={script}", "-fno-lto", source=source, name="versioned")
    image = read_image(path)
    assert "both" in image.exports
    assert "only_old" not in image.exports
    loaded = ctypes.CDLL(str(path))
    assert loaded.both() == 2
    assert not hasattr(loaded, "only_old")


def test_what_it_needs_and_where_it_looks(library: Callable[..., Path]) -> None:
    """DT_NEEDED, DT_SONAME, DT_RUNPATH and DT_RPATH, as the file says them."""
    flags = ("-Wl,-soname,libgreet.so.1", "-Wl,-rpath,$ORIGIN/lib:/opt/lib", "-Wl,--no-as-needed", "-lm")
    new = read_image(library(*flags, "-Wl,--enable-new-dtags"))
    old = read_image(library(*flags, "-Wl,--disable-new-dtags"))
    assert new.soname == old.soname == "libgreet.so.1"
    assert [name.partition(".")[0] for name in new.needed if name[:5] in ("libm.", "libc.")] == [
        "libm",
        "libc",
    ]
    assert (new.runpath, new.rpath) == (("$ORIGIN/lib", "/opt/lib"), ())
    assert (old.runpath, old.rpath) == ((), ("$ORIGIN/lib", "/opt/lib"))


def test_versions_name_library_and_symbol_version(library: Callable[..., Path]) -> None:
    """What the machine's C library must have at least."""
    image = read_image(library())
    if image.libc != "glibc":
        pytest.skip("the C library is not glibc")
    assert all(version.startswith("GLIBC_") for version in image.versions["libc.so.6"])


@pytest.mark.parametrize(
    ("flags", "fact"),
    [
        (["-Wl,-z,execstack"], "executable_stack"),
        (["-Wl,-z,nodlopen"], "no_dlopen"),
        pytest.param(
            ["-ftls-model=initial-exec"],
            "static_tls",
            marks=pytest.mark.skipif(platform.machine() == "aarch64", reason="GNU ld for ARM64 never sets the flag"),
        ),
        (["-g"], "debug"),
    ],
)
def test_facts_that_flags_of_the_linker_set(library: Callable[..., Path], flags: list[str], fact: str) -> None:
    """Each is true with its flag and false without."""
    assert getattr(read_image(library(*flags)), fact) is True
    if not os.environ.get("LOADER_SANITIZE"):
        assert getattr(read_image(library("-Wl,-z,noexecstack")), fact) is False


def test_compilers_and_build_id(library: Callable[..., Path]) -> None:
    """The compiler's own line, and the id that debuggers look for."""
    image = read_image(library("-Wl,--build-id=0xfeed00beef"))
    assert any("GCC" in name or "clang" in name for name in image.compilers)
    assert image.build_id == "feed00beef"
    assert not image.rust
    assert not image.go


@pytest.mark.parametrize(("option", "name"), [("address", "address"), ("undefined", "undefined")])
def test_a_sanitizer_is_seen(tool: Callable[..., str], tmp_path: Path, option: str, name: str) -> None:
    """A library with AddressSanitizer ends a process that has none: it must be known before dlopen."""
    (tmp_path / "plugin.c").write_text("int twice(int a);\nint twice(int a) { return a + a; }\n")
    target = tmp_path / "plugin.so"
    command = [tool("gcc", "cc"), "-shared", "-fPIC", f"-fsanitize={option}", "-o", str(target)]
    done = subprocess.run([*command, str(tmp_path / "plugin.c")], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"the compiler has no {option} sanitizer: {done.stderr.strip()[-200:]}")
    assert read_image(target).sanitizer == name


def test_no_sanitizer_is_not_seen() -> None:
    """Nothing is claimed of a plain library."""
    assert read_image(CORPUS / "elf64").sanitizer is None


def test_executables_are_told_from_libraries(tool: Callable[..., str], tmp_path: Path) -> None:
    """A position-independent executable has the type of a library and is none."""
    (tmp_path / "main.c").write_text("int main(void) { return 0; }\n")
    for number, flags in enumerate((["-pie", "-fPIE"], ["-no-pie"])):
        target = tmp_path / f"main{number}"
        subprocess.run([tool("cc", "gcc"), *flags, "-o", target, tmp_path / "main.c"], check=True)
        assert read_image(target).kind == "executable"
    assert read_image(CORPUS / "elf64").kind == "shared library"


def test_names_that_are_not_utf8_can_be_printed(library: Callable[..., Path]) -> None:
    """Bytes of a name that are no UTF-8 are written as an escape, not lost and not surrogates."""
    data = library().read_bytes().replace(b"greet_again", b"greet_\xff\x1b\x80in")
    image = read_bytes(data, path="odd.so")
    assert "greet_\\xff\x1b\\x80in" in image.exports
    repr(image).encode()


@pytest.mark.parametrize("stripped", [False, True])
def test_a_go_runtime_is_seen(tool: Callable[..., str], tmp_path: Path, stripped: bool) -> None:
    """In c-shared builds, also with -s -w, without its build id, and without any section header."""
    go = tool("go")
    (tmp_path / "go.mod").write_text("module example\n\ngo 1.18\n")
    (tmp_path / "main.go").write_text(
        'package main\n\nimport "C"\n\n//export answer\nfunc answer() int32 { return 42 }\n\nfunc main() {}\n'
    )
    flags = ["-ldflags=-s -w -buildid= -B none"] if stripped else []
    target = tmp_path / "go.so"
    subprocess.run(
        [go, "build", "-buildmode=c-shared", "-buildvcs=false", *flags, "-o", target, "."],
        cwd=tmp_path,
        env=os.environ | {"CGO_ENABLED": "1"},
        check=True,
    )
    image = read_image(target)
    assert image.go
    assert image.go_version is not None
    assert image.go_version.startswith("go1.")
    assert "answer" in image.exports - image.data_exports

    data = bytearray(image.data)
    struct.pack_into("<Q", data, 0x28, 0)
    struct.pack_into("<HHH", data, 0x3A, 64, 0, 0)
    hidden = bytes(data).replace(b"crosscall2\0", b"crossxxxx2\0").replace(b"_cgo_panic\0", b"_cgo_xxnic\0")
    bare = read_bytes(hidden.replace(b"_cgo_topofstack\0", b"_cgo_xxxofstack\0"), path="bare.so")
    assert bare.go
    assert bare.go_version == image.go_version


def test_rust_is_seen(tool: Callable[..., str], tmp_path: Path) -> None:
    """The compiler leaves its name, and its exported statics are data."""
    (tmp_path / "plugin.rs").write_text(
        '#[no_mangle]\npub static loader_abi_1: u8 = 1;\n#[no_mangle]\npub extern "C" fn answer() -> i32 { 42 }\n'
    )
    target = tmp_path / "plugin.so"
    rustc = [tool("rustc"), "--crate-type=cdylib", "-O", "-A", "warnings"]
    subprocess.run([*rustc, "-o", target, tmp_path / "plugin.rs"], check=True)
    image = read_image(target)
    assert image.rust
    assert image.exports >= {"answer", "loader_abi_1"}
    assert image.data_exports & {"answer", "loader_abi_1"} == {"loader_abi_1"}


# ---- against LIEF -----------------------------------------------------------------------------------------


def seen_by_lief(lief: Any, path: str) -> dict[str, object]:
    """The same facts from LIEF's symbols, by the rules of dlsym."""
    binary = lief.ELF.parse(path)
    exports, imports = set(), set()
    hidden = (lief.ELF.Symbol.VISIBILITY.HIDDEN, lief.ELF.Symbol.VISIBILITY.INTERNAL)
    for symbol in binary.dynamic_symbols:
        kind = int(symbol.type)
        if int(symbol.binding) not in (1, 2, 10) or kind not in (0, 1, 2, 5, 6, 10):
            continue
        if symbol.shndx == 0:
            imports.add(symbol.name)
        elif symbol.visibility in hidden or (symbol.has_version and symbol.symbol_version.value > 0x8001):
            continue
        elif symbol.value or symbol.shndx == 0xFFF1 or kind == 6:
            exports.add(symbol.name)
    versions = {
        need.name: tuple(each.name for each in need.get_auxiliary_symbols())
        for need in binary.symbols_version_requirement
    }
    return {
        "exports": exports,
        "imports": imports - {""},
        "needed": tuple(binary.libraries),
        "versions": versions,
        "bits": 64 if binary.header.identity_class == lief.ELF.Header.CLASS.ELF64 else 32,
        "cpu": binary.header.machine_type.name,
    }


CPUS = {"x86_64": "X86_64", "i386": "I386", "aarch64": "AARCH64", "arm": "ARM", "mips": "MIPS"}


def test_every_shared_library_of_the_machine_agrees_with_lief() -> None:
    """Exports, imports, needs, versions, CPU: 200 real libraries, spread over all that are here."""
    lief = pytest.importorskip("lief")
    lief.logging.disable()
    folders = ("/usr/lib/*-linux-*", "/usr/lib64", "/usr/lib")
    found = {os.path.realpath(path) for folder in folders for path in glob.glob(f"{folder}/*.so*")}
    # The others are linker scripts, and giants for which LIEF takes long.
    paths = [path for path in sorted(found) if 1000 < os.path.getsize(path) < 5_000_000]
    if len(paths) < 10:
        pytest.skip("there are no shared libraries in the usual folders")
    for path in paths[:: max(len(paths) // 200, 1)]:
        image = read_image(path)
        expected = seen_by_lief(lief, path)
        found_here = {
            "exports": set(image.exports),
            "imports": set(image.imports),
            "needed": image.needed,
            "versions": dict(image.versions),
            "bits": image.machine.bits,
            "cpu": CPUS.get(image.machine.machine),
        }
        assert found_here == expected, path


def test_the_other_byte_order_and_word_size() -> None:
    """A 32-bit big-endian file (MIPS), whose tables are laid out in other orders."""
    image = read_image(CORPUS / "elf32be")
    assert str(image.machine) == "ELF for mips linux, 32-bit, big-endian"
    assert image.exports >= {"greet", "greet_again", "gre", "counter", "loader_abi_1", "greeter_abi_1_0"}
    assert image.imports == {"base"}
    assert image.runpath == ("/opt/base",)
