"""loader.image.needs: what would fail if a file were loaded here, told before; against ldd and dlopen."""

from __future__ import annotations

import dataclasses
import glob
import os
import struct
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tree import CORPUS

from loader.image import read_bytes, read_image, this_machine
from loader.image import search as searching
from loader.image.needs import glibc, libraries, problems, second_go
from loader.image.search import find_library

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs the dynamic linker of Linux")

BASE = "int base(void);\nint base(void) { return 1; }\n"
MIDDLE = "int base(void);\nint middle(void);\nint middle(void) { return base() + 1; }\n"


@pytest.fixture
def link(tmp_path: Path, tool: Callable[..., str]) -> Callable[..., Path]:
    """Compiles a source to a shared library in tmp_path, with flags of the linker."""

    def make(target: str, source: str, *flags: str) -> Path:
        path = tmp_path / target
        path.parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "source.c").write_text(source)
        command = [tool("cc", "gcc", "clang"), "-shared", "-fPIC", "-o", str(path), "source.c", *flags]
        subprocess.run(command, cwd=tmp_path, check=True)
        return path

    return make


def said(path: Path) -> str:
    """All problems of a file, as text."""
    return "\n".join(map(str, problems(read_image(path))))


def loads(path: Path) -> bool:
    """Whether the dynamic linker loads it, in a process of its own: what one loaded would serve the next."""
    code = "import ctypes, sys; ctypes.CDLL(sys.argv[1])"
    done = subprocess.run([sys.executable, "-I", "-c", code, path], capture_output=True, text=True, check=False)
    assert done.returncode == 0 or "OSError" in done.stderr, done.stderr
    return done.returncode == 0


def test_a_good_library_has_no_problem(link: Callable[..., Path]) -> None:
    """No false alarm, and dlopen agrees."""
    path = link("libgood.so", BASE)
    assert said(path) == ""
    assert loads(path)


def test_a_missing_library_is_named_with_the_cure(link: Callable[..., Path]) -> None:
    """Which one, and what to do; dlopen fails for the same reason."""
    base = link("libbase.so", BASE)
    path = link("libmiddle.so", MIDDLE, "-L.", "-lbase")
    base.unlink()
    assert "needs the library libbase.so" in said(path)
    assert "-rpath,'$ORIGIN'" in said(path)
    assert not loads(path)


def test_a_missing_library_of_a_library_names_both(link: Callable[..., Path]) -> None:
    """The file itself is not to blame then."""
    base = link("libbase.so", BASE)
    link("libmiddle.so", MIDDLE, "-L.", "-lbase")
    source = "int middle(void);\nint top(void);\nint top(void) { return middle(); }\n"
    path = link("libtop.so", source, "-L.", "-lmiddle", "-Wl,-rpath,$ORIGIN", "-Wl,--allow-shlib-undefined")
    base.unlink()
    assert "libbase.so, which" in said(path)
    assert "libmiddle.so needs" in said(path)
    assert not loads(path)


@pytest.mark.parametrize(
    ("flags", "found"),
    [
        (("-Wl,-rpath,$ORIGIN/lib", "-Wl,--enable-new-dtags"), True),
        (("-Wl,-rpath,${ORIGIN}/lib", "-Wl,--disable-new-dtags"), True),
        (("-Wl,-rpath,/nowhere:$ORIGIN/lib",), True),
        (("-Wl,-rpath,$ORIGIN/other",), False),
        ((), False),
    ],
)
def test_search_paths_are_followed(link: Callable[..., Path], flags: tuple[str, ...], found: bool) -> None:
    """DT_RPATH and DT_RUNPATH with $ORIGIN, as dlopen does."""
    link("lib/libbase.so", BASE)
    path = link("libmiddle.so", MIDDLE, "-Llib", "-lbase", *flags)
    assert (said(path) == "") is found
    assert loads(path) is found


def test_rpath_is_handed_down_and_runpath_is_not(link: Callable[..., Path]) -> None:
    """The old tag also serves the libraries of libraries, the new one does not (ld.so(8))."""
    link("lib/libbase.so", BASE)
    link("lib/libmiddle.so", MIDDLE, "-Llib", "-lbase")
    source = "int middle(void);\nint top(void);\nint top(void) { return middle(); }\n"
    both = ("-Llib", "-lmiddle", "-Wl,-rpath,$ORIGIN/lib", "-Wl,--allow-shlib-undefined")
    new = link("libnew.so", source, *both, "-Wl,--enable-new-dtags")
    assert "needs the library libbase.so" in said(new)
    assert not loads(new)
    old = link("libold.so", source, *both, "-Wl,--disable-new-dtags")
    assert said(old) == ""
    assert loads(old)


