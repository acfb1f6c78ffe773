"""What Policy(isolate=…) means, how it is written, that it cannot be loosened: loader/trust/policy.py, trust.py."""

from __future__ import annotations

import itertools
import pickle
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from tree import GREETER

import loader
from loader.errors import IsolationError, TrustError
from loader.library import open_library, owner_of
from loader.trust import Policy, check_file, may_isolate, trust
from loader.trust.handshake import shake_hands
from loader.trust.identity import identify
from loader.trust.signature import PublicKey

try:
    import cryptography  # noqa: F401 - the extra [sign]
except ImportError:  # pragma: no cover
    pytest.importorskip("cryptography", reason="signatures need the extra [sign]")

from loader.trust.signing import SecretKey, comment_for, sign

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

A, B = (PublicKey(bytes([number]) * 8, bytes([number]) * 32) for number in (1, 2))
UNLESS: Any = "unless signed"


@pytest.fixture(scope="module")
def key() -> SecretKey:
    """A key that policies trust."""
    return SecretKey.generate()


@pytest.fixture
def plugin(hello: Path, tmp_path: Path) -> Path:
    """The Greeter's plugin, a copy."""
    return shutil.copy(hello, tmp_path / "hello.so")


def sign_file(path: Path, key: SecretKey) -> Path:
    """Signs a file as loader sign does; gives the signature's path."""
    image = loader.read_image(path)
    signature = path.with_name(path.name + ".minisig")
    signature.write_text(sign(image.data, comment_for(identify(image), "1.0.0"), key))
    return signature


def isolates(path: Path, policy: Policy, contract: loader.Contract) -> bool:
    """Whether a policy wants a process of its own for a file."""
    image = loader.read_image(path)
    return trust(shake_hands(image, contract), policy).isolate


# ---- What it means ----


def test_whole(plugin: Path, greeter: loader.Contract) -> None:
    """True isolates each file; without a word none is."""
    assert isolates(plugin, Policy(isolate=True), greeter)
    for policy in (Policy(), Policy(permissions=True), Policy(isolate=False)):
        assert not isolates(plugin, policy, greeter)


def test_unless_signed(plugin: Path, greeter: loader.Contract, key: SecretKey) -> None:
    """What one of the keys signed is opened here; what nobody did, or somebody else, is isolated and not refused."""
    policy = Policy(keys=[key.public], isolate=UNLESS)
    assert isolates(plugin, policy, greeter)
    sign_file(plugin, SecretKey.generate())
    assert isolates(plugin, policy, greeter)
    sign_file(plugin, key)
    assert not isolates(plugin, policy, greeter)
    with pytest.raises(TrustError, match="is signed by a key that is not trusted"):
        isolates(plugin, Policy(keys=[A]), greeter)


def test_a_signature_that_does_not_hold(plugin: Path, greeter: loader.Contract, key: SecretKey) -> None:
    """What is said to be signed by one of the keys, and is not what was signed, runs nowhere."""
    policy = Policy(keys=[key.public], isolate=UNLESS)
    signature = sign_file(plugin, key)
    with plugin.open("ab") as file:
        file.write(b"more")
    with pytest.raises(TrustError, match="does not have the signature"):
        isolates(plugin, policy, greeter)
    signature.write_text("no signature at all\n")
    with pytest.raises(TrustError, match="not a signature"):
        isolates(plugin, policy, greeter)


def test_signed_as_another_plugin(plugin: Path, greeter: loader.Contract, key: SecretKey) -> None:
    """A signature that was made for another name does not count for this one."""
    signature = sign_file(plugin, key)
    other = plugin.with_name("other.so")
    shutil.copy(plugin, other)
    shutil.copy(signature, other.with_name("other.so.minisig"))
    with pytest.raises(TrustError, match="its name differs"):
        isolates(other, Policy(keys=[key.public], isolate=UNLESS), greeter)


def test_folders(plugin: Path, greeter: loader.Contract, tmp_path: Path) -> None:
    """The longest folder that holds a file decides, as for all that a policy asks."""
    inner = tmp_path / "vendor"
    inner.mkdir()
    file = shutil.copy(plugin, inner)
    policy = Policy.for_folders({str(inner): Policy(isolate=True)})
    assert isolates(file, policy, greeter)
    assert not isolates(plugin, policy, greeter)
    policy = Policy.for_folders({str(inner): Policy()}, otherwise=Policy(isolate=True))
    assert not isolates(file, policy, greeter)
    assert isolates(plugin, policy, greeter)


