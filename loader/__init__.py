"""Plugins compiled to native code: checked before they run, loaded into this process, called at native speed.

    greeter = loader.Contract.from_header("greeter.h")
    hello = loader.load("hello.so", contract=greeter)
    hello.greet("World")

Names are imported when they are first used (PEP 562), so that a program that has plugins but does not load
any pays nothing.
"""

import sys

if sys.version_info < (3, 10):  # noqa: UP036 - no installer was asked by who imports from a checkout
    raise ImportError("loader needs Python 3.10 or newer; this is {}.{}".format(*sys.version_info), name="loader")

import loader.lock  # isort: skip  # noqa: F401 - before all others: from here on a fork waits for imports

import os
from _imp import extension_suffixes
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from loader._core._call import Record
    from loader.author.sdk import include_dir
    from loader.contract import Contract
    from loader.errors import (
        CallCancelled,
        ContractError,
        ContractNotFound,
        DeadlineExceeded,
        ForkError,
        HandshakeError,
        ImageError,
        InstanceError,
        IsolationError,
        LibraryError,
        LoaderError,
        PluginCrashed,
        PluginError,
        PluginNotFound,
        RegistryError,
        ReloadError,
        ServiceError,
        TextError,
        TrustError,
    )
    from loader.host import Host
    from loader.image import Image, read_image
    from loader.isolation.settings import Isolation
    from loader.isolation.shared import shared
    from loader.limits import CancelToken, deadline
    from loader.load import Found, discover, load
    from loader.observe.report import LoadReport, load_report
    from loader.observe.survey import SurveyRow
    from loader.plugin import Plugin
    from loader.registry import Registry
    from loader.trust import Policy
    from loader.watch import Watch

__version__ = "0.1.0"


def _check_built() -> None:
    """Raises ImportError in a checkout that is not built, which the current folder can put before the package that
    is installed.
    """
    folder = os.path.dirname(os.path.abspath(__file__))
    native = os.path.join(folder, "_core", "_call")
    if any(os.path.exists(native + suffix) for suffix in extension_suffixes()):
        return
    checkout = os.path.dirname(folder)
    if os.path.exists(os.path.join(checkout, "setup.py")):  # elsewhere it may be where only importers know
        version = "{}.{}".format(*sys.version_info)
        elsewhere = " or with -P" if sys.version_info >= (3, 11) else ""
        raise ImportError(
            f"loader is not built in the checkout {checkout} for this Python {version}. To use the installed one, "
            f"start Python in another folder{elsewhere}; to work on this one: pip install -e .",
            name="loader",
            path=folder,
        )


_check_built()

_WHERE = {
    "loader._core._call": ("Record",),
    "loader.contract": ("Contract",),
    "loader.errors": (
        "CallCancelled",
        "ContractError",
        "ContractNotFound",
        "DeadlineExceeded",
        "ForkError",
        "HandshakeError",
        "ImageError",
        "InstanceError",
        "IsolationError",
        "LibraryError",
        "LoaderError",
        "PluginCrashed",
        "PluginError",
        "PluginNotFound",
        "RegistryError",
        "ReloadError",
        "ServiceError",
        "TextError",
        "TrustError",
    ),
    "loader.host": ("Host",),
    "loader.image": ("Image", "read_image"),
    "loader.isolation.settings": ("Isolation",),
    "loader.isolation.shared": ("shared",),
    "loader.limits": ("CancelToken", "deadline"),
    "loader.load": ("Found", "discover", "load"),
    "loader.plugin": ("Plugin",),
    "loader.registry": ("Registry",),
    "loader.observe.report": ("LoadReport", "load_report"),
    "loader.observe.survey": ("SurveyRow",),
    "loader.author.sdk": ("include_dir",),
    "loader.trust": ("Policy",),
    "loader.watch": ("Watch",),
}
#: Modules whose names are public: ``loader.crash.enable(...)`` after ``import loader``.
_MODULES = ("crash", "health", "process_state", "trust")
_MODULE_OF = {name: module for module, names in _WHERE.items() for name in names}

__all__ = [
    "CallCancelled",
    "CancelToken",
    "Contract",
    "ContractError",
    "ContractNotFound",
    "DeadlineExceeded",
    "ForkError",
    "Found",
    "HandshakeError",
    "Host",
    "Image",
    "ImageError",
    "InstanceError",
    "Isolation",
    "IsolationError",
    "LibraryError",
    "LoadReport",
    "LoaderError",
    "Plugin",
    "PluginCrashed",
    "PluginError",
    "PluginNotFound",
    "Policy",
    "Record",
    "Registry",
    "RegistryError",
    "ReloadError",
    "ServiceError",
    "SurveyRow",
    "TextError",
    "TrustError",
    "Watch",
    "deadline",
    "discover",
    "include_dir",
    "load",
    "load_report",
    "read_image",
    "shared",
]


class _Package(ModuleType):
    """Keeps ``loader.load`` and ``loader.discover`` the functions: importing the modules of these names, as
    some of ours do, would set them as attributes of the package.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if not (isinstance(value, ModuleType) and name in _MODULE_OF):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        value = import_module(f"loader.{name}")
        globals()[name] = value
        return value
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module 'loader' has no attribute {name!r}")
    found = import_module(module)
    value = getattr(found, name, found)  # itself: the module has no such name yet
    if value is found:
        raise ImportError(f"{module} is being imported by this very thread; what runs meanwhile cannot use it yet")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_MODULES})
