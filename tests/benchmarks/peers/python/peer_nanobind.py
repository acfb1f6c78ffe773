"""nanobind: an extension module in C++."""

from extensions import load_extensions, open_extension


def open_peer(folder, variant):
    return open_extension(folder, "nanobind_extension")


def load(folder, variant, count):
    return load_extensions(folder, "nanobind_extension", count)
