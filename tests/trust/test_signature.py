"""loader/trust/signature.py and signing.py: Ed25519 in minisign's format, bound to what the file is."""

from __future__ import annotations

import base64
import os
import random
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tree import GREETER

import loader
from loader.errors import TrustError
from loader.trust import Policy, trust
from loader.trust.handshake import Candidate, shake_hands
from loader.trust.identity import identify
from loader.trust.signature import PublicKey, check_signature, parse_signature

Build = Callable[..., Path]

if os.environ.get("CI"):
    import cryptography  # noqa: F401 - the extra [sign]; where CI is set it must be there
else:
    pytest.importorskip("cryptography", reason="signatures need the extra [sign]")

from loader.trust.signing import SecretKey, comment_for, sign  # noqa: E402 - after the check above


@pytest.fixture(scope="module")
def key() -> SecretKey:
    """A key pair."""
    return SecretKey.generate()


@pytest.fixture
def signed(hello: Path, key: SecretKey, tmp_path: Path) -> Path:
    """The Greeter's plugin, signed as version 1.2.0."""
    path = Path(shutil.copy(hello, tmp_path / "hello.so"))
    sign_file(path, key, "1.2.0")
    return path


@pytest.fixture
def minisign(tool: Callable[..., str]) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs minisign with an input and asserts that it ends well."""
    program = tool("minisign")

    def run(*arguments: str | Path, given: str = "") -> subprocess.CompletedProcess[str]:
        command = [program, *map(str, arguments)]
        done = subprocess.run(command, input=given, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    return run


def sign_file(path: Path, key: SecretKey, version: str) -> Path:
    """Signs a file as loader sign does; returns the signature's path."""
    image = loader.read_image(path)
    signature = path.with_name(path.name + ".minisig")
    signature.write_text(sign(image.data, comment_for(identify(image), version), key))
    return signature


def candidate(path: Path, contract: loader.Contract) -> Candidate:
    """A file whose handshake held."""
    return shake_hands(loader.read_image(path), contract)


def with_data(of: Candidate, data: bytes) -> Candidate:
    """The candidate as if its file had other bytes, which need not be a library any more."""
    import hashlib

    file = replace(of.image.file, data=data, digest=hashlib.sha256(data).hexdigest())
    return replace(of, image=replace(of.image, file=file))


# ---- What is refused ---------------------------------------------------------------------------------------


def test_signed_file(signed: Path, key: SecretKey, greeter: loader.Contract) -> None:
    """A file that a trusted key signed may run; the report says which key, and the version."""
    held = trust(candidate(signed, greeter), Policy(keys=[key.public])).checks
    assert held == (f"signed by {key.public.name} as version 1.2.0",)


def test_one_of_several_keys(signed: Path, key: SecretKey, greeter: loader.Contract) -> None:
    """One trusted key is enough, in whatever place it stands."""
    others = [SecretKey.generate().public for _ in range(3)]
    trust(candidate(signed, greeter), Policy(keys=[*others, key.public]))
    with pytest.raises(TrustError, match="signed by a key that is not trusted") as caught:
        trust(candidate(signed, greeter), Policy(keys=others))
    assert key.public.name in str(caught.value.found)
    assert all(other.name in str(caught.value.expected) for other in others)


def test_key_with_a_borrowed_id(signed: Path, key: SecretKey, greeter: loader.Contract) -> None:
    """A key id only finds the key: another key under it does not hold, and does not hide the right one."""
    borrowed = PublicKey(key.id, SecretKey.generate().public.data)
    with pytest.raises(TrustError, match="does not have the signature"):
        trust(candidate(signed, greeter), Policy(keys=[borrowed]))
    trust(candidate(signed, greeter), Policy(keys=[borrowed, key.public]))


def test_key_that_is_no_point(signed: Path, key: SecretKey, greeter: loader.Contract) -> None:
    """A public key that is not on the curve, or of small order, verifies nothing and crashes nothing."""
    for data in (b"\xff" * 32, bytes(32), bytes([1]) + bytes(31)):
        with pytest.raises(TrustError):
            trust(candidate(signed, greeter), Policy(keys=[PublicKey(key.id, data)]))


