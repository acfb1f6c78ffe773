/* process.h: what a command's child process asks of the system. Wrapped by cffi. */
#ifndef LOADER_CORE_PROCESS_H
#define LOADER_CORE_PROCESS_H

/* From now on this process is killed when the thread of `parent` that forked it ends, as it does when that process is
 * killed. Returns 1 if `parent` is gone already, else 0; where the system cannot do it, nothing happens. */
int process_ends_with(long parent);

#endif
