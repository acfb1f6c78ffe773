"""loader/trust/policy.py and policy_file.py: what a policy asks, how it is written, that it cannot be loosened."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tree import CORPUS, GREETER

import loader
from loader.errors import TrustError
from loader.trust import Policy, trust
from loader.trust.handshake import shake_hands
from loader.trust.signature import PublicKey

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterable

A, B = (PublicKey(bytes([number]) * 8, bytes([number]) * 32) for number in (1, 2))


def test_policies_are_values() -> None:
    """Policies that ask for the same are equal, whichever way they were written."""
    assert Policy(keys=[str(A), A]) == Policy(keys=(A,))
    assert hash(Policy(keys=[str(A)])) == hash(Policy(keys=(A,)))
    assert Policy(lock="x").lock == str(Path("x").absolute())
    assert Policy.for_folders({"b": Policy(), "a": Policy()}) == Policy.for_folders({"a": Policy(), "b": Policy()})


@pytest.mark.parametrize(
    "arguments",
    [
        {"permissions": 1},
        {"unlocked": "maybe"},
        {"keys": "RWQ"},
        {"lock": ""},
        {"quarantine": ""},
        {"quarantine": ["x", ""]},
        {"folders": [("", Policy())]},
        {"folders": [("a", Policy()), ("a", Policy())]},
        {"folders": [("a", Policy.for_folders({"b": Policy()}))]},
    ],
)
def test_policy_without_meaning(arguments: dict[str, object]) -> None:
    """What has no meaning is refused when the policy is made."""
    with pytest.raises(ValueError, match=r"."):
        Policy(**arguments)  # type: ignore[arg-type]


EMPTY: list[Callable[[], Iterable[object]]] = [list, tuple, set, dict, lambda: iter(())]


@pytest.mark.parametrize("empty", EMPTY)
@pytest.mark.parametrize("name", ["keys", "quarantine", "folders"])
def test_an_empty_list_is_refused(name: str, empty: Callable[[], Iterable[object]]) -> None:
    """A list of keys that is empty by mistake does not let everything run: it is refused where it is given."""
    text = f"^{name} is empty, which would ask for nothing: give at least one .* or leave {name} out"
    with pytest.raises(ValueError, match=text):
        Policy(**{name: empty()})  # type: ignore[arg-type]
    for policy in (Policy(permissions=True), Policy(folders=[("p", Policy())])):
        with pytest.raises(ValueError, match=text):
            policy.tightened(**{name: empty()})
        with pytest.raises(ValueError, match=text):
            dataclasses.replace(policy, **{name: empty()})
    with pytest.raises(ValueError, match="folders is empty"):
        Policy.for_folders({})
    assert Policy.for_folders({}, otherwise=Policy(permissions=True)) == Policy(permissions=True)


def test_what_is_left_out_stays_so() -> None:
    """A policy that asks for no keys can be copied, pickled, changed and tightened."""
    policy = Policy(permissions=True)
    for same in (copy.deepcopy(policy), pickle.loads(pickle.dumps(policy)), dataclasses.replace(policy)):
        assert same == policy
        assert hash(same) == hash(policy)
        assert same.tightened(keys=[A]) == dataclasses.replace(same, keys=[A]) == Policy(permissions=True, keys=[A])
    assert policy.keys == policy.quarantine == policy.folders == ()


@pytest.mark.parametrize(
    ("key", "found"),
    [
        ("nosuch.pub", "the name of a file, 'nosuch.pub', which does not exist"),
        ("there.pub", "the name of a file, 'there.pub'"),
        ("there", "the name of a file, 'there'"),
        (Path("there.pub"), "the name of a file, 'there.pub'"),
        ("RWQtoo-short", "'RWQtoo-short'"),
        (None, "NoneType None"),
        (b"RWQ", "bytes b'RWQ'"),
    ],
)
def test_the_error_of_a_key_says_which(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: object, found: str
) -> None:
    """It names parameter and place, what was given, what is expected and, of a file's name, how it is read."""
    monkeypatch.chdir(tmp_path)
    for name in ("there.pub", "there"):
        (tmp_path / name).write_text(A.to_file())
    with pytest.raises(TrustError) as caught:
        Policy(keys=[A, key])  # type: ignore[list-item]
    assert caught.value.what == "keys[1] of the policy is not a public key"
    assert caught.value.found == found
    assert caught.value.expected
    assert caught.value.cure
    assert ("PublicKey.read" in caught.value.cure) == ("name of a file" in found)


