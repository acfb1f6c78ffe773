"""`loader contract --stamp` and `--compare`, and what inspect and doctor say of fingerprints."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import loader
from loader.cli.contract_versions import write_stamp
from loader.contract.stamp import stamp_header
from loader.errors import ContractError

if TYPE_CHECKING:
    from command import Command

HEADER = """\
#include "loader/plugin.h"
LOADER_CONTRACT(shop, 1, 0);
LOADER_EXPORT int line(loader_call *call, const loader_text *text);
"""
SOURCE = """\
#include "shop.h"
int line(loader_call *call, const loader_text *text)
{
    return loader_write_text(call, text);
}
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A header, not stamped."""
    path = tmp_path / "shop.h"
    path.write_text(HEADER)
    return path


@pytest.fixture
def made(build: Callable[..., Path], tmp_path: Path) -> Callable[[], Path]:
    """Builds the plugin for the header as it is now."""

    def make() -> Path:
        (tmp_path / "shop.c").write_text(SOURCE)
        text = (tmp_path / "shop.h").read_text()
        return build(tmp_path / "shop.c", f"VARIANT_{abs(hash(text))}", flags=[f"-I{tmp_path}"])

    return make


def digits(shop: Path) -> str:
    """The fingerprint of what a header declares now."""
    return loader.Contract.from_header(shop).fingerprint


def test_stamp_writes_the_line_and_says_so(command: Command, shop: Path) -> None:
    """Once; then there is nothing to do."""
    fingerprint = digits(shop)
    done = command("contract", "--stamp", "shop.h")
    assert (done.code, done.text) == (0, f"shop.h: shop 1.0 is stamped as 0x{fingerprint}\n")
    line = f"LOADER_FINGERPRINT(shop, 1, 0, 0x{fingerprint});\n"
    assert shop.read_text() == HEADER.replace("1, 0);\n", f"1, 0);\n{line}")
    state = shop.stat()
    done = command("contract", "shop.h", "--stamp")
    assert (done.code, done.text) == (0, "shop.h: shop 1.0 is stamped already, and has not changed\n")
    assert shop.stat() == state


def test_stamp_keeps_mode_and_link_and_leaves_nothing(command: Command, shop: Path, tmp_path: Path) -> None:
    """A header that is a link stays one; the file that it names is replaced whole."""
    real = tmp_path / "real" / "shop.h"
    real.parent.mkdir()
    shop.rename(real)
    real.chmod(0o640)
    shop.symlink_to(real)
    assert command("contract", "--stamp", "shop.h").code == 0
    assert shop.is_symlink()
    assert "LOADER_FINGERPRINT" in real.read_text()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert [path.name for path in real.parent.iterdir()] == ["shop.h"]


def test_stamp_writes_over_no_stamp_of_the_same_version(command: Command, shop: Path) -> None:
    """The cure has both ways: --again, or the next version."""
    first = digits(shop)
    assert command("contract", "--stamp", "shop.h").code == 0
    text = shop.read_text() + "LOADER_OPTIONAL int more(loader_call *call);\n"
    shop.write_text(text)
    refused = command("contract", "shop.h")
    assert refused.code == 2
    assert "Raise the version in LOADER_CONTRACT, then: loader contract --stamp shop.h" in refused.err
    refused = command("contract", "--stamp", "shop.h")
    assert refused.code == 2
    assert "loader contract --stamp --again shop.h" in refused.err
    assert shop.read_text() == text
    done = command("contract", "--stamp", "--again", "shop.h", "--json")
    second = digits(shop)
    wanted = {"path": "shop.h", "contract": "shop 1.0", "fingerprint": second, "changed": True, "was": first}
    assert (done.code, done.json) == (0, wanted)
    shop.write_text(text.replace("(shop, 1, 0);", "(shop, 1, 1);", 1))
    assert command("contract", "--stamp", "shop.h").code == 0
    assert loader.Contract.from_header(shop).stamps == ((1, 0, first), (1, 1, second))


def test_stamp_fails_without_a_trace_where_nothing_can_be_written(unprivileged: Path) -> None:
    """In a folder that others own: an OSError, and the header is as it was."""
    shop = unprivileged / "shop.h"
    shop.write_text(HEADER)
    made = stamp_header(shop)
    unprivileged.chmod(0o500)
    with pytest.raises(PermissionError):
        write_stamp(made)
    unprivileged.chmod(0o700)
    assert [path.name for path in unprivileged.iterdir()] == ["shop.h"]
    assert shop.read_text() == HEADER


def test_stamp_writes_over_no_change_of_somebody_else(shop: Path) -> None:
    """What an editor saved meanwhile stays."""
    made = stamp_header(shop)
    shop.write_text(HEADER + "/* saved meanwhile */\n")
    with pytest.raises(ContractError, match="changed while it was being stamped"):
        write_stamp(made)
    assert shop.read_text().endswith("/* saved meanwhile */\n")
    assert [path.name for path in shop.parent.iterdir()] == ["shop.h"]


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["--stamp"], "too few words"),
        (["--stamp", "a.h", "b.h"], "too many words: b.h"),
        (["--compare", "shop.h"], "too few words"),
        (["--compare", "shop.h", "shop.h", "shop.h"], "too many words"),
        (["--again", "shop.h"], "--again without --stamp"),
        (["--stamp", "--compare", "shop.h", "shop.h"], "not allowed with"),
        (["shop.h", "shop.h"], "too many words: shop.h"),
    ],
)
@pytest.mark.usefixtures("shop")
def test_words_that_cannot_be_meant(command: Command, words: list[str], part: str) -> None:
    """Exit code 2, in one line, and nothing is written."""
    done = command("contract", *words)
    assert done.code == 2
    assert part in done.err
    assert done.err.count("\n") == 1


def test_compare_lists_what_changed(command: Command, shop: Path, tmp_path: Path) -> None:
    """What a minor version may add: exit code 0."""
    text = HEADER.replace("1, 0", "1, 1") + "LOADER_OPTIONAL int more(loader_call *call);\n"
    (tmp_path / "new.h").write_text(text)
    done = command("contract", "--compare", "shop.h", "new.h")
    assert (done.code, done.text) == (
        0,
        "allowed  contract shop: version 1.0 is 1.1 now\nallowed  function more: is new, optional\n",
    )
    assert command("contract", "--compare", "shop.h", "shop.h").text == "shop 1.0: nothing changed\n"
    (tmp_path / "new.h").write_text(text.replace("OPTIONAL", "EXPORT"))
    done = command("contract", "--compare", "shop.h", "new.h", "--json")
    assert done.code == 1
    assert not done.json["allowed"]
    assert (done.json["old"], done.json["new"]) == ("shop 1.0", "shop 1.1")
    assert done.json["fingerprints"][0] == digits(shop)
    assert done.json["changes"][1] == {
        "part": "function",
        "name": "more",
        "what": "is new, required: plugins that were built before lack it",
        "allowed": False,
    }
    done = command("contract", "--compare", "shop.h", "new.h")
    assert done.code == 1
    assert "breaks   function more" in done.text
    assert done.text.endswith("would not go on\n")


def test_compare_with_a_new_major_version(command: Command, shop: Path, tmp_path: Path) -> None:
    """There everything may change, and is told."""
    (tmp_path / "new.h").write_text(HEADER.replace("1, 0", "2, 0").replace("int line(", "int row("))
    done = command("contract", "--compare", str(shop), "new.h")
    assert done.code == 0
    assert "function line: is gone" in done.text
    assert done.text.endswith("another major version, for which plugins are built anew\n")


def test_the_contract_is_shown_with_its_fingerprint(command: Command, shop: Path) -> None:
    """And whether the header says it."""
    shown = f"contract shop 1.0, marker shop_abi_1_0, fingerprint 0x{digits(shop)}"
    assert command("contract", "shop.h").text.splitlines()[0] == f"{shown}, not stamped"
    command("contract", "--stamp", "shop.h")
    assert command("contract", "shop.h").text.splitlines()[0] == shown


def test_inspect_and_doctor_say_what_is_not_stamped(command: Command, shop: Path, made: Callable[[], Path]) -> None:
    """As a note: neither the plugin nor the header is at fault."""
    plain = str(made())
    done = command("inspect", plain, "--contract", "shop.h")
    assert done.code == 0
    assert "fingerprint   none of shop 1.0: not stamped" in done.text
    assert "Mind: it says no fingerprint of shop 1.0" in done.text
    assert "Mind: the header of shop 1.0 is not stamped" in done.text
    assert done.text.splitlines()[-1] == "The handshake with shop 1.0 holds: version 1.0."
    done = command("doctor", plain, "--contract", "shop.h")
    assert done.code == 0
    assert "nothing stands in the way\n  note   it says no fingerprint of shop 1.0" in done.text
    assert "  note   the header of shop 1.0 is not stamped" in done.text
    (file,) = command("doctor", plain, "--json").json["files"]
    assert (file["findings"], len(file["notes"])) == ([], 1)
    command("contract", "--stamp", "shop.h")
    stamped = str(made())
    fingerprint = digits(shop)
    done = command("inspect", stamped, "--contract", "shop.h")
    assert f"0x{fingerprint} of shop 1.0" in done.text
    assert "Mind" not in done.text
    values = command("inspect", stamped, "--contract", "shop.h", "--json").json
    assert values["fingerprints"] == {"shop 1.0": [f"0x{fingerprint}"]}
    assert values["handshake"]["fingerprint"] == fingerprint
    assert "note" not in command("doctor", stamped, "--contract", "shop.h").text
    assert "no fingerprint of shop 1.0: only" in command("doctor", plain, "--contract", "shop.h").text


def test_inspect_says_what_is_not_compared(command: Command, shop: Path, made: Callable[[], Path]) -> None:
    """A newer header that does not remember the plugin's version."""
    command("contract", "--stamp", "shop.h")
    stamped = str(made())
    shop.write_text(HEADER.replace("1, 0", "1, 1"))
    command("contract", "--stamp", "shop.h")
    done = command("inspect", stamped, "--contract", "shop.h")
    assert done.code == 0
    assert "Mind: the header of shop 1.1 has no fingerprint of shop 1.0 to compare with" in done.text


