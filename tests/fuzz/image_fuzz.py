"""Damaged plugin files against loader.image: each is read, or refused with ImageError, in little time.

    python tests/fuzz/image_fuzz.py --seconds 60 --seed 1      mutates the corpus; needs nothing else
    python tests/fuzz/image_fuzz.py --atheris -max_total_time=60     guided by coverage; needs atheris

The corpus is tests/fuzz/corpus/image, one small plugin of each format: elf64 made by gcc, the others by
`zig cc -O1 -g0 -nostdlib -shared -target mips-linux-musleabi` and its like; more files can be named. The exit
code is 1 if a mutant raised something else or took over --worst milliseconds several times in a row; that
mutant is kept in --keep. The same seed gives the same mutants.
"""

from __future__ import annotations

import argparse
import random
import struct
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from loader.errors import ImageError
from loader.image import Image, read_bytes

CORPUS = Path(__file__).resolve().parent / "corpus" / "image"
#: Numbers that go wrong in sums, products and comparisons.
EDGES = (
    0,
    1,
    2,
    7,
    8,
    0x7F,
    0x80,
    0xFF,
    0x7FFF,
    0xFFFF,
    0x7FFF_FFFF,
    0x8000_0000,
    0xFFFF_FFFF,
    (1 << 63) - 1,
)
LARGEST = (1 << 64) - 1
#: Seconds after which a mutant is timed again.
PAUSE = 0.002
Mutator = Callable[[random.Random, bytes], bytes]


def flip_bits(chance: random.Random, data: bytes) -> bytes:
    """One to eight bits turned over, anywhere."""
    mutant = bytearray(data)
    for _ in range(chance.randint(1, 8)):
        mutant[chance.randrange(len(mutant))] ^= 1 << chance.randrange(8)
    return bytes(mutant)


def cut(chance: random.Random, data: bytes) -> bytes:
    """The end missing."""
    return data[: chance.randrange(len(data))]