def test_the_error_of_a_policy_files_key_says_which(tmp_path: Path) -> None:
    """It names the key's file, the table and the policy's file, and how to mend it."""
    path = tmp_path / "loader.toml"
    path.write_text('[policy.folders.x]\nkeys = ["nosuch.pub"]\n')
    with pytest.raises(TrustError) as caught:
        Policy.from_file(path)
    assert caught.value.path == str(tmp_path / "nosuch.pub")
    assert str(path) in str(caught.value)
    assert "keys in [policy" in str(caught.value)
    assert caught.value.cure
    path.write_text('[policy]\nkeys = ["RWQ"]\n')
    with pytest.raises(TrustError, match=r"loader\.toml: is not a public key.*'RWQ'") as caught:
        Policy.from_file(path)


def test_key_that_is_none() -> None:
    """A malformed key is refused when the policy is made, not when the first plugin is loaded."""
    with pytest.raises(TrustError, match="is not a public key"):
        Policy(keys=["RWQtoo-short"])


# ---- Tightening --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "changes"),
    [
        (Policy(), {"permissions": True}),
        (Policy(), {"lock": "loader.lock", "keys": [A, B]}),
        (Policy(lock="l", unlocked="allow"), {"unlocked": "refuse"}),
        (Policy(keys=[A, B]), {"keys": [B]}),
        (Policy(permissions=True), {"permissions": True}),
        (Policy(), {"folders": [("plugins", Policy(permissions=True))]}),
        (Policy(quarantine="a"), {"quarantine": "b"}),
        (Policy.for_folders({"p": Policy(quarantine="a")}), {"quarantine": ["b", "c"]}),
        (Policy.for_folders({"p": Policy(keys=[A])}), {"keys": [B], "permissions": True}),
    ],
)
def test_tightened(policy: Policy, changes: dict[str, object]) -> None:
    """A stricter policy can be had from any, and is at least as strict."""
    stricter = policy.tightened(**changes)
    assert stricter.at_least(policy)
    for rule in (stricter, *(rule for _, rule in stricter.folders)):
        assert rule.permissions >= bool(changes.get("permissions"))


@pytest.mark.parametrize(
    ("policy", "changes"),
    [
        (Policy(permissions=True), {"permissions": False}),
        (Policy(lock="a"), {"lock": None}),
        (Policy(lock="a"), {"lock": "b"}),
        (Policy(lock="a"), {"unlocked": "allow"}),
        (Policy(keys=[A]), {"keys": []}),
        (Policy(keys=[A]), {"keys": [A, B]}),
        (Policy(permissions=True), {"folders": [("plugins", Policy())]}),
        (Policy.for_folders({"p": Policy(permissions=True)}), {"folders": [("p/dev", Policy())]}),
        (Policy.for_folders({"p": Policy(permissions=True)}), {"folders": [("p", Policy())]}),
    ],
)
def test_loosening_is_refused(policy: Policy, changes: dict[str, object]) -> None:
    """Asking for less than before is an error that says what would be lost."""
    with pytest.raises(TrustError, match="can be tightened, not loosened"):
        policy.tightened(**changes)


def test_unknown_change() -> None:
    """A typing error does not pass for a rule."""
    with pytest.raises(TypeError, match="permission"):
        Policy().tightened(permission=True)


_rules = st.builds(
    Policy,
    permissions=st.booleans(),
    lock=st.sampled_from([None, "a", "b"]),
    unlocked=st.sampled_from(["refuse", "allow"]),
    keys=st.sampled_from([Policy().keys, (A,), (B,), (A, B)]),
    quarantine=st.sampled_from([Policy().quarantine, ("x",), ("y", "x")]),
)
_policies = st.builds(
    Policy.for_folders, st.dictionaries(st.sampled_from(["p", "p/q", "r"]), _rules), otherwise=_rules
)


