"""Builds the plugin of polyplug. Run by build.py: python build_polyplug.py SOURCE TARGET.

Its code generator comes from crates.io: the binary in its wheel asks for a newer C library than Debian 12 has.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

VERSION = "0.1.3"
source, target = (Path(path).resolve() for path in sys.argv[1:])
tool = target / "tool/bin/polyplugc"
made = target / "made"


def run(*command, **more):
    subprocess.run(command, check=True, env=os.environ | more)


if not tool.exists():  # --debug: it is compiled in half the time, and nobody measures it
    install = ["cargo", "install", "-q", "--locked", "--debug", f"polyplugc@{VERSION}"]
    run(*install, "--root", tool.parents[1], CARGO_TARGET_DIR=str(target / "compiled"))
    shutil.rmtree(target / "compiled")
made.mkdir(parents=True, exist_ok=True)
shutil.copy(source / "api.toml", made)
run(tool, "generate", "--api", made / "api.toml", "-l", "python", "-o", made / "python")
shutil.copy(source / "bundle.toml", made)
run(tool, "generate", "--bundle", made / "bundle.toml", "-l", "rust", "-o", made / "rust")
modules = "".join(
    f'#[path = "{made}/rust/guest/{name}.rs"]\npub mod {name};\n'
    for name in ("contracts", "init", "interfaces", "types")
)
listed = made / "modules.rs"
if not listed.exists() or listed.read_text() != modules:
    listed.write_text(modules)
build = ["cargo", "build", "-q", "--release", "--locked", "--manifest-path", source / "Cargo.toml"]
run(*build, BENCH_GENERATED=str(made), CARGO_TARGET_DIR=str(target / "rust"))
bundle = target / "bundle"
bundle.mkdir(exist_ok=True)
shutil.copy(made / "rust/manifest.toml", bundle)
shutil.copy(target / "rust/release/libbench.so", bundle)
