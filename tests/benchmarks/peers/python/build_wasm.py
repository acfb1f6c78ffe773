"""Text to WebAssembly. Run by build.py: python build_wasm.py SOURCE_FOLDER TARGET_FOLDER."""

import sys
from pathlib import Path

from wasmtime import wat2wasm

target = Path(sys.argv[2])
target.mkdir(exist_ok=True)
for source in Path(sys.argv[1]).glob("*.wat"):
    (target / f"{source.stem}.wasm").write_bytes(wat2wasm(source.read_text()))
