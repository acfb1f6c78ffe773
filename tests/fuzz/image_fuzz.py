"""Damaged plugin files against loader.image: each is read, or refused with ImageError, in little time. What the
reader in C reads, the reader in Python reads as the same.

    python tests/fuzz/image_fuzz.py --seconds 60               mutates the corpus; needs nothing else
    python tests/fuzz/image_fuzz.py --mutants 1000000          by hand
    python tests/fuzz/image_fuzz.py --guided --mutants 1000000    guided by coverage; needs atheris

The corpus is tests/fuzz/corpus/image, small plugins in all formats; README.md beside it says how they were
made. More files can be named. What a guided run finds stays in --found, and the next run of either kind begins
with that as well. The exit code is 1 if a mutant raised something else or took over --worst milliseconds of work
several times in a row; that mutant is kept in --keep. The same seed gives the same mutants, except in guided
runs.
"""

from __future__ import annotations

import argparse
import faulthandler
import os
import random
import sys
import tempfile
import time
from collections import Counter
from hashlib import sha256
from pathlib import Path

if "--guided" in sys.argv:  # what is counted is instrumented as it is imported: the loader, and no more
    import atheris

    with atheris.instrument_imports(include=["loader"]):
        import loader.image.macho
        import loader.image.pe  # noqa: F401 - read_bytes imports them when it meets such a file

sys.path.insert(0, str(Path(__file__).resolve().parent))
import image_mutants
from image_mutants import KINDS, damage, edit_field  # noqa: F401 - edit_field is tested through here

from loader.errors import ImageError
from loader.image import File, Image, read_bytes
from loader.image.elf_quick import read_quickly

CORPUS = Path(__file__).resolve().parent / "corpus" / "image"
#: Seconds of work after which a mutant is timed again, and of time after which it hangs.
PAUSE, HANGS = 0.002, 30
#: Bytes of the largest mutant of a guided run.
MOST = 1 << 17


def mutants(seed: int, corpus: list[bytes]) -> image_mutants.Callable[[], bytes]:
    """A function that gives the bytes of one mutant after the other, the same ones for the same seed."""
    following = image_mutants.mutants(seed, corpus)
    return lambda: following().data


def read(data: bytes) -> str:
    """Reads one mutant in both ways and uses what was read; says how it ended.

    Lets everything but ImageError through.
    """
    quick = read_quickly(File(path="mutant", data=data, digest=sha256(data).hexdigest(), size=len(data)))
    try:
        image = read_bytes(data, path="mutant")
    except ImageError as error:
        if quick is not None:
            raise AssertionError("read by C, refused by Python") from error
        return f"refused: {error.what}" if str(error) else "refused"
    check(image)
    assert quick in (None, image), quick
    return f"read as {image.machine.format}" + ("" if quick is None else ", by C")


def check(image: Image) -> None:
    """What must hold of every image, however odd the file."""
    assert image.data_exports <= image.exports
    assert "\0" not in "".join(image.exports)
    image.mismatch()
    for text in (*image.exports, *image.imports, *image.needed, *image.rpath, repr(image)):
        text.encode()  # printable: no surrogates


class Tally:
    """Tries mutants, counts them by format, and ends the run at the first finding."""

    def __init__(self, arguments: argparse.Namespace, names: list[str]) -> None:
        self.arguments, self.names = arguments, names
        self.count = 0
        self.begin = 0.0
        self.tried: Counter[str] = Counter()
        self.read: Counter[str] = Counter()
        self.worst: dict[str, float] = {}
        self.kinds: Counter[str] = Counter()
        self.outcomes: Counter[str] = Counter()

    def is_over(self) -> bool:
        """Whether there were as many mutants, or as much time, as was asked for."""
        self.begin = self.begin or time.monotonic()
        return self.count >= self.arguments.mutants or time.monotonic() - self.begin >= self.arguments.seconds

    def take(self, data: bytes, name: str) -> bool:
        """Tries one mutant of what is called `name`. False: it is a finding, which was told and kept."""
        self.count += 1
        if self.count % 1000 == 1:  # so that a hang ends with a traceback
            faulthandler.dump_traceback_later(HANGS, exit=True, file=sys.__stderr__)
        try:
            begin = time.thread_time()
            outcome = read(data)
            seconds = time.thread_time() - begin
            if seconds > PAUSE:
                # Caches may have been cold, or rubbish collected; a slow mutant is slow each time.
                seconds = min(seconds, *(self._again(data) for _ in range(3)))
        except Exception as error:  # noqa: BLE001 - this is what is looked for
            return self._fail(data, f"raised {error!r}")
        if seconds * 1000 > self.arguments.worst:
            return self._fail(data, f"took {seconds * 1000:.1f} ms")
        self.tried[name] += 1
        self.read[name] += outcome.startswith("read")
        self.worst[name] = max(self.worst.get(name, 0.0), seconds)
        self.outcomes[outcome] += 1
        return True

    @staticmethod
    def _again(data: bytes) -> float:
        begin = time.thread_time()
        read(data)
        return time.thread_time() - begin

    def _fail(self, data: bytes, what: str) -> bool:
        faulthandler.cancel_dump_traceback_later()
        with tempfile.NamedTemporaryFile(prefix="image-", dir=self.arguments.keep, delete=False) as kept:
            kept.write(data)
        print(f"mutant {self.count} {what}; kept as {kept.name}", file=sys.stderr)
        return False

    def tell(self, how: str) -> None:
        """Prints the figures."""
        faulthandler.cancel_dump_traceback_later()
        spent = time.monotonic() - self.begin
        worst = max(self.worst.values(), default=0) * 1000
        speed = (
            f"{self.count:,} mutants of {len(self.names)} files in {spent:.1f} s ({self.count / spent:,.0f} a second)"
        )
        print(f"{speed}, {how}: 0 crashes, 0 hangs, worst {worst:.1f} ms, nothing but ImageError")
        print(f"{'format':<16} {'mutants':>10} {'read':>10} {'refused':>10} {'worst ms':>9}")
        for name in sorted(self.tried):
            tried, slowest = self.tried[name], self.worst[name] * 1000
            print(f"{name:<16} {tried:>10,} {self.read[name]:>10,} {tried - self.read[name]:>10,} {slowest:>9.2f}")
        if self.kinds:
            print(", ".join(f"{kind} {number:,}" for kind, number in self.kinds.most_common()))
        if self.arguments.verbose:
            for outcome, number in self.outcomes.most_common():
                print(f"{number:>12,}  {outcome}")
        sys.stdout.flush()