def test_a_library_for_another_machine_is_passed_over(link: Callable[..., Path]) -> None:
    """The dynamic linker goes on looking, so its presence does not help."""
    base = link("lib/libbase.so", BASE)
    path = link("libmiddle.so", MIDDLE, "-Llib", "-lbase", "-Wl,-rpath,$ORIGIN/lib")
    data = bytearray(base.read_bytes())
    struct.pack_into("<H", data, 18, 243 if this_machine().machine != "riscv64" else 62)
    base.write_bytes(data)
    assert "needs the library libbase.so" in said(path)
    assert not loads(path)


def test_a_missing_version_is_named_with_the_newest_here(link: Callable[..., Path], tmp_path: Path) -> None:
    """Built against a newer library than the one that is found."""
    (tmp_path / "new.map").write_text("BASE_1.9 { global: base; }; BASE_1.10 { global: more; } BASE_1.9;\n")
    (tmp_path / "old.map").write_text("BASE_1.9 { global: base; };\n")
    new = BASE + "int more(void);\nint more(void) { return 2; }\n"
    link("libbase.so", new, "-Wl,--version-script=new.map", "-Wl,-soname,libbase.so")
    source = "int base(void);\nint more(void);\nint top(void);\nint top(void) { return base() + more(); }\n"
    path = link("libtop.so", source, "-L.", "-lbase", "-Wl,-rpath,$ORIGIN")
    assert said(path) == ""
    link("libbase.so", BASE, "-Wl,--version-script=old.map", "-Wl,-soname,libbase.so")
    assert "needs BASE_1.10 of libbase.so" in said(path)
    assert "found BASE_1.9 in" in said(path)
    assert not loads(path)


def test_names_of_abilities_are_no_versions(link: Callable[..., Path], tmp_path: Path) -> None:
    """GLIBC_ABI_DT_X86_64_PLT and GLIBC_PRIVATE are never the newest, neither here nor of what is asked for."""

    def link_base(*versions: str) -> None:
        names = [f"f{version.lower().replace('.', '_')}" for version in versions]
        nodes = [f"{version} {{ global: {name}; }};" for version, name in zip(versions, names, strict=True)]
        (tmp_path / "base.map").write_text("\n".join(nodes))
        source = "".join(f"int {name}(void);\nint {name}(void) {{ return 1; }}\n" for name in names)
        link("libbase.so", source, "-Wl,--version-script=base.map", "-Wl,-soname,libbase.so")

    link_base("B_1.9", "B_1.10", "B_ABI_X86_64_PLT", "B_ABI_NEW99")
    source = "int fb_1_9(void), fb_1_10(void), fb_abi_new99(void), top(void);\n"
    source += "int top(void) { return fb_1_9() + fb_1_10() + fb_abi_new99(); }\n"
    path = link("libtop.so", source, "-L.", "-lbase", "-Wl,-rpath,$ORIGIN")
    assert said(path) == ""
    link_base("B_1.9", "B_PRIVATE", "B_ABI_X86_64_PLT")
    assert "needs B_1.10 of libbase.so" in said(path)
    assert "found B_1.9 in" in said(path)
    link_base("B_1.9", "B_1.10", "B_ABI_X86_64_PLT")  # an ability alone is missing: dlopen fails for it too
    assert "needs B_ABI_NEW99 of libbase.so" in said(path)
    assert "found B_1.10 in" in said(path)
    assert not loads(path)


def test_a_newer_glibc_is_named_with_the_cure() -> None:
    """The commonest failure of a plugin that was built on a newer system."""
    if not glibc():
        pytest.skip("the C library is not glibc")
    if this_machine() != read_image(CORPUS / "elf64").machine:
        pytest.skip("the corpus has a plugin for x86_64 Linux only")
    data = (CORPUS / "elf64").read_bytes()
    assert b"GLIBC_2.2.5\0" in data
    image = read_bytes(data.replace(b"GLIBC_2.2.5\0", b"GLIBC_2.9.9\0"), path="/tmp/plugin.so")
    (problem,) = problems(image)
    assert "GLIBC_2.9.9 of libc.so.6" in problem.what
    assert problem.found.startswith("GLIBC_2.")
    assert "zig cc -target x86_64-linux-gnu.2.28" in problem.cure
    assert problem.fatal


