"""confine(): what holds, what is said to be missing, and that no forbidden act is done in any place."""

from __future__ import annotations

import os
import signal
import socket
import statistics
import subprocess

import pytest
from confining import ALL, PARTS, Confined

#: What does not succeed in a process that is not confined either, on this or that machine: no proof of confinement.
MODULES = {"kexec_load", "init_module", "finit_module", "delete_module", "iopl", "ioperm"}
#: Not by root without confinement: the kernel itself refuses timer_to_host always, the others for their arguments.
NEVER = MODULES | {"timer_to_host", "prctl_mm"}


#: More memory than the acts that take 256 MB may have.
LIMITS = ("--memory", str(128 << 20), "--size", str(256 << 20), "--files", "64")


def test_all_holds(confined: Confined) -> None:
    """On a kernel that has all of it, every part is engaged, and nothing is said to be missing."""
    outcome = confined.run("--memory", "1000000", "--files", "20")
    assert set(outcome.report["engaged"]) == set(PARTS), outcome.errors
    assert not outcome.report["missing"]
    assert not outcome.report["why"]


def test_no_forbidden_act_is_done(confined: Confined, listeners: dict[str, str]) -> None:
    """Neither in the constructor, nor when called, nor in a thread of the constructor or of later."""
    acts = confined.all_acts(listeners)
    before = {path.name: path.lstat() for path in confined.folder.iterdir()}
    outcome = confined.run(*LIMITS, load=acts, acts=acts)
    assert len(outcome.acts) > 190
    assert all(set(places.values()) == {0} and len(places) == 4 for places in outcome.acts.values()), outcome.done()
    after = {path.name: path.lstat() for path in confined.folder.iterdir()}
    changed = [name for name in before if before[name].st_mtime_ns != after[name].st_mtime_ns]
    assert before.keys() == after.keys()
    assert not changed


def test_the_acts_can_be_done(confined: Confined, listeners: dict[str, str]) -> None:
    """Without confinement root gets them all done but for a few: so the test above can fail."""
    if os.geteuid() != 0 or confined.user == "nobody":
        pytest.skip("others than root may not do many of them anyway")
    acts = confined.all_acts(listeners)
    outcome = confined.run(*LIMITS, load=acts, without=ALL)
    left = {name.partition(":")[0] for name, done in outcome.report["loaded"].items() if done != 1}
    assert left <= NEVER, left - NEVER


def test_no_part_stands_alone(confined: Confined, listeners: dict[str, str]) -> None:
    """With seccomp missing, other parts still keep files, the host's memory, signals, sockets and limits."""
    wanted = {
        *("read_file", "read_passwd", "self_root", "write_file", "make_file", "remove_file", "hard_link"),
        *("lock_file", "trace_host", "read_host", "write_host", "host_memory", "host_environment"),
        *("host_descriptors", "signal_host", "signal_init", "tgkill_host", "queue_host", "run_program", "shell"),
        *("connect_unix", "send_by_pair", "connect_tcp", "listen_tcp", "socket_raw", "take_heap", "take_page_tables"),
        *(
            "spawn_program",
            "send_udp",
            "fsopen",
            "reboot",
            "sethostname",
            "settimeofday",
            "setgroups",
            "swapon",
            "syslog",
        ),
    }
    acts = [act for act in confined.all_acts(listeners) if act.partition(":")[0] in wanted]
    assert len(acts) == len(wanted)
    outcome = confined.run(*LIMITS, load=acts, acts=acts, without=PARTS["seccomp"] | PARTS["network"])
    assert not outcome.done()


def test_seccomp_alone(confined: Confined, listeners: dict[str, str]) -> None:
    """A kernel without Landlock and namespaces still keeps the host, its processes and all that is not reading."""
    reading = {"host_environment", "host_command", "host_maps", "host_descriptors", "host_descriptor", "host_root"}
    reading |= {"read_file", "read_passwd", "read_shadow", "climb", "self_root", "self_cwd", "thread_root"}
    reading |= {"list_folder", "reopen_path", "through_folder", "open_library"}
    others = {"environment", "environment_left"}
    acts = [act for act in confined.all_acts(listeners) if act.partition(":")[0] not in reading | others]
    only = PARTS["seccomp"] | PARTS["rlimits"] | PARTS["no_new_privs"]
    outcome = confined.run(*LIMITS, load=acts, acts=acts, without=ALL & ~only)
    assert not outcome.done()


@pytest.mark.parametrize("act", ["old_call", "x32_call"])
def test_other_numberings_end_the_process(confined: Confined, act: str) -> None:
    """System calls by the numbers of i386 or x32, which a filter of x86-64 numbers would mistake, are the end."""
    if act not in confined.names():
        pytest.skip("this architecture has one numbering")
    outcome = confined.run(acts=[act])
    assert outcome.code in (128 + signal.SIGSYS, -signal.SIGSYS), outcome.errors
    unconfined = confined.run(acts=[act], without=ALL)
    assert unconfined.code == 0 or unconfined.code == 128 + signal.SIGSEGV  # a kernel without them