@given(_policies, _policies, _policies)
def test_at_least_is_an_order(a: Policy, b: Policy, c: Policy) -> None:
    """Every policy is as strict as itself and as Policy(), and strictness is transitive."""
    assert a.at_least(a)
    assert a.at_least(Policy())
    if a.at_least(b) and b.at_least(c):
        assert a.at_least(c)


@given(_policies, _rules)
def test_tightened_is_stricter_or_refused(policy: Policy, rule: Policy) -> None:
    """Whatever is asked for, the answer is at least as strict or an error."""
    changes = {
        "permissions": rule.permissions,
        "lock": rule.lock,
        "unlocked": rule.unlocked,
        "keys": rule.keys,
        "quarantine": rule.quarantine,
    }
    try:
        stricter = policy.tightened(**changes)
    except TrustError:
        return
    assert stricter.at_least(policy)


def test_host_can_only_be_tightened(greeter: loader.Contract) -> None:
    """A host's policy can be exchanged for a stricter one and for no other."""
    host = loader.Host(greeter, policy=Policy())
    host.policy = host.policy.tightened(permissions=True)
    with pytest.raises(TrustError, match="not loosened"):
        host.policy = Policy()
    assert host.policy == Policy(permissions=True)


def test_require(run_python: Callable[..., subprocess.CompletedProcess[str]], hello: Path) -> None:
    """What a process requires holds for every load, whichever policy it names, and cannot be taken back."""
    done = run_python(
        """
import sys, loader, loader.trust
greeter = loader.Contract.from_header(sys.argv[2])
print(loader.load(sys.argv[1], contract=greeter).greet("a"))
loader.trust.require(loader.Policy(lock="/nowhere/loader.lock"))
loader.trust.require(loader.Policy())
assert len(loader.trust.minimum()) == 2
import pickle
for load in (loader.load, loader.Host(greeter).load):
    try:
        load(sys.argv[1], **({"contract": greeter} if load is loader.load else {}))
    except loader.TrustError as error:
        print(error)
""",
        hello,
        GREETER,
    )
    assert done.stdout.splitlines()[0] == "Hello, a!"
    assert done.stdout.count("/nowhere/loader.lock: cannot be read as a lock file") == 2


# ---- Folders -----------------------------------------------------------------------------------------------


@pytest.fixture
def judge(greeter: loader.Contract) -> Callable[[Path, Policy], bool]:
    """Whether a policy lets a file run."""

    def judge(path: Path, policy: Policy) -> bool:
        try:
            trust(shake_hands(loader.read_image(path), greeter), policy)
        except TrustError:
            return False
        return True

    return judge


def test_longest_folder_decides(judge: Callable[[Path, Policy], bool], hello: Path, tmp_path: Path) -> None:
    """The longest folder that holds the file decides alone; a folder is not the beginning of its name."""
    refuse = Policy(keys=[A])
    for folder in ("a/b/c", "ab"):
        (tmp_path / folder).mkdir(parents=True)
    paths = [shutil.copy(hello, tmp_path / folder) for folder in (".", "a", "a/b", "a/b/c", "ab")]
    policy = Policy.for_folders({tmp_path / "a": refuse, tmp_path / "a" / "b": Policy()})
    assert [judge(Path(path), policy) for path in paths] == [True, False, True, True, True]
    policy = Policy.for_folders({tmp_path / "a": Policy(), "/": refuse}, otherwise=Policy())
    assert [judge(Path(path), policy) for path in paths] == [False, True, True, True, False]


def test_links_between_folders(judge: Callable[[Path, Policy], bool], hello: Path, tmp_path: Path) -> None:
    """A link does not carry a file out of a strict folder, nor into a loose one."""
    for folder in ("strict", "loose"):
        (tmp_path / folder).mkdir()
        shutil.copy(hello, tmp_path / folder / "own.so")
    (tmp_path / "strict" / "out.so").symlink_to("../loose/own.so")
    (tmp_path / "loose" / "in.so").symlink_to("../strict/own.so")
    (tmp_path / "other").symlink_to("strict")
    policy = Policy.for_folders({tmp_path / "strict": Policy(keys=[A])})
    assert judge(tmp_path / "loose" / "own.so", policy)
    for path in ("strict/own.so", "strict/out.so", "loose/in.so", "other/own.so"):
        assert not judge(tmp_path / path, policy)