def test_links_into_and_out_of_a_folder(plugin: Path, greeter: loader.Contract, tmp_path: Path) -> None:
    """A file that is reached through links is isolated if where it begins or where it ends asks for it."""
    vendor, mine = tmp_path / "vendor", tmp_path / "mine"
    vendor.mkdir()
    mine.mkdir()
    policy = Policy.for_folders({str(vendor): Policy(isolate=True)})
    inside = shutil.copy(plugin, vendor / "inside.so")
    (mine / "to_vendor.so").symlink_to(inside)
    (vendor / "from_vendor.so").symlink_to(plugin)
    (tmp_path / "alias").symlink_to(vendor)
    for path in (mine / "to_vendor.so", vendor / "from_vendor.so", tmp_path / "alias" / "inside.so"):
        assert isolates(path, policy, greeter), path
    assert not isolates(plugin, policy, greeter)


def test_what_a_process_requires(plugin: Path, run_python: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    """loader.trust.require(Policy(isolate=True)) holds whatever else a file is loaded with, and cannot be undone."""
    code = """
import pickle, sys
import loader
contract = loader.Contract.from_header(sys.argv[2])
before = pickle.dumps(loader.load(sys.argv[1], contract=contract))
loader.trust.require(loader.Policy(isolate=True))
loader.trust.require(loader.Policy(isolate=False))
for policy in (None, loader.Policy(), loader.Policy(quarantine="none", isolate=False)):
    print(loader.load(sys.argv[1], contract=contract, policy=policy).isolation is not None)
host = loader.Host(contract)
print(host.load(sys.argv[1], name="a").isolation is not None)
print(host.load(sys.argv[1], name="b", lazy=True).isolation is not None)
print(pickle.loads(before).isolation is not None)
print(loader.load_report(sys.argv[1], contract=contract).plugin.isolation is not None)
"""
    assert run_python(code, plugin, GREETER).stdout.split() == ["True"] * 7


def test_a_library_that_comes_along(
    build: Callable[..., Path], tmp_path: Path, greeter: loader.Contract, tool: Callable[..., str]
) -> None:
    """A plugin is isolated too if a library that it brings along lies where the policy asks for it."""
    folder = tmp_path / "lib"
    folder.mkdir()
    source = tmp_path / "beside.c"
    source.write_text("int beside(void) { return 1; }\n")
    library = folder / "libbeside.so"
    cc = tool("cc", "gcc", "clang")
    subprocess.run([cc, "-shared", "-fPIC", str(source), "-o", str(library), "-Wl,-soname,libbeside.so"], check=True)
    flags = [f"-L{folder}", "-Wl,--no-as-needed", "-lbeside", f"-Wl,-rpath,{folder}"]
    path = build("hostile.c", "BUILD=77", flags=flags)
    assert isolates(path, Policy.for_folders({str(folder): Policy(isolate=True)}), greeter)
    assert not isolates(path, Policy.for_folders({str(tmp_path / "x"): Policy(isolate=True)}), greeter)


def test_no_other_way_into_this_process(plugin: Path, greeter: loader.Contract) -> None:
    """library/ itself does not open such a file here, whoever asks."""
    image = loader.read_image(plugin)
    trusted = trust(shake_hands(image, greeter), Policy(isolate=True))
    with pytest.raises(IsolationError, match="not opened in this process"):
        open_library(trusted, owner_of(image))


def test_what_verify_says(plugin: Path, key: SecretKey) -> None:
    """It is no check that a file passes or not, and is told beside them."""
    image = loader.read_image(plugin)
    assert check_file(image, Policy(isolate=True)) == ("to be opened in a process of its own",)
    policy = Policy(keys=[key.public], isolate=UNLESS)
    assert check_file(image, policy) == ("to be opened in a process of its own",)
    sign_file(plugin, key)
    assert check_file(image, policy) == (f"signed by {key.public.name} as version 1.0.0",)


def test_may_isolate() -> None:
    """Whether a policy can ask for it at all, for who must know before files are read."""
    assert may_isolate(Policy(isolate=True))
    assert may_isolate(Policy(keys=[A], isolate=UNLESS))
    assert may_isolate(Policy.for_folders({"a": Policy(isolate=True)}))
    assert not may_isolate(Policy.for_folders({"a": Policy(permissions=True)}))


# ---- How it is written ----


@pytest.mark.parametrize(
    "arguments", [{"isolate": 1}, {"isolate": "yes"}, {"isolate": None}, {"isolate": UNLESS}, {"isolate": "unless"}]
)
def test_without_meaning(arguments: dict[str, Any]) -> None:
    """Another value, or "unless signed" without keys, is refused when the policy is made."""
    with pytest.raises(ValueError, match="isolate"):
        Policy(**arguments)


def test_a_value() -> None:
    """It is a part of the policy: compared, hashed, pickled, and kept for files elsewhere."""
    policy = Policy(keys=[A], isolate=UNLESS)
    assert policy != Policy(keys=[A])
    assert pickle.loads(pickle.dumps(policy)) == policy
    assert Policy.for_folders({"a": Policy()}, otherwise=policy).isolate == UNLESS


def test_a_policy_file(tmp_path: Path) -> None:
    """The key isolate is true, false or "unless signed", at the top and in the tables of folders."""
    path = tmp_path / "loader.toml"
    path.write_text(
        f'[policy]\nisolate = true\n[policy.folders.vendor]\nkeys = ["{A}"]\nisolate = "unless signed"\n'
        "[policy.folders.mine]\nisolate = false\n"
    )
    policy = Policy.from_file(path)
    assert policy.isolate is True
    rules = {folder.rpartition("/")[2]: rule for folder, rule in policy.folders}
    assert rules == {"vendor": Policy(keys=[A], isolate=UNLESS), "mine": Policy()}


@pytest.mark.parametrize(
    "text",
    [
        "isolate = 1",
        'isolate = "true"',
        'isolate = "unless signed"',
        "isolate = []",
        "isolated = true",
        f'keys = ["{A}"]\nisolate = "if unsigned"',
        'isolate = "unless signed"\n[policy.folders.x]\npermissions = true',
    ],
)
def test_a_policy_file_without_meaning(tmp_path: Path, text: str) -> None:
    """Anything else is refused: it may be a rule with a typing error."""
    path = tmp_path / "loader.toml"
    path.write_text(f"[policy]\n{text}\n")
    with pytest.raises(TrustError, match=r"loader\.toml: is not a policy.*isolate"):
        Policy.from_file(path)


# ---- Tightening ----

#: What may become of a file: signed by A, by B, and by nobody. Each policy's rank for each: here, isolated, refused.
HERE, AWAY, NOWHERE = range(3)
RANKS: dict[Policy, tuple[int, int, int]] = {
    Policy(): (HERE, HERE, HERE),
    Policy(isolate=True): (AWAY, AWAY, AWAY),
    Policy(keys=[A]): (HERE, NOWHERE, NOWHERE),
    Policy(keys=[A, B]): (HERE, HERE, NOWHERE),
    Policy(keys=[A], isolate=UNLESS): (HERE, AWAY, AWAY),
    Policy(keys=[A, B], isolate=UNLESS): (HERE, HERE, AWAY),
    Policy(keys=[A], isolate=True): (AWAY, NOWHERE, NOWHERE),
    Policy(keys=[A, B], isolate=True): (AWAY, AWAY, NOWHERE),
}


@pytest.mark.parametrize(("old", "new"), list(itertools.product(RANKS, RANKS)))
def test_every_step(old: Policy, new: Policy) -> None:
    """A policy may take another's place if no file comes off better by it: of all pairs, exactly these."""
    assert new.at_least(old) == all(mine <= theirs for mine, theirs in zip(RANKS[old], RANKS[new], strict=True))


def test_for_all_folders() -> None:
    """Tightened, all folders are isolated too; "unless signed" leaves those alone that are as strict already."""
    folders = {"a": Policy(), "b": Policy(keys=[B]), "c": Policy(isolate=True)}
    policy = Policy.for_folders(folders)
    assert [rule.isolate for _, rule in policy.tightened(isolate=True).folders] == [True] * 3
    found = policy.tightened(keys=[A], isolate=UNLESS)
    assert found.isolate == UNLESS
    assert [rule.isolate for _, rule in found.folders] == [UNLESS, False, True]
    with pytest.raises(TrustError, match="tightened, not loosened"):
        policy.tightened(isolate=True).tightened(isolate=False)


def test_a_hosts_policy(greeter: loader.Contract) -> None:
    """A host's policy is not replaced by one that isolates less."""
    host = loader.Host(greeter, policy=Policy(isolate=True))
    with pytest.raises(TrustError, match="isolate = False"):
        host.policy = Policy()
