"""c-extension-str: the limit of a call from Python, an extension module that writes into the new str itself."""

from extensions import open_extension


def open_peer(folder, variant):
    return open_extension(folder, "c_extension_str")
