"""What plugin authors need of this package: where its headers, kits and CMake functions lie (sdk.py), and what is
generated from a contract for their languages (bindings/).
"""