def test_unsigned_file(hello: Path, key: SecretKey, greeter: loader.Contract) -> None:
    """A file without a signature is refused; the message says where it would be, and by whom."""
    with pytest.raises(TrustError) as caught:
        trust(candidate(hello, greeter), Policy(keys=[key.public]))
    assert caught.value.what == "is not signed"
    assert caught.value.found == f"no {hello}.minisig"
    assert key.public.name in str(caught.value.expected)
    assert "loader sign" in str(caught.value.cure)


def test_unreadable_signatures(signed: Path, key: SecretKey, greeter: loader.Contract, tmp_path: Path) -> None:
    """A signature that is a folder, a pipe, too large or no text is refused, without waiting."""
    place = tmp_path / "hello.so.minisig"
    for make in (
        place.mkdir,
        lambda: os.mkfifo(place),
        lambda: place.write_bytes(b"\xff" * 100),
        lambda: place.write_bytes(b"a" * 100_000),
        lambda: place.write_bytes(b""),
    ):
        place.unlink()
        make()
        with pytest.raises(TrustError):
            trust(candidate(signed, greeter), Policy(keys=[key.public]))
        if place.is_dir():
            place.rmdir()
            place.touch()


@pytest.mark.parametrize("name", ["name", "version", "platform", "contract", "sha256"])
@pytest.mark.parametrize("how", ["other", "missing", "twice"])
def test_signed_as_something_else(
    signed: Path, key: SecretKey, greeter: loader.Contract, name: str, how: str
) -> None:
    """A good signature that says another name, platform, contract or digest, or none, does not hold."""
    image = loader.read_image(signed)
    parts = comment_for(identify(image), "1.2.0").split("\t")
    (index,) = (i for i, part in enumerate(parts) if part.startswith(f"{name}:"))
    if how == "missing":
        del parts[index]
    elif how == "twice":
        parts.append(parts[index])
    else:
        parts[index] = f"{name}:other"
    signed.with_name("hello.so.minisig").write_text(sign(image.data, "\t".join(parts), key))
    with pytest.raises(TrustError):
        trust(candidate(signed, greeter), Policy(keys=[key.public]))


def test_renamed_file(signed: Path, key: SecretKey, greeter: loader.Contract) -> None:
    """A signed plugin under another plugin's name is refused: it would take that one's place."""
    for suffix in ("", ".minisig"):
        shutil.copy(f"{signed}{suffix}", signed.with_name(f"admin.so{suffix}"))
    with pytest.raises(TrustError, match="its name differs") as caught:
        trust(candidate(signed.with_name("admin.so"), greeter), Policy(keys=[key.public]))
    assert caught.value.found == "name:hello"


def test_signature_of_another_file(signed: Path, key: SecretKey, build: Build, greeter: loader.Contract) -> None:
    """The signature of one build is none of another."""
    shutil.copy(build("hostile.c", "BUILD=2100"), signed)
    with pytest.raises(TrustError, match="does not have the signature"):
        trust(candidate(signed, greeter), Policy(keys=[key.public]))


def test_every_byte_of_the_signature(signed: Path, key: SecretKey, greeter: loader.Contract) -> None:
    """Every bit of every byte of the signature file flipped: refused each time, and only by TrustError."""
    judged, policy = candidate(signed, greeter), Policy(keys=[key.public])
    place = signed.with_name("hello.so.minisig")
    good = place.read_bytes()
    assert len(good) > 300
    for index in range(len(good)):
        for bit in range(8):
            place.write_bytes(good[:index] + bytes([good[index] ^ 1 << bit]) + good[index + 1 :])
            with pytest.raises(TrustError):
                trust(judged, policy)
    place.write_bytes(good)
    trust(judged, policy)


