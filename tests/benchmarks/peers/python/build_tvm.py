"""Compiles the plugin of tvm-ffi. Run by build.py: python build_tvm.py SOURCE TARGET."""

import subprocess
import sys
from pathlib import Path

from tvm_ffi import libinfo

source, target = map(Path, sys.argv[1:])
target.parent.mkdir(exist_ok=True)
if not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
    library = Path(libinfo.find_libtvm_ffi()).parent
    includes = [f"-I{libinfo.find_include_path()}", f"-I{libinfo.find_dlpack_include_path()}"]
    command = ["c++", "-std=c++17", "-O2", "-fPIC", "-shared", *includes, str(source), "-o", str(target)]
    subprocess.run([*command, f"-L{library}", "-ltvm_ffi", f"-Wl,-rpath,{library}"], check=True)
