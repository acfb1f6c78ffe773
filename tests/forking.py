"""What programs begin with that load plugins while something else is under way, or fork."""

#: A function of programs that fork: runs another one in a forked child and prints what it gave, in one piece.
IN_CHILD = """
import os, sys, traceback

def in_child(work):
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.write(1, f"{work()}\\n".encode())
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert status == 0, status
"""

#: Begins every program; `argv[2]` is a plugin whose constructor runs `during()`, once.
BEGIN = (
    IN_CHILD
    + """
import gc, logging, os, signal, sys, threading, traceback, weakref
import faulthandler
faulthandler.dump_traceback_later(60, exit=True)
import loader
contract = loader.Contract.from_header(sys.argv[1])
first, second = sys.argv[2:4]

def load(path):
    return loader.load(path, contract=contract).greet("x")

def failure(path):
    try:
        return load(path)
    except loader.LoaderError as error:
        return f"{type(error).__name__}: {error}"

def say(text):  # in one piece
    os.write(1, f"{text}\\n".encode())
"""
)

ONCE = "import os, sys; os.environ.pop('LOADER_TEST_CODE')\nimport __main__ as m\n"
