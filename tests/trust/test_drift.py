"""loader/trust/drift.py, and the fingerprint in the handshake: a plugin of other declarations of the same version.

Attacked one field of the marker at a time. No code of a refused file may run.
"""

from __future__ import annotations

import os
import pickle
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tree import ROOT

import loader
from loader.errors import HandshakeError
from loader.trust.handshake import fingerprints, shake_hands

Build = Callable[..., Path]

FILL = "0123456789abcdef"
GREET = "LOADER_EXPORT int greet(loader_call *call, const loader_text *name);"
FAREWELL = "LOADER_OPTIONAL int farewell(loader_call *call, const loader_text *name);"


def header(folder: Path, *lines: str, version: str = "1, 0", name: str = "greeter.h", stamps: str = "") -> Path:
    """A header of contract greeter."""
    text = f'#include "loader/plugin.h"\nLOADER_CONTRACT(greeter, {version});\n{stamps}'
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n".join(["LOADER_BEGIN_C", *lines, "LOADER_END_C", ""]))
    return path


def contract(folder: Path, *lines: str, **options: str) -> loader.Contract:
    """The same, read."""
    return loader.Contract.from_header(header(folder, *lines, **options))


def marks(*names: str) -> str:
    """The compiler's flag for the two usual markers and these."""
    return "MARKS=MARK(loader_abi_1) MARK(greeter_abi_1_0) " + " ".join(f"MARK({name})" for name in names)


@pytest.fixture
def own(greeter: loader.Contract) -> str:
    """The fingerprint of greeter 1.0."""
    return greeter.fingerprint


def test_a_plugin_of_the_same_declarations_is_accepted(
    build: Build, greeter: loader.Contract, own: str, sentinel: Path
) -> None:
    """The candidate knows what it says; nothing of the file runs for that."""
    candidate = shake_hands(loader.read_image(build("hostile.c", marks(f"greeter_abi_1_0_is_0x{own}"))), greeter)
    assert candidate.fingerprint == own
    assert not sentinel.exists()


def test_a_plugin_without_is_accepted(build: Build, tmp_path: Path) -> None:
    """By a host with a stamped header too: what is not said cannot be compared."""
    plain = contract(tmp_path, GREET)
    stamped = contract(tmp_path, GREET, stamps=f"LOADER_FINGERPRINT(greeter, 1, 0, 0x{plain.fingerprint});\n")
    assert stamped.stamped
    for host in (plain, stamped):
        assert shake_hands(loader.read_image(build("hostile.c")), host).fingerprint is None


