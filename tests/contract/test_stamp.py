"""loader/contract/stamp.py: one line is written into a header, where C sees it, and nothing else changes."""

from __future__ import annotations

from pathlib import Path

import pytest
from headers import compile_header

from loader.contract import Contract
from loader.contract.stamp import Stamped, stamp_header
from loader.errors import ContractError, ContractNotFound

FINE = "int fine(loader_call *call);"
HEADER = f'/* test.h */\n#include "loader/plugin.h"\n\nLOADER_CONTRACT(test, 1, 0);\n\n{FINE}\n'


def stamp(folder: Path, content: bytes, *, again: bool = False) -> Stamped:
    """Stamps a header of this content, in a file, and checks that what would be written is read as it should be."""
    path = folder / "test.h"
    path.write_bytes(content)
    made = stamp_header(path, again=again)
    assert path.read_bytes() == content, "nothing is written here"
    path.write_bytes(made.content)
    read = Contract.from_header(path)
    assert read.stamped
    assert (read, read.fingerprint) == (made.contract, made.contract.fingerprint)
    return made


def line(made: Stamped) -> bytes:
    """The line of the stamp."""
    contract = made.contract
    version = f"{contract.name}, {contract.major}, {contract.minor}"
    return f"LOADER_FINGERPRINT({version}, 0x{contract.fingerprint});".encode()


@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_line_follows_the_contract(tmp_path: Path, newline: bytes, mark: bytes) -> None:
    """It ends as the line before it does; every other byte is as it was, a mark of UTF-8 too."""
    content = mark + HEADER.encode().replace(b"\n", newline)
    made = stamp(tmp_path, content)
    assert made.was is None
    before, after = content.split(b"LOADER_CONTRACT(test, 1, 0);" + newline)
    assert made.content == before + b"LOADER_CONTRACT(test, 1, 0);" + newline + line(made) + newline + after
    compile_header(made.content.decode("utf-8-sig").replace("\r", "\n"), tmp_path)


ODD = {
    "blanks before it": ("LOADER_CONTRACT(test, 1, 0);\n", "  LOADER_CONTRACT(test, 1, 0);\n  {line}\n"),
    "a comment behind it": (
        "LOADER_CONTRACT(test, 1, 0); /* the name */\n",
        "LOADER_CONTRACT(test, 1, 0); /* the name */\n{line}\n",
    ),
    "over several lines": ("LOADER_CONTRACT(test,\n  1,\n 0)\n;\n", "LOADER_CONTRACT(test,\n  1,\n 0)\n;\n{line}\n"),
    "something behind it": (
        "LOADER_CONTRACT(test, 1, 0); LOADER_BEGIN_C\n",
        "LOADER_CONTRACT(test, 1, 0); LOADER_BEGIN_C\n{line}\n",
    ),
    "within a condition": (
        "#ifndef HIDDEN\nLOADER_CONTRACT(test, 1, 0);\n#endif\n",
        "#ifndef HIDDEN\nLOADER_CONTRACT(test, 1, 0);\n{line}\n#endif\n",
    ),
}


@pytest.mark.parametrize("case", ODD)
def test_it_follows_wherever_the_contract_is_named(tmp_path: Path, case: str) -> None:
    """The line stands right behind the statement, as far right as it."""
    before, after = ODD[case]
    if case == "blanks before it":
        before = "  " + before
    text = HEADER.replace("LOADER_CONTRACT(test, 1, 0);\n", before)
    made = stamp(tmp_path, text.encode())
    assert made.content.decode() == text.replace(before, after.replace("{line}", line(made).decode()))


def test_a_file_without_an_end_of_line(tmp_path: Path) -> None:
    """The last line gets one, the new one has none."""
    text = f'#include "loader/plugin.h"\r\n{FINE}\r\nLOADER_CONTRACT(test, 1, 0);'
    made = stamp(tmp_path, text.encode())
    assert made.content == text.encode() + b"\r\n" + line(made)


def test_stamped_already(tmp_path: Path) -> None:
    """A stamp that fits is left, with `again` too."""
    first = stamp(tmp_path, HEADER.encode())
    for again in (False, True):
        second = stamp(tmp_path, first.content, again=again)
        assert (second.content, second.was) == (first.content, first.contract.fingerprint)


def test_the_stamp_of_one_version_is_not_written_over(tmp_path: Path) -> None:
    """Somebody may have built against it. With `again` it is, in its place."""
    first = stamp(tmp_path, HEADER.encode())
    changed = first.content + b"int more(loader_call *call);\n"
    (tmp_path / "test.h").write_bytes(changed)
    with pytest.raises(ContractError, match="is stamped already") as caught:
        stamp_header(tmp_path / "test.h")
    assert first.contract.fingerprint in (caught.value.expected or "")
    assert "--again" in (caught.value.cure or "")
    second = stamp(tmp_path, changed, again=True)
    assert second.was == first.contract.fingerprint
    assert second.content == changed.replace(line(first), line(second))


def test_the_next_minor_has_a_line_of_its_own(tmp_path: Path) -> None:
    """Behind those of earlier ones, which stay."""
    first = stamp(tmp_path, HEADER.encode())
    raised = first.content.replace(b"LOADER_CONTRACT(test, 1, 0)", b"LOADER_CONTRACT(test, 1, 1)")
    raised += b"LOADER_OPTIONAL int more(loader_call *call);\n"
    second = stamp(tmp_path, raised)
    assert line(first) + b"\n" + line(second) + b"\n" in second.content
    assert second.contract.stamp(1, 0) == first.contract.fingerprint
    compile_header(second.content.decode(), tmp_path)


NO_PLACE = {
    "in a struct": "LOADER_CONTRACT(test, 1, 0); typedef struct s {\n int32_t a; } s;\n",
    "in a comment": "LOADER_CONTRACT(test, 1, 0); /*\n */\n",
    "in a macro": "#define NAME \\\n 1\nLOADER_CONTRACT(test, 1, 0); /* \\\n */\n",
}


@pytest.mark.parametrize("case", NO_PLACE)
def test_no_line_is_written_where_c_would_not_see_it(tmp_path: Path, case: str) -> None:
    """Then the line is told, to be written by hand."""
    text = HEADER.replace("LOADER_CONTRACT(test, 1, 0);\n", NO_PLACE[case])
    path = tmp_path / "test.h"
    path.write_text(text)
    assert Contract.from_header(path).name == "test"
    with pytest.raises(ContractError) as caught:
        stamp_header(path)
    assert "Write it by hand: LOADER_FINGERPRINT(test, 1, 0, 0x" in (caught.value.cure or "")


def test_a_contract_that_an_included_header_names(tmp_path: Path) -> None:
    """The line belongs into one file, and it is this one that is asked for."""
    (tmp_path / "name.h").write_text('#include "loader/plugin.h"\nLOADER_CONTRACT(test, 1, 0);\n')
    (tmp_path / "test.h").write_text(f'#include "name.h"\n{FINE}\n')
    with pytest.raises(ContractError, match="not named in this header") as caught:
        stamp_header(tmp_path / "test.h")
    assert caught.value.found == str(tmp_path / "name.h")


def test_what_is_no_header(tmp_path: Path) -> None:
    """One that is not there, and one that means something else on other machines."""
    with pytest.raises(ContractNotFound):
        stamp_header(tmp_path / "none.h")
    (tmp_path / "test.h").write_text(HEADER + "int f(loader_call *call, long x);\n")
    with pytest.raises(ContractError, match="not the same on all machines"):
        stamp_header(tmp_path / "test.h")
