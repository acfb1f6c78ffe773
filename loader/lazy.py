"""A plugin that is opened when something of it is used for the first time."""

from __future__ import annotations

import copyreg
from typing import TYPE_CHECKING, cast

from loader.load import reduced
from loader.plugin import Plugin

if TYPE_CHECKING:
    from collections.abc import Callable

    from loader._core._call import BoundFunction, Owner
    from loader.contract import Contract
    from loader.isolation.settings import Confinement

__all__ = ["LazyPlugin"]


class LazyPlugin(Plugin):
    """Knows its name, path and contract; every other attribute opens the file, by way of all checks.

    What opening raises (see :func:`loader.load`) comes out of the attribute look-up, and the next one tries again.
    Once open it is a :class:`loader.Plugin` like any other.

    Attributes:
        path: of the file, absolute.
        stand_in: who is called, as the C side knows it, until the plugin is open.
    """

    stand_in: Owner
    _open: Callable[[], Plugin]

    def __init__(  # a Plugin's own __init__ has its turn when the file is opened
        self, path: str, contract: Contract, open: Callable[[], Plugin], stand_in: Owner
    ) -> None:
        self.__dict__.update(
            name=stand_in.name,
            path=path,
            contract=contract,
            stand_in=stand_in,
            _open=open,
        )

    @property
    def opened(self) -> bool:
        """Whether its code is in this process."""
        return "functions" in self.__dict__

    @property
    def isolation(self) -> Confinement | None:
        """As a Plugin's: where it is, is known when it is open."""
        self.open()
        return super().isolation

    def open(self) -> None:
        """Opens the file now, if it is not."""
        # Without a lock: what opening runs may come back here, on this thread or on one that it waits for. All who
        # come together open it, which loads it once, and all take what the first of them made.
        own = self.__dict__  # a reload that comes in between puts another one in its place
        if "functions" not in own:
            plugin = own.setdefault("_made", self._open())
            # `functions` tells others that it is open, so it comes last. How it is reloaded its host has said.
            state = {name: value for name, value in vars(plugin).items() if name not in ("functions", "_reload")}
            own.update(state)
            own["functions"] = plugin.functions

    def __getattr__(self, name: str) -> BoundFunction:
        """What is not there before the file is open. Python's own questions (``__deepcopy__``) do not open it."""
        if not (name.startswith("__") and name.endswith("__")):
            self.open()
            # Looked up once more also where it was open: another thread may have opened it since the first look.
            if name in self.__dict__:
                return cast("BoundFunction", self.__dict__[name])
        return super().__getattr__(name)

    def __dir__(self) -> list[str]:
        return super().__dir__() if self.opened else sorted({*object.__dir__(self), "functions", "digest", "version"})

    def __repr__(self) -> str:
        return super().__repr__() if self.opened else f"<plugin {self.name}, not opened yet, from {self.path}>"


copyreg.pickle(LazyPlugin, reduced)