def test_a_foreign_file_lists_what_cannot_be_looked_up_here(tmp_path: Path) -> None:
    """For PE and Mach-O: the needed libraries by name; what lies in a place that the file names is told apart."""
    for name, machine, needed in (
        ("pe64", "PE for x86_64 windows", "libbase.dll"),
        ("macho64", "Mach-O for x86_64 macos", "/usr/lib/libSystem.B.dylib, libbase.dylib"),
    ):
        wrong, needs = problems(read_image(CORPUS / name))
        assert (wrong.what, wrong.fatal) == ("cannot run here", True)
        assert machine in wrong.found
        assert (needs.found, needs.fatal) == (needed, False)
        assert "cannot be looked up on this machine" in needs.what
    (tmp_path / "plugin.dll").write_bytes((CORPUS / "pe64").read_bytes())
    (tmp_path / "LIBBASE.DLL").write_bytes(b"")
    _, needs = problems(read_image(tmp_path / "plugin.dll"))
    assert needs.found == "none besides those"
    assert "(beside the file: libbase.dll)" in needs.expected
    alone = dataclasses.replace(read_image(CORPUS / "pe64"), needed=())
    assert [problem.what for problem in problems(alone)] == ["cannot run here"]


@pytest.mark.parametrize(
    ("name", "rpath", "beside"),
    [
        ("@loader_path/libbase.dylib", (), True),
        ("@loader_path/../sub/libbase.dylib", (), True),
        ("@rpath/libbase.dylib", ("/opt", "@loader_path/."), True),
        ("@rpath/libbase.dylib", ("@loader_path",), True),
        ("@rpath/libbase.dylib", ("/opt", "@executable_path"), False),
        ("@rpath/libother.dylib", ("@loader_path",), False),
        ("@executable_path/libbase.dylib", (), False),
        ("/usr/lib/libbase.dylib", (), False),
        ("libbase.dylib", (), False),
    ],
)
def test_what_lies_beside_a_dylib(tmp_path: Path, name: str, rpath: tuple[str, ...], beside: bool) -> None:
    """By @loader_path, in the name or in an rpath; other places are those of another machine."""
    folder = tmp_path / "sub"
    folder.mkdir()
    (folder / "plugin.dylib").write_bytes((CORPUS / "macho64").read_bytes())
    (folder / "libbase.dylib").write_bytes(b"")
    image = dataclasses.replace(read_image(folder / "plugin.dylib"), rpath=rpath)
    assert searching.lies_beside(name, image) is beside


def test_another_c_library_is_a_problem() -> None:
    """Two C libraries do not share a process, even where both are installed."""
    image = read_image(CORPUS / "elf64")
    if image.mismatch() is not None or not glibc():
        pytest.skip("the corpus has a plugin for x86_64 Linux with glibc only")
    texts = [problem.what for problem in problems(dataclasses.replace(image, libc="musl"))]
    assert texts == ["was built for another C library"]


@pytest.mark.parametrize(
    ("field", "value", "said_of_it", "fatal"),
    [
        ("executable_stack", True, "stack that can be executed", None),
        ("text_relocations", True, "changes its own code", False),
        ("sanitizer", "address", "sanitizer", True),
    ],
)
def test_facts_that_make_trouble_are_problems(field: str, value: object, said_of_it: str, fatal: bool | None) -> None:
    """Each alone, with its weight; an executable stack is refused since glibc 2.41."""
    image = read_image(CORPUS / "elf64")
    if image.mismatch() is not None:
        pytest.skip("the corpus has a plugin for x86_64 Linux only")
    if field == "sanitizer" and os.environ.get("LOADER_SANITIZE"):
        pytest.skip("this process has the sanitizer's run time")
    (problem,) = problems(dataclasses.replace(image, **{field: value}))
    assert said_of_it in problem.what
    assert problem.fatal is ((glibc() >= (2, 41)) if fatal is None else fatal)


# ---- Static thread-local storage, a second Go runtime ---------------------------------------------------------


@pytest.fixture
def with_tls(link: Callable[..., Path]) -> Callable[[int], Path]:
    """A library that needs so many bytes of static TLS."""

    def make(size: int) -> Path:
        source = f"__thread char block[{size}];\nchar *get(void);\nchar *get(void) {{ return block; }}\n"
        path = link(f"libtls{size}.so", source, "-ftls-model=initial-exec")
        if os.uname().machine == "aarch64" and not read_image(path).static_tls:
            pytest.skip("the linker here does not say of a file that it has static TLS (DF_STATIC_TLS)")
        return path

    return make


@pytest.mark.skipif("GLIBC_TUNABLES" in os.environ or not glibc() >= (2, 33), reason="another room than glibc's own")
@pytest.mark.parametrize(
    ("size", "fatal"), [(8, None), (400, None), (600, False), (1500, False), (1800, True), (100_000, True)]
)
def test_static_tls_is_weighed_against_the_room(
    with_tls: Callable[[int], Path], size: int, fatal: bool | None
) -> None:
    """What is said to fail does fail in dlopen, and nothing else does; little is not mentioned."""
    path = with_tls(size)
    assert read_image(path).static_tls
    found = [problem.fatal for problem in problems(read_image(path)) if "static TLS block" in problem.what]
    assert found == ([] if fatal is None else [fatal])
    assert loads(path) is not (fatal is True)


