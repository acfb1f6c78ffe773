"""loader/trust/trust.py: the stage of loading where a policy decides."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

import loader
from loader.trust import Policy, TrustedImage, trust
from loader.trust.handshake import shake_hands

Build = Callable[..., Path]


def test_default_policy_allows_what_the_user_names(hello: Path, greeter: loader.Contract) -> None:
    """Policy() allows every candidate, and says on what grounds."""
    candidate = shake_hands(loader.read_image(hello), greeter)
    trusted = trust(candidate, Policy())
    assert trusted == TrustedImage(candidate, Policy(), ("named by the user",))
    assert trusted.candidate is candidate


def test_trusted_image_is_frozen(hello: Path, greeter: loader.Contract) -> None:
    """What was trusted cannot be exchanged for something else afterwards."""
    trusted = trust(shake_hands(loader.read_image(hello), greeter), Policy())
    with pytest.raises(dataclasses.FrozenInstanceError):
        trusted.candidate = None  # type: ignore[misc, assignment]
    with pytest.raises(AttributeError):
        trusted.candidate.image.file.data = b""  # type: ignore[misc]


def test_policy_is_a_value() -> None:
    """Policies compare and hash by what they ask for, so that they can be shared and remembered."""
    assert Policy() == Policy()
    assert hash(Policy()) == hash(Policy())


def test_trust_comes_before_any_code_runs(build: Build, greeter: loader.Contract, sentinel: Path) -> None:
    """Deciding about a file runs nothing of it."""
    trust(shake_hands(loader.read_image(build("hostile.c", "BUILD=1002")), greeter), Policy())
    assert not sentinel.exists()


def test_host_hands_its_policy_on(hello: Path, greeter: loader.Contract) -> None:
    """Host and load take a policy; it is the one that they were given."""
    policy = Policy()
    host = loader.Host(greeter, policy=policy)
    assert host.policy is policy
    assert host.load(hello).greet("you") == "Hello, you!"
    assert loader.load(hello, contract=greeter, policy=policy).greet("you") == "Hello, you!"
