"""What PyInstaller cannot see of loader: modules that are imported by name when they are first used, the C
extensions behind them, and files: the shipped plugins, headers and contracts.

The plugins are data and not binaries, which PyInstaller may strip or change: their digest must stay. A plugin of the
application's own is data too: --add-data plugins:plugins.
"""

from __future__ import annotations

from pathlib import Path

from PyInstaller.utils.hooks import collect_submodules

import loader

_PACKAGE = Path(loader.__file__).resolve().parent
_LEFT_OUT = ("loader.__main__", "loader.__pyinstaller", "loader._build", "loader._core.build_ffi")


def _wanted(name: str) -> bool:
    return not name.startswith(_LEFT_OUT)


hiddenimports = ["_cffi_backend", *collect_submodules("loader", filter=_wanted)]
datas = [(str(_PACKAGE / "htmlize" / "contract.json"), "loader/htmlize")]
datas += [
    (str(path), "loader/htmlize/plugins")
    for path in sorted((_PACKAGE / "htmlize" / "plugins").glob("*"))
    if path.suffix in (".so", ".dylib", ".dll")
]
# The headers, which Contract.from_header reads; a checkout has them beside the package.
_INCLUDE = next((each for each in (_PACKAGE / "include", _PACKAGE.parent / "include") if each.is_dir()), None)
if _INCLUDE is not None:
    datas += [
        (str(path), str(Path("loader/include") / path.relative_to(_INCLUDE).parent))
        for path in sorted([*_INCLUDE.rglob("*.h"), *_INCLUDE.rglob("*.hpp")])
        if not {"rust", "go"}.intersection(path.relative_to(_INCLUDE).parts)
    ]