def _format(data: bytes) -> str:
    """What a file is told as: format, size of its words, byte order; of a damaged one, what it begins as."""
    try:
        machine = read_bytes(data, path="seed").machine
    except ImageError:
        return _magic(data)
    kind = "universal" if data[:1] == b"\xca" else machine.bits
    return f"{machine.format} {kind}" + (" big" if machine.endian == "big" else "")


def run(arguments: argparse.Namespace, files: list[Path]) -> int:
    """The plain loop. Returns the exit code."""
    corpus = [file.read_bytes() for file in files]
    names = [_format(data) for data in corpus]
    following = image_mutants.mutants(arguments.seed, corpus)
    tally = Tally(arguments, [file.name for file in files])
    while not tally.is_over():
        mutant = following()
        tally.kinds.update(mutant.kinds)
        if not tally.take(mutant.data, names[mutant.file]):
            return 1
    tally.tell(f"seed {arguments.seed}")
    return 0


def run_guided(arguments: argparse.Namespace, files: list[Path]) -> None:
    """Guided by coverage: what reaches new code is damaged further. Ends the process."""
    tally = Tally(arguments, [file.name for file in files])
    corpus = [file.read_bytes() for file in files]
    names, weights = list(KINDS), list(KINDS.values())

    def one(data: bytes) -> None:
        if tally.is_over():
            tally.tell(f"guided, {len(list(found.iterdir())):,} inputs found")
            os._exit(0)  # libFuzzer has no way to be told to stop
        if not tally.take(data, _magic(data)):
            os._exit(1)

    def mutate(data: bytes, most: int, seed: int) -> bytes:
        chance = random.Random(seed)
        if not data or chance.random() < 0.3:
            tally.kinds["by libFuzzer itself"] += 1
            return bytes(atheris.Mutate(data, most))
        [kind] = chance.choices(names, weights)
        tally.kinds[kind] += 1
        return damage(chance, kind, data, data, corpus)[:most]

    found = arguments.found or Path(tempfile.mkdtemp())
    found.mkdir(parents=True, exist_ok=True)
    options = ["-print_final_stats=0", "-verbosity=0", f"-max_len={MOST}", f"-timeout={HANGS}", "-rss_limit_mb=1024"]
    folders = {str(found): None, str(CORPUS): None}  # libFuzzer writes to the first
    if arguments.keep:
        options.append(f"-artifact_prefix={arguments.keep}/")
    atheris.Setup([sys.argv[0], *options, *folders], one, custom_mutator=mutate)
    atheris.Fuzz()


def _magic(data: bytes) -> str:
    """The format that a mutant begins as."""
    if data[:4] == b"\x7fELF":
        kind = {1: "elf 32", 2: "elf 64"}.get(data[4] if len(data) > 4 else 0, "elf")
        return kind + (" big" if data[5:6] == b"\x02" else "")
    if data[:2] == b"MZ":
        return "pe"
    known = {b"\xca\xfe\xba": "mach-o universal", b"\xcf\xfa\xed": "mach-o 64", b"\xce\xfa\xed": "mach-o 32"}
    return known.get(data[:3], "mach-o 64 big" if data[:3] == b"\xfe\xed\xfa" else "other")


def main(arguments: list[str]) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path, help="more files to mutate")
    parser.add_argument("--guided", action="store_true", help="by coverage, with atheris")
    parser.add_argument("--seconds", type=float, help="60, or as long as --mutants takes")
    parser.add_argument("--mutants", type=int, help="at most so many")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--worst", type=float, default=50, metavar="MS", help="time that one mutant may take")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="where failing mutants are kept")
    parser.add_argument("--found", type=Path, metavar="FOLDER", help="where guided runs keep what they found")
    parser.add_argument("--verbose", action="store_true", help="count the reasons of refusals as well")
    options = parser.parse_args(arguments)
    if options.seconds is None:
        options.seconds = 60.0 if options.mutants is None else float("inf")
    if options.mutants is None:
        options.mutants = sys.maxsize
    files = [*sorted(CORPUS.iterdir()), *options.files]
    if options.found is not None and options.found.is_dir():
        files += sorted(options.found.iterdir())
    if options.guided:
        run_guided(options, files)
    return run(options, files)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
