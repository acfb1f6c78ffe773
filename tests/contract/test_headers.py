"""include/: the headers compile everywhere, their layout is frozen, and they say what they must."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tree import PLUGINS

import loader
from loader.author.sdk import include_dir
from loader.contract import Contract

if TYPE_CHECKING:
    from collections.abc import Callable

INCLUDE = include_dir()
HTMLIZE = INCLUDE / "htmlize" / "htmlize.h"
STRICT = ["-Wall", "-Wextra", "-pedantic", "-Wconversion", "-Wshadow", "-Werror"]

PLUGIN = """
#include "htmlize/htmlize.h"
int hooks(loader_call *call) { return loader_printf(call, "role:%s\\n", "tt"); }
int process_role(loader_call *call, const loader_text *role, const loader_text *text,
                 const htmlize_post *post)
{
    const htmlize_posts *posts = htmlize_posts_get(call);
    loader_text title = {"", 0};
    int status = LOADER_OK;
    if (posts != NULL && LOADER_HAS(posts, title))
        status = posts->title(call, posts, post->id, &title);
    if (status != LOADER_OK || (status = loader_cancelled(call)) != LOADER_OK)
        return status;
    loader_log(call, LOADER_DEBUG, role->data, role->size);
    return loader_printf(call, "%.*s%.*s", LOADER_PRINT(&title), LOADER_PRINT(text));
}
int process_contents(loader_call *call, const loader_text *contents, const htmlize_post *post)
{
    const loader_bytes bytes = {(const unsigned char *)post->author.data, post->author.size};
    if (loader_write_text(call, contents) != LOADER_OK || loader_write_bytes(call, &bytes) != LOADER_OK)
        return LOADER_NO_MEMORY;
    return loader_fail(call, "no %d", 1);
}
"""


def compiler(tool: Callable[..., str], family: str, standard: str) -> str:
    """The C or C++ compiler of a family."""
    plus = standard.startswith("c++")
    return tool({"gcc": "g++", "clang": "clang++"}[family] if plus else family)


def compile_text(command: list[str], text: str, standard: str) -> None:
    """Compiles a text from standard input; fails with the compiler's words."""
    language = "c++" if standard.startswith("c++") else "c"
    done = subprocess.run(
        [*command, f"-std={standard}", f"-I{INCLUDE}", "-x", language, "-"],
        input=text,
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("role", ["plugin", "host"])
@pytest.mark.parametrize("standard", ["c11", "c17", "c++11", "c++14", "c++17", "c++20"])
@pytest.mark.parametrize("family", ["gcc", "clang"])
def test_compiles(tool: Callable[..., str], family: str, standard: str, role: str) -> None:
    """The headers compile in every C and C++ from 11 on without a warning, in plugins and in hosts."""
    command = [compiler(tool, family, standard), *STRICT, "-O2", "-fsyntax-only"]
    compile_text([*command, "-DLOADER_HOST"] if role == "host" else command, PLUGIN, standard)


@pytest.mark.parametrize("standard", ["c++17", "c++20"])
@pytest.mark.parametrize("family", ["gcc", "clang"])
def test_kit_compiles(tool: Callable[..., str], family: str, standard: str) -> None:
    """plugin.hpp compiles in C++ 17 and 20 without a warning."""
    text = """
    #include "htmlize/htmlize.h"
    #include "loader/plugin.hpp"
    int hooks(loader_call *call)
    {
        return loader::guard(call, [](loader::Call &out) { out << "role:" << 1 << 'x' << std::string("y"); });
    }
    """
    command = [compiler(tool, family, standard), *STRICT, "-O2", "-fsyntax-only"]
    compile_text(command, text, standard)


LAYOUT = """
#define LOADER_HOST
#include <stdio.h>
#include "htmlize/htmlize.h"
#define FIELD(t, field) printf(#t "." #field " %zu %zu\\n", offsetof(t, field), sizeof(((t *)0)->field));
#define WHOLE(t) printf(#t " 0 %zu\\n", sizeof(t));
int main(void)
{
    FIELD(loader_text, data) FIELD(loader_text, size) FIELD(loader_bytes, data) FIELD(loader_bytes, size)
    FIELD(loader_call, size) FIELD(loader_call, next) FIELD(loader_call, limit) FIELD(loader_call, host)
    FIELD(loader_call, error) FIELD(loader_host, size) FIELD(loader_host, grow) FIELD(loader_host, fail)
    FIELD(loader_host, log) FIELD(loader_host, cancelled) FIELD(loader_host, service) FIELD(loader_host, path)
    FIELD(loader_host, write) FIELD(loader_host, alloc) FIELD(loader_texts, data) FIELD(loader_texts, size)
    FIELD(loader_f64s, data) FIELD(loader_f64s, size) WHOLE(loader_texts) WHOLE(loader_f64s)
    FIELD(htmlize_post, size) FIELD(htmlize_post, id) FIELD(htmlize_post, author) FIELD(htmlize_post, title)
    FIELD(htmlize_post, contents) FIELD(htmlize_posts, size) FIELD(htmlize_posts, title)
    WHOLE(loader_text) WHOLE(loader_bytes) WHOLE(loader_call) WHOLE(loader_host) WHOLE(htmlize_post)
    printf("status %d%d%d ", LOADER_OK, LOADER_FAILED, LOADER_NO_MEMORY);
    printf("%d%d%d%d%d\\n", LOADER_INVALID, LOADER_CANCELLED, LOADER_DEADLINE, LOADER_PANIC, LOADER_EXCEPTION);
    return 0;
}
"""

#: Offset and size as ABI 1 was frozen. A change here is a new LOADER_ABI or a new major version of htmlize.
FROZEN = {
    "loader_text.data": (0, 8),
    "loader_text.size": (8, 8),
    "loader_text": (0, 16),
    "loader_bytes.data": (0, 8),
    "loader_bytes.size": (8, 8),
    "loader_bytes": (0, 16),
    "loader_call.size": (0, 8),
    "loader_call.next": (8, 8),
    "loader_call.limit": (16, 8),
    "loader_call.host": (24, 8),
    "loader_call.error": (32, 16),
    "loader_call": (0, 48),
    "loader_host.size": (0, 8),
    "loader_host.grow": (8, 8),
    "loader_host.fail": (16, 8),
    "loader_host.log": (24, 8),
    "loader_host.cancelled": (32, 8),
    "loader_host.service": (40, 8),
    "loader_host.path": (48, 8),
    "loader_host.write": (56, 8),
    "loader_host.alloc": (64, 8),
    "loader_host": (0, 72),
    "loader_texts.data": (0, 8),
    "loader_texts.size": (8, 8),
    "loader_texts": (0, 16),
    "loader_f64s.data": (0, 8),
    "loader_f64s.size": (8, 8),
    "loader_f64s": (0, 16),
    "htmlize_post.size": (0, 8),
    "htmlize_post.id": (8, 8),
    "htmlize_post.author": (16, 16),
    "htmlize_post.title": (32, 16),
    "htmlize_post.contents": (48, 16),
    "htmlize_post": (0, 64),
    "htmlize_posts.size": (0, 8),
    "htmlize_posts.title": (8, 8),
    "status": (12, 34567),  # LOADER_OK to LOADER_EXCEPTION, a digit each
}


@pytest.fixture(scope="module", params=["gcc", "clang", "g++"])
def measured(
    request: pytest.FixtureRequest, tool: Callable[..., str], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, tuple[int, int]]:
    """Offsets and sizes as a compiled program has them."""
    program = tmp_path_factory.mktemp("layout") / "layout"
    standard = "c++11" if request.param == "g++" else "c11"
    compile_text([tool(request.param), "-o", str(program)], LAYOUT, standard)
    lines = subprocess.run([program], capture_output=True, text=True, check=True).stdout.splitlines()
    return {name: (int(offset), int(size)) for name, offset, size in map(str.split, lines)}


def test_layout_is_frozen(measured: dict[str, tuple[int, int]]) -> None:
    """Every struct of the ABI lies in memory as it did when the ABI was frozen."""
    assert measured == FROZEN


def test_contract_has_the_compilers_layout(measured: dict[str, tuple[int, int]]) -> None:
    """The layout that the contract's reader works out is the compiler's."""
    post = Contract.from_header(HTMLIZE).struct("htmlize_post")
    fields = {f"htmlize_post.{field.name}": (field.offset, field.size) for field in post.fields}
    assert post.sized
    assert post.size == measured["htmlize_post"][1]
    assert fields == {
        name: place
        for name, place in measured.items()
        if name.startswith("htmlize_post.") and name != "htmlize_post.size"
    }


def test_every_layout_the_compiler_can_show(tool: Callable[..., str], tmp_path: Path) -> None:
    """A struct with members of every kind and padding between them: reader and compiler agree."""
    header = PLUGINS / "probe.h"
    item = Contract.from_header(header).struct("probe_item")
    prints = "".join(
        f'printf("{field.name} %zu %zu\\n", offsetof(probe_item, {field.name}), sizeof x.{field.name});'
        for field in item.fields
    )
    program = tmp_path / "program"
    text = f'#define LOADER_HOST\n#include <stdio.h>\n#include "{header}"\n'
    text += f'int main(void) {{ probe_item x; {prints} printf("all 0 %zu\\n", sizeof x); return 0; }}\n'
    compile_text([tool("cc", "gcc"), "-o", str(program)], text, "c11")
    lines = subprocess.run([program], capture_output=True, text=True, check=True).stdout.splitlines()
    assert lines == [f"{f.name} {f.offset} {f.size}" for f in item.fields] + [f"all 0 {item.size}"]


MARKERS = {"loader_abi_1", "htmlize_abi_1_0", "htmlize_abi_1_0_is_0x289833ee10589802"}
FUNCTIONS = {"hooks", "process_role", "process_contents"}


@pytest.mark.parametrize("language", ["c", "c++"])
@pytest.mark.parametrize(
    "flags", [[], ["-O2", "-flto"], ["-Wl,--gc-sections", "-ffunction-sections", "-fdata-sections"]]
)
def test_exports_the_contract_and_nothing_else(
    build: Callable[..., Path], tmp_path: Path, language: str, flags: list[str]
) -> None:
    """A plugin exports the markers and the contract's functions, in C and C++, optimised or not."""
    source = tmp_path / ("plugin.c" if language == "c" else "plugin.cpp")
    source.write_text(PLUGIN)
    image = loader.read_image(build(source, flags=flags))
    assert image.exports == MARKERS | FUNCTIONS
    assert image.data_exports == MARKERS


def test_markers_of_several_files_are_one(tool: Callable[..., str], tmp_path: Path) -> None:
    """Each file of a plugin may include the header: the markers are weak, so they do not clash."""
    (tmp_path / "a.c").write_text(PLUGIN)
    (tmp_path / "b.c").write_text(
        '#include "htmlize/htmlize.h"\nint private_of_b(void);\nint private_of_b(void) { return 1; }'
    )
    (tmp_path / "c.cpp").write_text('#include "htmlize/htmlize.h"\n')
    target = tmp_path / "all.so"
    command = [tool("g++"), "-shared", "-fPIC", "-fvisibility=hidden", f"-I{INCLUDE}", "-o", str(target)]
    objects = []
    for source in ("a.c", "b.c", "c.cpp"):
        objects.append(str(tmp_path / f"{source}.o"))
        compile_ = [tool("g++" if source.endswith("cpp") else "gcc"), *STRICT, "-fPIC", "-fvisibility=hidden"]
        subprocess.run([*compile_, f"-I{INCLUDE}", "-c", str(tmp_path / source), "-o", objects[-1]], check=True)
    subprocess.run([*command, *objects], check=True)
    assert loader.read_image(target).exports == MARKERS | FUNCTIONS


def test_host_emits_no_marker(build: Callable[..., Path], tmp_path: Path) -> None:
    """With LOADER_HOST a program can include a contract without saying that it is a plugin."""
    source = tmp_path / "host.c"
    source.write_text(PLUGIN)
    assert not loader.read_image(build(source, "LOADER_HOST")).exports


# ---- Words -------------------------------------------------------------------------------------------------

HEADERS = [INCLUDE / "loader" / "plugin.h", HTMLIZE]
_DECLARED = re.compile(
    r"^(?:static inline|LOADER_EXPORT|LOADER_OPTIONAL|LOADER_GIVES_BYTES|typedef struct|struct|enum)\b"
)


@pytest.mark.parametrize("header", HEADERS, ids=lambda path: path.name)
def test_everything_has_a_comment(header: Path) -> None:
    """Every function and struct of the headers has a comment right before it."""
    lines = header.read_text().splitlines()
    bare = []
    for number, line in enumerate(lines):
        if not _DECLARED.match(line) or re.match(r"typedef struct \w+ \w+;", line):
            continue
        above = (each for each in reversed(lines[:number]) if not each.startswith(("LOADER_FORMAT", "typedef ")))
        if not next(above).rstrip().endswith("*/"):
            bare.append(line)
    assert not bare


@pytest.mark.parametrize("header", HEADERS, ids=lambda path: path.name)
def test_every_member_of_a_struct_has_a_comment(header: Path) -> None:
    """Every member says what it is: behind it, or in the comment before it or before its struct."""
    text = header.read_text()
    bare, checked = [], 0
    for struct in re.finditer(r"struct (\w+) \{\n(.*?)\n\}", text, re.DOTALL):
        above = text[: struct.start()].rsplit("/*", 1)[-1]
        commented = False  # by the comment in the lines before
        for line in struct[2].splitlines():
            member = re.search(r"\(\*(\w+)\)|(\w+);", line.split("/*")[0])
            if member is None:
                commented = line.rstrip().endswith("*/")
                continue
            checked += 1
            word = member[1] or member[2]
            if not (commented or "/*" in line or f"`{word}`" in above):
                bare.append(f"{struct[1]}.{word}")
            commented = False
    assert checked > 6
    assert not bare


@pytest.mark.parametrize("header", HEADERS, ids=lambda path: path.name)
@pytest.mark.parametrize("word", ["return", "owne", "borrowed", "thread"])
def test_rules_are_stated(header: Path, word: str) -> None:
    """Each header speaks of return values, owners, lifetimes and threads."""
    assert word in header.read_text().lower()