def test_every_length_of_the_signature(signed: Path, key: SecretKey, greeter: loader.Contract) -> None:
    """A signature file that is cut off or goes on is refused; so are other line ends."""
    judged, policy = candidate(signed, greeter), Policy(keys=[key.public])
    place = signed.with_name("hello.so.minisig")
    good = place.read_bytes()
    others = [good[:size] for size in range(len(good))]
    others += [
        good + b"\n",
        good + b"x",
        b"\n" + good,
        good.replace(b"\n", b"\r\n"),
        good + good,
        b"\xef\xbb\xbf" + good,
    ]
    for data in others:
        place.write_bytes(data)
        with pytest.raises(TrustError):
            trust(judged, policy)


def test_every_byte_of_the_file(signed: Path, key: SecretKey, greeter: loader.Contract) -> None:
    """Every byte of the file with a flipped bit: refused each time, and only by TrustError."""
    judged, policy = candidate(signed, greeter), Policy(keys=[key.public])
    good = signed.read_bytes()
    choose = random.Random(1)
    for index in range(len(good)):
        data = bytearray(good)
        data[index] ^= 1 << choose.randrange(8)
        with pytest.raises(TrustError):
            trust(with_data(judged, bytes(data)), policy)
    for data in (b"", good[:-1], good + b"\0", good[1:]):
        with pytest.raises(TrustError):
            trust(with_data(judged, data), policy)
    trust(with_data(judged, good), policy)


def test_swapped_parts_of_two_signatures(signed: Path, key: SecretKey, greeter: loader.Contract) -> None:
    """The trusted comment of one signature does not go with another, though one key made both."""
    image = loader.read_image(signed)
    one = sign(image.data, comment_for(identify(image), "1.2.0"), key).splitlines()
    two = sign(image.data + b"x", comment_for(identify(image), "9.9.9"), key).splitlines()
    place = signed.with_name("hello.so.minisig")
    for lines in ([*one[:2], *two[2:]], [*one[:2], two[2], one[3]], [*one[:3], two[3]], [*two[:2], *one[2:]]):
        place.write_text("\n".join(lines) + "\n")
        with pytest.raises(TrustError):
            trust(candidate(signed, greeter), Policy(keys=[key.public]))


def test_refused_file_runs_nothing(
    build: Build, key: SecretKey, greeter: loader.Contract, tmp_path: Path, sentinel: Path
) -> None:
    """The constructors of a file whose signature does not hold do not run."""
    path = Path(shutil.copy(build("hostile.c", "BUILD=2101"), tmp_path))
    sign_file(path, key, "1")
    path.write_bytes(path.read_bytes() + b"x")
    policy = Policy(keys=[key.public])
    with pytest.raises(TrustError):
        loader.load(path, contract=greeter, policy=policy)
    assert not sentinel.exists()
    sign_file(path, key, "1")
    loader.load(path, contract=greeter, policy=policy)
    assert sentinel.exists()


def test_without_cryptography(
    run_python: Callable[..., subprocess.CompletedProcess[str]], signed: Path, key: SecretKey
) -> None:
    """Without the extra a policy with keys refuses everything, and names the line that installs it."""
    done = run_python(
        """
import sys
sys.modules["cryptography"] = None  # what an import of something absent finds
import loader
greeter = loader.Contract.from_header(sys.argv[2])
loader.load(sys.argv[1], contract=greeter)
try:
    loader.load(sys.argv[1], contract=greeter, policy=loader.Policy(keys=[sys.argv[3]]))
except loader.TrustError as error:
    print(error)
""",
        signed,
        GREETER,
        str(key.public),
    )
    assert "pip install 'native-plugin-loader[sign]'" in done.stdout


def test_cryptography_is_not_imported_without_keys(
    run_python: Callable[..., subprocess.CompletedProcess[str]], hello: Path
) -> None:
    """Who asks for no signature does not pay for the package that checks them."""
    code = (
        "import sys, loader\n"
        "loader.load(sys.argv[1], contract=loader.Contract.from_header(sys.argv[2]))\n"
        "print('cryptography' in sys.modules, 'loader.trust.signature' in sys.modules)"
    )
    assert run_python(code, hello, GREETER).stdout == "False False\n"