def test_static_tls_names_the_cure_that_works(
    with_tls: Callable[[int], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The setting that is shown makes room."""
    if not glibc() >= (2, 33):
        pytest.skip("the C library has no such setting")
    path = with_tls(5000)
    (problem,) = problems(read_image(path))
    setting = problem.cure.rpartition("GLIBC_TUNABLES=")[2]
    assert setting == "glibc.rtld.optional_static_tls=5512"
    assert not loads(path)
    monkeypatch.setenv("GLIBC_TUNABLES", setting)
    assert loads(path)
    assert [problem.fatal for problem in problems(read_image(path))] == [False]


def test_thread_local_storage_of_the_usual_kind_is_no_problem(link: Callable[..., Path]) -> None:
    """It is made when it is first used, however large."""
    source = "__thread char block[100000];\nchar *get(void);\nchar *get(void) { return block; }\n"
    path = link("libusual.so", source)
    assert said(path) == ""
    assert loads(path)


def test_static_tls_of_a_needed_library_counts(with_tls: Callable[[int], Path], link: Callable[..., Path]) -> None:
    """It shares the room; the C library's own does not."""
    with_tls(1800)
    source = "char *get(void);\nint top(void);\nint top(void) { return *get(); }\n"
    path = link("libtop.so", source, "-L.", "-ltls1800", "-Wl,-rpath,$ORIGIN")
    (problem,) = problems(read_image(path))
    assert problem.found == "1,800 bytes, with those of libtls1800.so"


def test_musl_has_no_room_for_static_tls(with_tls: Callable[[int], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Go plugins, which have 8 bytes of it, do not load there (golang/go#13492)."""
    monkeypatch.setattr("loader.image.needs.glibc", lambda: ())
    problem = next(each for each in problems(read_image(with_tls(8))) if "static TLS" in each.what)
    assert problem.fatal
    assert problem.expected == "none with musl"
    assert "GLIBC" not in problem.cure


def test_the_second_file_with_go_is_named() -> None:
    """For one machine; the same bytes are one library, and others are no Go."""
    plain, foreign = read_image(CORPUS / "elf64"), read_image(CORPUS / "pe64")
    go = dataclasses.replace(plain, go=True, go_version="go1.22.1")
    other = dataclasses.replace(go, file=dataclasses.replace(go.file, digest="other", path="/b.so"), go_version=None)
    pairs = list(second_go([plain, go, go, dataclasses.replace(foreign, go=True), other]))
    assert [image.path for image, _ in pairs] == ["/b.so"]
    problem = pairs[0][1]
    assert not problem.fatal
    assert "golang/go#65050, #18976" in problem.what
    assert problem.found == f"one more beside go1.22.1 of {go.path}"
    assert list(second_go([plain, go])) == []


def test_libraries_agree_with_ldd(tool: Callable[..., str]) -> None:
    """The same files, found for 20 real libraries and all that they need."""
    ldd = tool("ldd")
    folders = ("/usr/lib/*-linux-*", "/usr/lib64")
    paths = sorted({os.path.realpath(path) for folder in folders for path in glob.glob(f"{folder}/*.so.*")})
    paths = [path for path in paths if 1000 < os.path.getsize(path) < 3_000_000]
    if glibc() == () or len(paths) < 10:
        pytest.skip("there are no libraries of glibc in the usual folders")
    for path in paths[:: max(len(paths) // 20, 1)]:
        image = read_image(path)
        found = {
            library.name: os.path.realpath(library.path) if library.path else None
            for library in libraries(image)
            if not library.name.startswith("ld-")
        }
        expected = {}
        for line in subprocess.run([ldd, path], capture_output=True, text=True, check=False).stdout.splitlines():
            name, arrow, place = line.strip().partition(" => ")
            if arrow:
                expected[name] = None if "not found" in place else os.path.realpath(place.rpartition(" (")[0])
        assert found == expected, path


def test_a_damaged_cache_of_the_linker_is_as_good_as_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its numbers are no more believed than those of a plugin; the standard folders are still searched."""
    if not os.path.exists(searching.CACHE):
        pytest.skip("there is no cache")
    data = Path(searching.CACHE).read_bytes()
    start = data.find(searching.CACHE_MAGIC)
    image = read_image(CORPUS / "elf64")
    if image.mismatch() is not None:
        pytest.skip("the corpus has a plugin for x86_64 Linux only")
    for number, damaged in enumerate(
        (
            b"",
            data[: start + 30],
            data[:start] + data[start:][:20] + b"\xff\xff\xff\x7f" + data[start + 24 :],
            data[: start + 52] + b"\xff" * 64 + data[start + 116 :],
        )
    ):
        path = tmp_path / f"cache{number}"
        path.write_bytes(damaged)
        monkeypatch.setattr(searching, "CACHE", str(path))
        assert find_library("libc.so.6", image) is not None
