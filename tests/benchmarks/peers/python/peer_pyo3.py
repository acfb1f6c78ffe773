"""pyo3: an extension module in Rust."""

from extensions import load_extensions, open_extension


def open_peer(folder, variant):
    return open_extension(folder, "pyo3_extension")


def load(folder, variant, count):
    return load_extensions(folder, "pyo3_extension", count)