def test_downgrade(signed: Path, key: SecretKey, greeter: loader.Contract, tmp_path: Path) -> None:
    """An older version with a good signature is refused when the lock file says which is the least."""
    from loader.trust.lockfile import LockFile

    old = candidate(signed, greeter)
    new = tmp_path / "new" / "hello.so"
    new.parent.mkdir()
    new.write_bytes(signed.read_bytes() + b"new")
    sign_file(new, key, "1.10")
    lock = LockFile(str(tmp_path / "loader.lock"))
    image = loader.read_image(signed)
    lock.add(identify(image), file="hello.so", size=image.size, version="1.2", newer=True).write()
    policy = Policy(keys=[key.public], lock=lock.path)
    trust(old, policy)
    trust(candidate(new, greeter), policy)
    image = loader.read_image(new)
    lock.add(identify(image), file="hello.so", size=image.size, version="1.10", newer=True).write()
    trust(candidate(new, greeter), policy)
    with pytest.raises(TrustError, match="is older than the version that is locked"):
        trust(old, policy)


# ---- minisign ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("password", [None, "pass wörd"])
def test_minisign_takes_ours(
    minisign: Callable[..., subprocess.CompletedProcess[str]],
    signed: Path,
    key: SecretKey,
    tmp_path: Path,
    password: str | None,
) -> None:
    """Debian's minisign checks our signatures, and signs with our keys, with and without a password."""
    public, secret = tmp_path / "our.pub", tmp_path / "our.key"
    public.write_text(key.public.to_file())
    secret.write_text(key.to_file(password=password.encode() if password else None))
    done = minisign("-V", "-p", public, "-m", signed)
    assert "Trusted comment: name:hello\tversion:1.2.0\t" in done.stdout
    minisign("-V", "-P", str(key.public), "-m", signed)
    other = tmp_path / "other"
    other.write_bytes(b"data")
    minisign("-S", "-s", secret, "-m", other, given=f"{password}\n" if password else "")
    minisign("-V", "-p", public, "-m", other)
    minisign("-R", "-s", secret, "-p", tmp_path / "again.pub", given=f"{password}\n" if password else "")
    assert PublicKey.read(tmp_path / "again.pub") == key.public


@pytest.mark.parametrize("legacy", [False, True])
def test_we_take_minisigns(
    minisign: Callable[..., subprocess.CompletedProcess[str]],
    hello: Path,
    greeter: loader.Contract,
    tmp_path: Path,
    legacy: bool,
) -> None:
    """We check minisign's signatures, those of its older form too, if they say what the file is."""
    public, secret = tmp_path / "their.pub", tmp_path / "their.key"
    minisign("-G", "-W", "-p", public, "-s", secret)
    path = Path(shutil.copy(hello, tmp_path))
    comment = comment_for(identify(loader.read_image(path)), "3.1")
    minisign("-S", *(["-l"] if legacy else []), "-s", secret, "-m", path, "-t", comment)
    policy = Policy(keys=[PublicKey.read(public)])
    assert trust(candidate(path, greeter), policy).checks[0].endswith("as version 3.1")
    minisign("-S", "-s", secret, "-m", path)
    with pytest.raises(TrustError, match="signed as something else") as caught:
        trust(candidate(path, greeter), policy)
    assert "loader sign" in str(caught.value.cure)


def test_we_sign_with_minisigns_keys(
    minisign: Callable[..., subprocess.CompletedProcess[str]], hello: Path, tmp_path: Path
) -> None:
    """Secret keys that minisign made are read, without a password and (1 GiB of scrypt) with one."""
    for options, password in ((["-W"], None), ([], "secret")):
        public, secret = tmp_path / f"{password}.pub", tmp_path / f"{password}.key"
        minisign("-G", *options, "-p", public, "-s", secret, given=f"{password}\n{password}\n")
        assert SecretKey.is_locked(secret) is bool(password)
        key = SecretKey.read(secret, password=password.encode() if password else None)
        assert key.public == PublicKey.read(public)
        path = Path(shutil.copy(hello, tmp_path))
        sign_file(path, key, "1")
        minisign("-V", "-p", public, "-m", path)


