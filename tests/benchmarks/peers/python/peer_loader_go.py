"""loader-go: this loader with a plugin in go."""

from ours import load_ours, open_ours


def open_peer(folder, variant):
    return open_ours(folder, "go", variant)


def load(folder, variant, count):
    return load_ours(folder, "go", count)
