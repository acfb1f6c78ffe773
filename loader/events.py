"""Where our modules tell what happens to plugins; one comparison while nobody listens. See observe/health.py."""

from __future__ import annotations

from loader.errors import LoaderError

TYPE_CHECKING = False  # of typing, which this does not need
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["tell", "tell_failure"]

#: Takes (kind, plugin's name, path, details). Set by health.py as long as there are subscribers.
listener: Callable[[str, str, str, dict[str, Any]], object] | None = None


def tell(kind: str, plugin: str, path: str, **details: Any) -> None:
    """Tells all subscribers; hold no lock of ours meanwhile. See health.HealthEvent for the kinds."""
    listens = listener
    if listens is not None:
        listens(kind, plugin, path, details)


def tell_failure(kind: str, plugin: str, path: str, error: Exception, **details: Any) -> None:
    """The same of what went wrong: `error` is its text, `type` its class, and `to_dict` of ours the rest."""
    if listener is not None:
        values = error.to_dict() if isinstance(error, LoaderError) else {}
        values |= {"error": str(error), "type": type(error).__name__, **details}
        known = ("path", "plugin", "kind", "message")  # the event says these itself
        tell(kind, plugin, path, **{name: value for name, value in values.items() if name not in known})