def test_key_name_is_minisigns(minisign: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path) -> None:
    """Key ids are shown as minisign shows them."""
    minisign("-G", "-W", "-p", tmp_path / "k.pub", "-s", tmp_path / "k.key")
    key = PublicKey.read(tmp_path / "k.pub")
    assert (tmp_path / "k.pub").read_text() == key.to_file()
    assert key.to_file().splitlines()[0].endswith(f" {key.name}")


def test_key_name_has_no_leading_zeros(key: SecretKey) -> None:
    """One key in sixteen has an id that begins with a zero, which minisign does not show (seen with 0.11)."""
    public = replace(key.public, id=bytes.fromhex("77e9acf556ce6f0f"))
    assert public.name == "F6FCE56F5ACE977"
    assert PublicKey.parse(str(public)).name == public.name


# ---- Secret keys -------------------------------------------------------------------------------------------


def test_secret_key_round_trip(key: SecretKey, tmp_path: Path) -> None:
    """A secret key is read back, with its password only."""
    path = tmp_path / "k.key"
    path.write_text(key.to_file(password=b"right"))
    assert SecretKey.read(path, password=b"right") == key
    with pytest.raises(TrustError, match="does not open with this password"):
        SecretKey.read(path, password=b"wrong")
    with pytest.raises(TrustError, match="asks for a password"):
        SecretKey.read(path)
    assert key.seed not in base64.b64decode(path.read_text().splitlines()[1])
    assert repr(key.seed) not in repr(key)


def test_damaged_secret_key(key: SecretKey, tmp_path: Path) -> None:
    """A secret key file with a flipped bit in what counts is refused."""
    path = tmp_path / "k.key"
    raw = base64.b64decode(key.to_file().splitlines()[1])
    for index in (0, 2, 4, *range(54, len(raw))):
        data = bytearray(raw)
        data[index] ^= 1
        path.write_text(f"untrusted comment: x\n{base64.b64encode(data).decode()}\n")
        with pytest.raises(TrustError):
            SecretKey.read(path)
    for text in ("", "x", "untrusted comment: x\n", "untrusted comment: x\n!\n", key.public.to_file()):
        path.write_text(text)
        with pytest.raises(TrustError, match="is not a secret key"):
            SecretKey.read(path)


def test_secret_key_that_asks_for_all_memory(key: SecretKey, tmp_path: Path) -> None:
    """A file cannot make us spend what memory and time it likes."""
    raw = bytearray(base64.b64decode(key.to_file(password=b"x").splitlines()[1]))
    raw[38:54] = b"\xff" * 16
    path = tmp_path / "k.key"
    path.write_text(f"untrusted comment: x\n{base64.b64encode(raw).decode()}\n")
    with pytest.raises(TrustError, match="more work than any key should"):
        SecretKey.read(path, password=b"x")


def test_comment_that_cannot_be_signed(hello: Path, tmp_path: Path) -> None:
    """Names that would look like another field or line are refused when signing."""
    path = Path(shutil.copy(hello, tmp_path / "a\tversion:9.so"))
    with pytest.raises(TrustError, match="a signature cannot hold"):
        comment_for(identify(loader.read_image(path)), "1")
    with pytest.raises(TrustError, match="cannot be compared"):
        comment_for(identify(loader.read_image(hello)), "one")


def test_hash_signed_as_a_file(key: SecretKey) -> None:
    """A signature of a file's hash does not pass for one of the file."""
    import hashlib

    text = sign(b"data", "c", key)
    prehashed = parse_signature(text)
    other = replace(prehashed, algorithm=b"Ed")
    with pytest.raises(TrustError):
        check_signature(b"data", other, [key.public], {}, path="x")
    # The one that does hold has 64 bytes: no library is that short.
    check_signature(hashlib.blake2b(b"data").digest(), other, [key.public], {}, path="x")
