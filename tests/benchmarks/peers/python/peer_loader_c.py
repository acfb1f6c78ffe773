"""loader-c: this loader with a plugin in c."""

from ours import load_for_application, load_lazily, load_ours, open_ours


def open_peer(folder, variant):
    return open_ours(folder, "c", variant)


def load(folder, variant, count):
    if variant == "lazy":
        return load_lazily(folder, "c", count)
    return (load_for_application if variant else load_ours)(folder, "c", count)
