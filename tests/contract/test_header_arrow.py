"""Arrow arrays in a contract's header: what may be declared, and Arrow's own header beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from headers import read_header
from tree import PLUGINS

import loader

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CONTRACT = loader.Contract.from_header(PLUGINS / "arrow.h")


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        (
            "int f(loader_call *call, loader_arrow *values);",
            "a non-const pointer .* or write LOADER_OUT",
        ),
        ("int f(loader_call *call, loader_arrow values);", "a loader_arrow by value"),
        ("int f(loader_call *call, LOADER_OUT const loader_arrow *values);", "LOADER_OUT stands before 'values'"),
        ("typedef struct s { loader_arrow a; } s; int f(loader_call *call, const s *values);", "member 'a' of 's'"),
    ],
)
def test_refused_in_headers(tmp_path: Path, declared: str, words: str) -> None:
    """What is neither borrowed nor a result."""
    with pytest.raises(loader.ContractError, match=words):
        read_header(tmp_path, declared)


@pytest.mark.parametrize("parameter", ["const loader_arrow *values", "LOADER_OUT loader_arrow *values"])
@pytest.mark.parametrize("kind", ["SERVICE", "INTERFACE"])
def test_tables_do_not_pass_it(tmp_path: Path, parameter: str, kind: str) -> None:
    """Neither services nor interfaces, in either direction: whose it is then would be hard to say."""
    text = f"typedef struct t t; struct t {{ size_t size; int (*f)(loader_call *, const t *self, {parameter}); }};\n"
    text += (
        'LOADER_SERVICE("a/1", t);'
        if kind == "SERVICE"
        else "LOADER_INTERFACE(t);\nint g(loader_call *, const t *x);"
    )
    with pytest.raises(loader.ContractError, match="which tables do not pass"):
        read_header(tmp_path, text)


SPECIFICATION = """\
#ifndef ARROW_C_DATA_INTERFACE
#define ARROW_C_DATA_INTERFACE
#define ARROW_FLAG_NULLABLE 2
struct ArrowSchema { const char *format, *name, *metadata; int64_t flags, n_children; struct ArrowSchema **children,
    *dictionary; void (*release)(struct ArrowSchema *); void *private_data; };
struct ArrowArray { int64_t length, null_count, offset, n_buffers, n_children; const void **buffers;
    struct ArrowArray **children, *dictionary; void (*release)(struct ArrowArray *); void *private_data; };
#endif
"""


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("suffix", [".c", ".cpp"])
def test_beside_the_header_of_another(build: Callable[..., Path], tmp_path: Path, first: bool, suffix: str) -> None:
    """The specification's guard: nanoarrow's header, or Arrow's own, may come before plugin.h or behind it."""
    (tmp_path / "abi.h").write_text(SPECIFICATION)
    includes = ['#include "abi.h"', '#include "loader/plugin.h"']
    lines = ["#include <stdint.h>", *(includes if first else includes[::-1])]
    lines.append("struct both { loader_arrow lent; struct ArrowSchema schema; struct ArrowArray array; };")
    lines.append('LOADER_STATIC_ASSERT(sizeof(struct both) == 168, "as large as the specification says");')
    (tmp_path / f"beside{suffix}").write_text("\n".join(lines) + "\n")
    build(tmp_path / f"beside{suffix}", f"FIRST_{first}", flags=[f"-I{tmp_path}"])


def test_contract_and_fingerprint() -> None:
    """It is a kind of its own, and survives JSON."""
    again = loader.Contract.from_json(CONTRACT.to_json())
    assert again == CONTRACT
    assert again.function("sum").parameters[0].kind.value == "arrow"
    assert again.function("count_up").results[0].kind.value == "arrow"
    assert again.fingerprint == CONTRACT.fingerprint
