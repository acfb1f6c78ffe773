"""What a plugin author needs of this package: where its headers, kits and CMake functions lie (sdk.py)."""