def test_a_process_with_threads_is_refused(confined: Confined) -> None:
    """Landlock and seccomp would hold for the calling thread only, also where unshare cannot tell."""
    for lacks in ([], ["--lacks", str(UNSHARE)]):
        outcome = confined.run(*lacks, "--early-thread")
        assert outcome.code == 1
        assert "Device or resource busy" in outcome.errors


#: By name, on this architecture: x86-64's and aarch64's differ.
UNSHARE, CAPSET, SECCOMP = (272, 126, 317) if os.uname().machine == "x86_64" else (97, 91, 277)


@pytest.mark.parametrize(
    ("call", "part", "why"),
    [
        (444, "landlock", "this kernel has no Landlock: Operation not permitted"),
        (446, "landlock", "landlock_restrict_self: Operation not permitted"),
        (SECCOMP, "seccomp", "seccomp: Operation not permitted"),
        (UNSHARE, "namespaces", "user namespace: Operation not permitted"),
        (CAPSET, "capabilities", "capset: Operation not permitted"),
    ],
)
def test_what_a_kernel_lacks_is_told(confined: Confined, call: int, part: str, why: str) -> None:
    """A part that the kernel, or a container, refuses is missing, with the reason; the others hold."""
    outcome = confined.run("--lacks", str(call))
    assert outcome.report["missing"] == [part], outcome.errors
    assert outcome.report["why"] == {part: why}
    assert set(outcome.report["engaged"]) == set(PARTS) - {part}


def test_what_is_left_out_is_neither_engaged_nor_missing(confined: Confined) -> None:
    """Leaving a part out on purpose is not a lack."""
    outcome = confined.run(without=PARTS["namespaces"] | PARTS["landlock"])
    assert set(outcome.report["engaged"]) == set(PARTS) - {"namespaces", "landlock"}
    assert not outcome.report["missing"]


def test_a_kernel_without_close_range(confined: Confined) -> None:
    """Before Linux 5.9, descriptors are closed one by one."""
    with open(os.devnull) as inherited:
        high = os.dup2(inherited.fileno(), 300, inheritable=True)
        try:
            for lacks in ([], ["--lacks", "436"]):
                command = confined.command(*lacks, library=confined.acts, acts=["inherited"])
                done = subprocess.run(command, pass_fds=[high], capture_output=True, text=True, check=True)
                assert '"inherited": [0, 0, 0]' in done.stdout
                assert '"descriptors"' in done.stdout.partition("missing")[0]
            command = confined.command("--without", str(ALL), library=confined.acts, acts=["inherited"])
            done = subprocess.run(command, pass_fds=[high], capture_output=True, text=True, check=True)
            assert '"inherited": [1, 1, 1]' in done.stdout
        finally:
            os.close(high)


def test_a_kept_datagram_socket_is_told(confined: Confined) -> None:
    """A unix socket for datagrams that the host lends reaches all others; one for a stream does not."""
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM, socket.SOCK_SEQPACKET):
        ours, theirs = socket.socketpair(socket.AF_UNIX, kind)
        with ours, theirs:
            theirs.set_inheritable(True)
            missing = confined.run(keep=[theirs.fileno()]).report["missing"]
        assert missing == (["descriptors"] if kind == socket.SOCK_DGRAM else [])


def test_sockets_that_are_asked_for(confined: Confined, listeners: dict[str, str]) -> None:
    """With network, TCP and UDP work; unix sockets, which lead to other programs, and all others do not."""
    allowed = ["socket_tcp", "socket_udp", "socket_tcp6", "listen_tcp", f"connect_tcp:{listeners['connect_tcp']}"]
    allowed += [f"send_udp:{listeners['send_udp']}"]
    refused = ["socket_unix", "socket_netlink", "socket_packet", "socket_raw", "socket_any"]
    refused += [f"{name}:{listeners[name]}" for name in ("connect_unix", "send_by_pair")]
    outcome = confined.run("--network", acts=allowed + refused)
    assert outcome.done() == set(allowed)
    assert all(set(outcome.acts[name].values()) == {1} for name in allowed)
    assert "network" not in outcome.report["engaged"] + outcome.report["missing"]


def test_it_is_soon_done(confined: Confined) -> None:
    """All of it takes about a millisecond, half of that for the network namespace; -s prints it."""
    names = {"all": 0, "without namespaces": PARTS["namespaces"], "without seccomp": PARTS["seccomp"]}
    times: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(15):
        for name, without in names.items():
            times[name].append(confined.run("--memory", "1000000", without=without).report["microseconds"])
    print("confine(), µs:", {name: round(statistics.median(each)) for name, each in times.items()})
    assert statistics.median(times["all"]) < 10_000