def edit_field(chance: random.Random, data: bytes) -> bytes:
    """One to four numbers of 2, 4 or 8 bytes replaced: aligned, in either byte order, most near the start."""
    mutant = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        size, code = chance.choice(((2, "H"), (4, "I"), (8, "Q")))
        reach = min(len(mutant), chance.choice((64, 1024, 4096, len(mutant))))
        at = chance.randrange(max(reach // size, 1)) * size
        if at + size > len(mutant):
            continue
        layout = chance.choice("<>") + code
        (old,) = struct.unpack_from(layout, mutant, at)
        new = chance.choice(
            (*EDGES, LARGEST, len(data), len(data) - 1, old + 1, old - 1, old * 2, old ^ 1 << 31)
        )
        struct.pack_into(layout, mutant, at, new & ((1 << 8 * size) - 1))
    return bytes(mutant)


def copy_field(chance: random.Random, data: bytes) -> bytes:
    """A number of the file written over another: offsets and counts that are plausible, but not there."""
    mutant = bytearray(data)
    for _ in range(chance.randint(1, 3)):
        size = chance.choice((4, 8))
        reach = min(len(mutant), chance.choice((1024, len(mutant))))
        source, target = (chance.randrange(max(reach // size, 1)) * size for _ in range(2))
        mutant[target : target + size] = mutant[source : source + size]
    return bytes(mutant)


def splice(chance: random.Random, data: bytes, other: bytes) -> bytes:
    """The beginning of one file and the end of another."""
    return data[: chance.randrange(len(data))] + other[chance.randrange(len(other)) :]


def shift(chance: random.Random, data: bytes) -> bytes:
    """A block put in, taken out, or said twice."""
    at, size = chance.randrange(len(data)), chance.randint(1, 256)
    kind = chance.randrange(3)
    if kind == 0:
        return data[:at] + chance.randbytes(size) + data[at:]
    if kind == 1:
        return data[:at] + data[at + size :]
    return data[: at + size] + data[at:]


MUTATORS: tuple[Mutator, ...] = (flip_bits, cut, edit_field, edit_field, copy_field, shift)


def mutants(seed: int, corpus: Sequence[bytes]) -> Callable[[], bytes]:
    """A function that gives one mutant after the other, the same ones for the same seed."""
    chance = random.Random(seed)

    def following() -> bytes:
        data = chance.choice(corpus)
        for _ in range(1 if chance.random() < 0.7 else 2):
            if chance.random() < 0.15:
                data = splice(chance, data, chance.choice(corpus))
            else:
                data = chance.choice(MUTATORS)(chance, data) or b"\0"
        return data

    return following


def read(data: bytes) -> str:
    """Reads one mutant and uses what was read; says how it ended. Lets everything but ImageError through."""
    try:
        image = read_bytes(data, path="mutant")
    except ImageError as error:
        return f"refused: {error.what}" if str(error) else "refused"
    check(image)
    return f"read as {image.machine.format}"


def check(image: Image) -> None:
    """What must hold of every image, however odd the file."""
    assert image.data_exports <= image.exports
    assert "\0" not in "".join(image.exports)
    image.mismatch()
    for text in (*image.exports, *image.imports, *image.needed, *image.rpath, repr(image)):
        text.encode()  # printable: no surrogates


def timed(data: bytes) -> tuple[str, float]:
    """How it ended, and after how many seconds."""
    begin = time.perf_counter()
    outcome = read(data)
    return outcome, time.perf_counter() - begin


def run(arguments: argparse.Namespace) -> int:
    """The plain loop. Returns the exit code."""
    files = [*sorted(CORPUS.iterdir()), *arguments.files]
    following = mutants(arguments.seed, [file.read_bytes() for file in files])
    outcomes: Counter[str] = Counter()
    worst = 0.0
    count = 0
    begin = time.monotonic()
    while count < arguments.mutants and time.monotonic() - begin < arguments.seconds:
        count += 1
        mutant = following()
        try:
            outcome, seconds = timed(mutant)
            if seconds > PAUSE:
                # The machine may have paused; a slow mutant is slow each time.
                seconds = min(seconds, *(timed(mutant)[1] for _ in range(3)))
        except Exception as error:  # noqa: BLE001 - this is what is looked for
            return _fail(arguments.keep, mutant, f"mutant {count} raised {error!r}")
        if seconds * 1000 > arguments.worst:
            return _fail(arguments.keep, mutant, f"mutant {count} took {seconds * 1000:.1f} ms")
        worst = max(worst, seconds)
        outcomes[outcome] += 1
    spent = time.monotonic() - begin
    print(f"{count:,} mutants of {len(files)} files in {spent:.1f} s, seed {arguments.seed}")
    print(f"worst {worst * 1000:.1f} ms; nothing but ImageError")
    for outcome, number in outcomes.most_common():
        print(f"{number:>12,}  {outcome}")
    return 0


def _fail(folder: Path | None, mutant: bytes, what: str) -> int:
    with tempfile.NamedTemporaryFile(prefix="image-", dir=folder, delete=False) as kept:
        kept.write(mutant)
    print(f"{what}; kept as {kept.name}", file=sys.stderr)
    return 1


def run_atheris(arguments: list[str]) -> None:
    """Coverage-guided; arguments are libFuzzer's. Ends the process."""
    import atheris

    atheris.instrument_all()  # loader is imported already

    def one(data: bytes) -> None:
        read(data)

    with tempfile.TemporaryDirectory() as found:  # libFuzzer writes what it finds to the first folder
        atheris.Setup([sys.argv[0], *arguments, found, str(CORPUS)], one)
        atheris.Fuzz()


def main(arguments: list[str]) -> int:
    """The command."""
    if arguments[:1] == ["--atheris"]:
        run_atheris(arguments[1:])
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="*", type=Path, help="more files to mutate")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--mutants", type=int, default=sys.maxsize, help="at most so many")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--worst", type=float, default=50, metavar="MS", help="time that one mutant may take")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="where failing mutants are kept")
    return run(parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