def test_rule_for_a_linked_folder(judge: Callable[[Path, Policy], bool], hello: Path, tmp_path: Path) -> None:
    """A rule for a link to a folder is a rule for the folder."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    shutil.copy(hello, tmp_path / "real" / "own.so")
    policy = Policy.for_folders({tmp_path / "link": Policy(keys=[A])})
    assert not judge(tmp_path / "real" / "own.so", policy)
    assert not judge(tmp_path / "link" / "own.so", policy)


# ---- Files -------------------------------------------------------------------------------------------------


def test_from_pyproject(tmp_path: Path) -> None:
    """A policy is read from an application's pyproject.toml; paths begin at that file."""
    (tmp_path / "release.pub").write_text(A.to_file())
    path = tmp_path / "pyproject.toml"
    path.write_text(
        f"""
[tool.other]
x = 1
[tool.loader.policy]
permissions = true
lock = "loader.lock"
unlocked = "allow"
keys = ["release.pub", "{B}"]
quarantine = "app.crashes"
[tool.loader.policy.folders."plugins/vendor"]
keys = ["{B}"]
quarantine = ["one", "/two"]
[tool.loader.policy.folders.dev]
"""
    )
    assert Policy.from_file(path) == Policy(
        permissions=True,
        lock=tmp_path / "loader.lock",
        unlocked="allow",
        keys=[A, B],
        quarantine=tmp_path / "app.crashes",
        folders=[
            (str(tmp_path / "plugins/vendor"), Policy(keys=[B], quarantine=[tmp_path / "one", "/two"])),
            (str(tmp_path / "dev"), Policy()),
        ],
    )


def test_from_loader_toml(tmp_path: Path) -> None:
    """In any other file the table is [policy]; an empty one asks for nothing."""
    path = tmp_path / "loader.toml"
    path.write_text("[policy]\n")
    assert Policy.from_file(path) == Policy()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "no table [policy]"),
        ("policy = 1", "no table [policy]"),
        ("[tool.loader.policy]\npermissions = true", "no table [policy]"),
        ("[policy]\npermission = true", "the key permission in [policy]"),
        ("[policy]\npermissions = 1", "permissions = 1"),
        ("[policy]\npermissions = 'yes'", "permissions = 'yes'"),
        ("[policy]\nlock = true", "lock = True"),
        ("[policy]\nlock = ''", "lock = ''"),
        ("[policy]\nunlocked = 'allow'", "unlocked = 'allow'"),
        ("[policy]\nlock = 'l'\nunlocked = 'never'", "unlocked = 'never'"),
        ("[policy]\nkeys = []", "keys = []"),
        ("[policy]\nkeys = 'RWQ'", "keys = 'RWQ'"),
        ("[policy]\nkeys = ['RWQ']", "'RWQ'"),
        ("[policy]\nkeys = ['none.pub']", "No such file"),
        ("[policy]\nquarantine = true", "quarantine = True"),
        ("[policy]\nquarantine = []", "quarantine = []"),
        ("[policy]\nquarantine = ['']", "quarantine = ''"),
        ("[policy]\nfolders = 1", "folders = 1"),
        ("[policy.folders]\na = 1", "folders.a = 1"),
        ("[policy.folders.a]\nlocked = true", "the key locked in [policy.folders.a]"),
        ("[policy.folders.a.folders.b]", "the key folders in [policy.folders.a]"),
        ("[policy.folders.a]\n[policy.folders.'a/']", "one table for each folder"),
        ("[policy", "is not valid TOML"),
        ("[policy]\nlock = '\udcff'", "is not valid TOML"),
    ],
)
def test_refused_file(tmp_path: Path, text: str, found: str) -> None:
    """What is not understood is refused, with the place: it may be a rule with a typing error."""
    path = tmp_path / "loader.toml"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(TrustError) as caught:
        Policy.from_file(path)
    assert found in str(caught.value)