REFUSED = {
    "another number": (f"greeter_abi_1_0_is_0x{FILL}", "other declarations of greeter 1.0"),
    "upper case": ("greeter_abi_1_0_is_0x{OWN}", "malformed fingerprint of greeter 1.0"),
    "an upper-case X": ("greeter_abi_1_0_is_0X{own}", "malformed fingerprint"),
    "no 0x": ("greeter_abi_1_0_is_{own}", "malformed fingerprint"),
    "a digit less": ("greeter_abi_1_0_is_0x{less}", "malformed fingerprint"),
    "a digit more": ("greeter_abi_1_0_is_0x{own}0", "malformed fingerprint"),
    "no digits": ("greeter_abi_1_0_is_0x", "malformed fingerprint"),
    "nothing": ("greeter_abi_1_0_is_", "malformed fingerprint"),
    "another letter": ("greeter_abi_1_0_is_0x{less}g", "malformed fingerprint"),
    "a low line": ("greeter_abi_1_0_is_0x{less}_", "malformed fingerprint"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_before_anything_runs(
    build: Build, greeter: loader.Contract, own: str, sentinel: Path, case: str
) -> None:
    """Each with the host's number, what the plugin says, and a cure; exit code 4."""
    name, what = REFUSED[case]
    name = name.format(own=own, OWN=own.upper(), less=own[:-1])
    path = build("hostile.c", marks(name))
    with pytest.raises(HandshakeError) as caught:
        loader.load(path, contract=greeter)
    error = caught.value
    assert what in error.what
    assert error.expected == f"fingerprint 0x{own}"
    assert error.found == name.removeprefix("greeter_abi_1_0_is_")
    assert error.cure
    assert (error.path, error.exit_code) == (str(path), 4)
    assert not sentinel.exists()
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.found) == (str(error), error.found)


TWO = {
    "a right one and a wrong one": ("0x{own}", f"0x{FILL}"),
    "two wrong ones": (f"0x{FILL}", "0xfedcba9876543210"),
    "a right one and a malformed one": ("0x{own}", "0x{own}0"),
}


@pytest.mark.parametrize("case", TWO)
def test_two_fingerprints_are_refused(
    build: Build, greeter: loader.Contract, own: str, sentinel: Path, case: str
) -> None:
    """Parts that were built against different headers, linked together: the right one among them does not help."""
    names = [each.format(own=own) for each in TWO[case]]
    path = build("hostile.c", marks(*(f"greeter_abi_1_0_is_{each}" for each in names)))
    with pytest.raises(HandshakeError) as caught:
        loader.load(path, contract=greeter)
    assert ("malformed" if "malformed" in case else "several declarations") in caught.value.what
    assert caught.value.found == ", ".join(sorted(names))
    assert not sentinel.exists()


NOT_OURS = {
    "another contract": f"parrot_abi_1_0_is_0x{FILL}",
    "a name with a prefix": f"my_greeter_abi_1_0_is_0x{FILL}",
    "a name with a suffix": f"greeter2_abi_1_0_is_0x{FILL}",
    "another major": f"greeter_abi_2_0_is_0x{FILL}",
    "another minor": f"greeter_abi_1_1_is_0x{FILL}",
    "a minor that only begins so": f"greeter_abi_1_01_is_0x{FILL}",
    "the base ABI": f"loader_abi_1_0_is_0x{FILL}",
    "another word": f"greeter_abi_1_0_was_0x{FILL}",
}


@pytest.mark.parametrize("case", NOT_OURS)
def test_what_is_said_of_something_else_counts_for_nothing(build: Build, greeter: loader.Contract, case: str) -> None:
    """A number of another contract or version is none of this one."""
    image = loader.read_image(build("hostile.c", marks(NOT_OURS[case])))
    assert shake_hands(image, greeter).fingerprint is None


def test_a_marker_in_another_library_counts_for_nothing(
    build: Build, greeter: loader.Contract, own: str, tmp_path: Path
) -> None:
    """Neither the right one helps a plugin nor a wrong one refuses it, if a library that it needs exports it."""
    for digits in (FILL, own):
        other = tmp_path / f"other_{digits}.c"
        other.write_text(
            f"extern const char greeter_abi_1_0_is_0x{digits};\nconst char greeter_abi_1_0_is_0x{digits} = 1;\n"
        )
        library = build(other, name="libother", flags=["-fvisibility=default", "-Wl,-soname,libother.so"])
        flags = [f"-L{library.parent}", "-Wl,--no-as-needed", "-lother", f"-Wl,-rpath,{library.parent}"]
        assert fingerprints(loader.read_image(library), "greeter", (1, 0)) == [f"0x{digits}"]
        image = loader.read_image(build("hostile.c", marks(), flags=flags))
        assert "libother.so" in image.needed
        assert shake_hands(image, greeter).fingerprint is None
        wrong = f"greeter_abi_1_0_is_0x{FILL[::-1]}"
        with pytest.raises(HandshakeError, match="other declarations"):
            shake_hands(loader.read_image(build("hostile.c", marks(wrong), flags=flags)), greeter)


def test_a_marker_that_is_only_wanted_counts_for_nothing(
    build: Build, greeter: loader.Contract, tmp_path: Path
) -> None:
    """An undefined symbol of that name is no export."""
    source = tmp_path / "wants.c"
    source.write_text(
        f'#include "hostile.c"\nextern const char greeter_abi_1_0_is_0x{FILL};\nVISIBLE const char *wants(void);\n'
        f"const char *wants(void)\n{{\n    return &greeter_abi_1_0_is_0x{FILL};\n}}\n"
    )
    image = loader.read_image(build(source))
    assert "wants" in image.exports
    assert shake_hands(image, greeter).fingerprint is None


def test_an_older_minor_is_compared_with_what_the_header_remembers(build: Build, tmp_path: Path) -> None:
    """The host is newer. Its header has the number of the plugin's version; or has it not: nothing is compared."""
    old = contract(tmp_path, GREET)
    line = f"LOADER_FINGERPRINT(greeter, 1, 0, 0x{old.fingerprint});\n"
    knows = contract(tmp_path, GREET, FAREWELL, version="1, 2", stamps=line)
    knows_not = contract(tmp_path, GREET, FAREWELL, version="1, 2")
    right = loader.read_image(build("hostile.c", marks(f"greeter_abi_1_0_is_0x{old.fingerprint}")))
    wrong = loader.read_image(build("hostile.c", marks(f"greeter_abi_1_0_is_0x{FILL}")))
    bad = loader.read_image(build("hostile.c", marks("greeter_abi_1_0_is_0x12")))
    two = loader.read_image(build("hostile.c", marks(f"greeter_abi_1_0_is_0x{FILL}", "greeter_abi_1_0_is_0x12")))
    for host in (knows, knows_not):
        candidate = shake_hands(right, host)
        assert (candidate.version, candidate.fingerprint, candidate.missing) == (
            (1, 0),
            old.fingerprint,
            {"farewell"},
        )
        for image in (bad, two):
            with pytest.raises(HandshakeError, match="malformed"):
                shake_hands(image, host)
    assert shake_hands(wrong, knows_not).fingerprint == FILL
    with pytest.raises(HandshakeError) as caught:
        shake_hands(wrong, knows)
    assert "other declarations of greeter 1.0" in caught.value.what
    assert caught.value.expected == f"fingerprint 0x{old.fingerprint}"
    assert "knows greeter 1.0 by its fingerprint alone" in (caught.value.cure or "")


def test_a_host_whose_header_is_not_stamped_compares_too(build: Build, tmp_path: Path) -> None:
    """It knows what it declares, whether or not that is written down."""
    host = contract(tmp_path, GREET)
    assert not host.stamped
    image = loader.read_image(build("hostile.c", marks(f"greeter_abi_1_0_is_0x{FILL}")))
    with pytest.raises(HandshakeError, match="other declarations"):
        shake_hands(image, host)


def test_it_comes_before_the_functions(build: Build, greeter: loader.Contract) -> None:
    """That a function is missing is a consequence of another header."""
    with pytest.raises(HandshakeError, match="other declarations"):
        loader.load(build("hostile.c", marks(f"greeter_abi_1_0_is_0x{FILL}"), "NO_GREET"), contract=greeter)


# ---- Real plugins, by their headers ------------------------------------------------------------------------

ORDER = "typedef struct greeter_guest { size_t size; loader_text name; int64_t age; } greeter_guest;"
SOURCE = (
    '#include "greeter.h"\nint greet(loader_call *call, GUEST)\n{\n    (void)call, (void)guest;\n    return 0;\n}\n'
)
TEXT, STRUCT = "const loader_text *guest", "const greeter_guest *guest"


def stamped(folder: Path, guest: str, struct: str = "", **options: str) -> Path:
    """A stamped header whose greet takes `guest`."""
    lines = [*filter(None, [struct]), f"LOADER_EXPORT int greet(loader_call *call, {guest});"]
    made = contract(folder, *lines, **options)
    return header(folder, *lines, stamps=f"LOADER_FINGERPRINT(greeter, 1, 0, 0x{made.fingerprint});\n", **options)


def plugin(build: Build, header: Path, guest: str, target: Path, language: str = "c") -> Path:
    """A plugin that was built against this very header."""
    source = header.parent / f"source.{'c' if language == 'c' else 'cpp'}"
    source.write_text(SOURCE.replace("GUEST", guest))
    built = build(
        source, flags=[f"-I{header.parent}", f"-DDIGEST_{abs(hash(header.read_text()))}"], language=language
    )
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(built.read_bytes())
    return target


@pytest.mark.parametrize("language", ["c", "c++"])
def test_a_plugin_says_what_its_header_says(build: Build, tmp_path: Path, language: str) -> None:
    """In C and C++ by including it."""
    path = stamped(tmp_path / "in", TEXT)
    read = loader.Contract.from_header(path)
    built = plugin(build, path, TEXT, tmp_path / "out" / "p.so", language)
    image = loader.read_image(built)
    assert fingerprints(image, "greeter", (1, 0)) == [f"0x{read.fingerprint}"]
    assert shake_hands(image, read).fingerprint == read.fingerprint
    assert loader.load(built, contract=read).greet("Zoë") == ""


def test_the_function_that_differs_is_named(build: Build, tmp_path: Path) -> None:
    """If the plugin's header is told, or lies where it is looked for: beside the plugin, in include, one above."""
    theirs = stamped(tmp_path / "theirs", TEXT)
    ours = loader.Contract.from_header(stamped(tmp_path / "ours", STRUCT, ORDER))
    built = plugin(build, theirs, TEXT, tmp_path / "out" / "lib" / "p.so")
    image = loader.read_image(built)
    with pytest.raises(HandshakeError) as caught:
        shake_hands(image, ours)
    assert caught.value.function is None
    assert f"loader inspect {built} --contract HEADER --built-with THEIRS" in (caught.value.cure or "")
    assert "bindings written anew if it has some (loader bindings HEADER --lang LANG -o DIR)" in str(caught.value)
    with pytest.raises(HandshakeError) as caught:
        shake_hands(image, ours, built_with=loader.Contract.from_header(theirs))
    named = "function greet takes (guest: greeter_guest), was (guest: text)"
    assert caught.value.function == "greet"
    assert named in (caught.value.found or "")
    for place in ("lib", "lib/include", ".", "include"):
        lies = tmp_path / "out" / place / "greeter.h"
        lies.parent.mkdir(exist_ok=True)
        lies.write_text(theirs.read_text())
        with pytest.raises(HandshakeError) as caught:
            loader.load(built, contract=ours)
        assert named in (caught.value.found or ""), place
        lies.unlink()


def test_the_struct_that_differs_is_named(build: Build, tmp_path: Path) -> None:
    """A member of another kind, in a version that kept its number."""
    theirs = stamped(tmp_path / "theirs", STRUCT, ORDER)
    ours = loader.Contract.from_header(stamped(tmp_path / "ours", STRUCT, ORDER.replace("int64_t", "double")))
    built = plugin(build, theirs, STRUCT, tmp_path / "out" / "p.so")
    with pytest.raises(HandshakeError) as caught:
        shake_hands(loader.read_image(built), ours, built_with=loader.Contract.from_header(theirs))
    assert "struct greeter_guest has age: double, was age: int64" in (caught.value.found or "")


def test_a_header_that_is_not_the_plugins_names_nothing(build: Build, tmp_path: Path) -> None:
    """One beside it with another fingerprint, one that is none, a folder, a pipe: only what fits is believed."""
    theirs = stamped(tmp_path / "theirs", TEXT)
    ours_path = stamped(tmp_path / "ours", STRUCT, ORDER)
    ours = loader.Contract.from_header(ours_path)
    built = plugin(build, theirs, TEXT, tmp_path / "out" / "p.so")
    lies = tmp_path / "out" / "greeter.h"

    def refused() -> HandshakeError:
        with pytest.raises(HandshakeError, match="other declarations") as caught:
            shake_hands(loader.read_image(built), ours)
        return caught.value

    lies.write_text(ours_path.read_text())
    assert "in the host's header" not in (refused().found or "")
    lies.write_text("not a header")
    assert "in the host's header" not in (refused().found or "")
    lies.unlink()
    lies.mkdir()
    assert "in the host's header" not in (refused().found or "")
    lies.rmdir()
    os.mkfifo(lies)
    assert "in the host's header" not in (refused().found or "")
    with pytest.raises(HandshakeError) as caught:
        shake_hands(loader.read_image(built), ours, built_with=ours)
    assert "--built-with" in (caught.value.cure or "")


def test_many_differences_are_counted(build: Build, tmp_path: Path) -> None:
    """A message has the first few."""
    theirs = stamped(tmp_path / "theirs", TEXT)
    more = "\n".join(f"LOADER_EXPORT int f{number}(loader_call *call);" for number in range(9))
    ours = contract(tmp_path / "ours", more, GREET)
    built = plugin(build, theirs, TEXT, tmp_path / "out" / "p.so")
    with pytest.raises(HandshakeError) as caught:
        shake_hands(loader.read_image(built), ours, built_with=loader.Contract.from_header(theirs))
    assert "more)" in (caught.value.found or "")
    assert len(str(caught.value)) < 1500


def test_parts_built_against_two_headers_are_refused(tmp_path: Path, tool: Callable[..., str]) -> None:
    """Two files of one plugin, the second compiled after the header had changed under its version."""
    first, second = stamped(tmp_path / "a", TEXT), stamped(tmp_path / "b", STRUCT, ORDER)
    target = tmp_path / "out.so"
    objects = []
    for path, text in ((first, SOURCE.replace("GUEST", TEXT)), (second, '#include "greeter.h"\n')):
        source = path.with_name("part.c")
        source.write_text(text)
        objects.append(f"{source}.o")
        command = [tool("cc", "gcc", "clang"), "-c", "-fPIC", f"-I{path.parent}", f"-I{ROOT / 'include'}"]
        subprocess.run([*command, "-o", objects[-1], str(source)], check=True)
    subprocess.run([tool("cc", "gcc", "clang"), "-shared", "-o", str(target), *objects], check=True)
    for path in (first, second):
        with pytest.raises(HandshakeError, match=r"several declarations of greeter 1\.0"):
            loader.load(target, contract=loader.Contract.from_header(path))


def test_discovery_tells_it(build: Build, tmp_path: Path) -> None:
    """A host's other plugins load; the one that drifted is a failure with its reason."""
    ours = loader.Contract.from_header(stamped(tmp_path / "ours", TEXT))
    plugin(build, stamped(tmp_path / "ours", TEXT), TEXT, tmp_path / "place" / "good.so")
    plugin(build, stamped(tmp_path / "theirs", STRUCT, ORDER), STRUCT, tmp_path / "place" / "drifted.so")
    found = {each.name: each.error for each in loader.discover(tmp_path / "place", contract=ours)}
    assert found["good"] is None
    assert isinstance(found["drifted"], HandshakeError)
    host = loader.Host(ours, strict=False)
    host.load_all(tmp_path / "place")
    assert [each.name for each in host.plugins] == ["good"]