@pytest.mark.parametrize("name", ["inspect", "doctor"])
def test_a_plugin_that_drifted_is_told(
    command: Command, shop: Path, made: Callable[[], Path], tmp_path: Path, name: str
) -> None:
    """The function is named where the plugin's header is given; loading it has exit code 4."""
    command("contract", "--stamp", "shop.h")
    stamped = str(made())
    (tmp_path / "theirs.h").write_text(shop.read_text())
    shop.write_text(HEADER.replace("*text);", "*text, int64_t copies);"))
    command("contract", "--stamp", "shop.h")
    plain = command(name, stamped, "--contract", "shop.h")
    told = command(name, stamped, "--contract", "shop.h", "--built-with", "theirs.h")
    for done in (plain, told):
        assert done.code == {"inspect": 4, "doctor": 1}[name]
        assert "was built against other declarations of shop 1.0" in done.text + done.err
    cure = f"loader inspect {stamped} --contract HEADER --built-with THEIRS"
    assert cure.replace(f"{tmp_path}/", "") in (plain.text + plain.err).replace(f"{tmp_path}/", "")
    assert "function line takes (text: text, copies: int64), was (text: text)" in told.text + told.err
    assert command("call", stamped, "line", "x", "1", "--contract", "shop.h").code == 4


def test_compare_reads_a_header_that_changed_under_its_version(command: Command, shop: Path, tmp_path: Path) -> None:
    """That is when one wants to know what changed."""
    command("contract", "--stamp", "shop.h")
    (tmp_path / "shipped.h").write_text(shop.read_text())
    shop.write_text(shop.read_text() + "LOADER_OPTIONAL int more(loader_call *call);\n")
    assert command("contract", "shop.h").code == 2
    done = command("contract", "--compare", "shipped.h", "shop.h")
    assert (done.code, done.err) == (1, "")
    assert "breaks   contract shop: changed, and is 1.0 as before\nallowed  function more: is new" in done.text
    assert command("contract", "shop.h").code == 2, "and is as refused as before"
