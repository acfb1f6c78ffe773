"""Plugins compiled to native code: checked before they run, loaded into this process, called at native speed.

    greeter = loader.Contract.from_header("greeter.h")
    hello = loader.load("hello.so", contract=greeter)
    hello.greet("World")
"""

from loader._core._call import Record
from loader.contract import Contract
from loader.errors import (
    CallCancelled,
    ContractError,
    DeadlineExceeded,
    ForkError,
    HandshakeError,
    ImageError,
    LibraryError,
    LoaderError,
    PluginError,
    PluginNotFound,
    RegistryError,
    ServiceError,
    TextError,
    TrustError,
)
from loader.host import Host
from loader.image import Image, read_image
from loader.limits import CancelToken, deadline
from loader.load import Found, discover, load
from loader.plugin import Plugin
from loader.registry import Registry
from loader.trust import Policy

__version__ = "0.1.0"

__all__ = [
    "CallCancelled",
    "CancelToken",
    "Contract",
    "ContractError",
    "DeadlineExceeded",
    "ForkError",
    "Found",
    "HandshakeError",
    "Host",
    "Image",
    "ImageError",
    "LibraryError",
    "LoaderError",
    "Plugin",
    "PluginError",
    "PluginNotFound",
    "Policy",
    "Record",
    "Registry",
    "RegistryError",
    "ServiceError",
    "TextError",
    "TrustError",
    "deadline",
    "discover",
    "load",
    "read_image",
]
