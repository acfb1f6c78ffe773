"""What a role or a contents hook asks for by loader_alloc goes when its function returns, not with the document."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SOURCE = """
#include "htmlize/htmlize.h"

enum { SIZE = 100000 };

static int scratch(loader_call *call, const loader_text *text, int fails)
{
    char *memory = (char *)loader_alloc(call, SIZE);

    if (memory == NULL)
        return LOADER_NO_MEMORY;
    memset(memory, text->size == 0 ? 'x' : text->data[0], SIZE);
    if (fails)
        return loader_fail(call, "on purpose");
    return loader_write(call, memory, 1);
}

int hooks(loader_call *call)
{
    return loader_write_string(call, "role:good\\nrole:bad\\n");
}

int process_role(loader_call *call, const loader_text *role, const loader_text *text, const htmlize_post *post)
{
    (void)post;
    return scratch(call, text, role->data[0] == 'b');
}
"""

PROGRAM = """
import resource, sys
from loader.htmlize import Htmlizer

app = Htmlizer([sys.argv[1]])
role, bad = ":good:`x`", ":bad:`x`"
page = lambda text: "<p>" + text + "</p>\\n\\n"
assert app.htmlize(role) == page("x")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
assert app.htmlize(role * 3000) == page("x" * 3000)
assert app.htmlize(role + "\\u00e9" + role * 3000) == page("x\\u00e9" + "x" * 3000)
problems = []
app.htmlize(bad * 3000, plugin_errors="keep", report=problems.append)
assert len(problems) == 3000
for _ in range(1000):
    app.htmlize(role * 3)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.skipif(bool(os.environ.get("LOADER_SANITIZE")), reason="a sanitizer's memory is not ours")
def test_a_document_of_roles_that_allocate(
    build: Any, run_python: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    """3000 roles with 100 kB each, good and bad ones, take the memory of few."""
    source = tmp_path / "scratch.c"
    source.write_text(SOURCE)
    done = run_python(PROGRAM, str(build(source)))
    assert int(done.stdout) < 30