def test_missing_file(tmp_path: Path) -> None:
    """A policy that is not there is an error, not an empty policy."""
    with pytest.raises(TrustError, match="No such file"):
        Policy.from_file(tmp_path / "loader.toml")


# ---- Reports -----------------------------------------------------------------------------------------------


def test_load_report(hello: Path, greeter: loader.Contract) -> None:
    """A report has the stages of loading in order, what held, and the plugin."""
    report = loader.load_report(hello, contract=greeter)
    assert [stage.name for stage in report.stages] == ["image", "handshake", "trust", "library", "plugin"]
    assert report.error is None
    assert report.plugin is not None
    assert report.plugin.greet("you") == "Hello, you!"
    assert report.stages[2].checks == ("named by the user",)
    assert f"SHA-256 {report.plugin.digest}" in report.stages[0].checks
    assert all(stage.seconds >= 0 for stage in report.stages)
    assert json.loads(json.dumps(report.to_dict()))["loaded"] is True
    assert "trust" in str(report)


def test_load_report_of_a_refused_file(hello: Path, greeter: loader.Contract, tmp_path: Path) -> None:
    """A refused file ends the report at the stage that refused it; nothing is raised."""
    report = loader.load_report(hello, contract=greeter, policy=Policy(keys=[A]))
    assert [stage.name for stage in report.stages] == ["image", "handshake", "trust"]
    assert isinstance(report.error, TrustError)
    assert report.plugin is None
    assert report.to_dict()["error"] == "TrustError"
    missing = loader.load_report(tmp_path / "no.so", contract=greeter)
    assert [stage.name for stage in missing.stages] == ["image"]
    assert isinstance(missing.error, loader.PluginNotFound)


# ---- Folders are what they lead to ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["link", "chain", "strict/../link", "strict/sub", "link/.", "up/../../sub", "up/..", "elsewhere/later"]
)
def test_link_loosens_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A folder inside a strict one gets no looser policy, by whatever name it is called."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "strict" / "sub" / "below").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to("strict/sub")
    (tmp_path / "chain").symlink_to("elsewhere/../link")
    (tmp_path / "up").symlink_to("strict/sub/below")
    (tmp_path / "elsewhere" / "later").symlink_to("../chain")
    old = Policy(folders=[("strict", Policy(permissions=True, lock="loader.lock"))])
    with pytest.raises(TrustError, match="can be tightened, not loosened"):
        old.tightened(folders=[(name, Policy())])
    assert not Policy(folders=[*old.folders, (name, Policy())]).at_least(old)
    assert old.tightened(folders=[(name, Policy(permissions=True, lock="loader.lock", keys=[A]))]).at_least(old)


def test_link_that_is_made_later(tmp_path: Path) -> None:
    """A link that comes after the policy adds a rule to those of the place where it leads, and takes none away."""
    (tmp_path / "strict").mkdir()
    rules = {str(tmp_path / "strict"): Policy(permissions=True), str(tmp_path / "later"): Policy(lock="x.lock")}
    policy = Policy.for_folders(rules)
    path = tmp_path / "strict" / "x.so"
    path.write_bytes((CORPUS / "elf64").read_bytes())
    assert policy.rules_for(loader.read_image(path)) == (Policy(permissions=True),)
    (tmp_path / "later").symlink_to("strict")
    both = {Policy(permissions=True), Policy(lock="x.lock")}
    assert set(policy.rules_for(loader.read_image(path))) == both
    assert set(policy.rules_for(loader.read_image(tmp_path / "later" / "x.so"))) == both


def test_two_names_of_a_folder(tmp_path: Path) -> None:
    """One folder has one policy: a second name for it is refused when the policy is made."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    with pytest.raises(ValueError, match="each folder, whatever it is called"):
        Policy(folders=[(tmp_path / "real", Policy()), (tmp_path / "link", Policy(permissions=True))])
