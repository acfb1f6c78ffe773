"""A process of its own: TrustedImage -> libraries that are open in workers, and who looks after those.

In: the checked bytes, and an Isolation (settings.py). Out: a RemoteLibrary (pool.py), which is to plugin.py what a
Library of this process is; and errors for what became of workers. A worker is a program without Python
(loader/_core/worker/). Open first: pool.py, the workers of a plugin; then process.py, one of them; message.py,
what it is told; copies.py, the bytes that it gets; watch.py, the thread that learns of deaths and reads what they
print.
"""

from loader.isolation.settings import Confinement, Isolation

__all__ = ["Confinement", "Isolation"]
