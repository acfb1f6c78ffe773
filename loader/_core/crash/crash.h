/* crash.h: what the files of crash reports share with each other and with nobody else: crash.c (the handlers),
 * crash_line.c (what they write) and crash_ranges.c (which plugin an address belongs to).
 *
 * All of it is called in a signal handler, so all of it is async-signal-safe.
 */
#ifndef LOADER_CORE_CRASH_H
#define LOADER_CORE_CRASH_H

#include "call/internal.h"

#if !defined(_WIN32)

#  include <signal.h>
#  include <sys/types.h>

/* ---- crash_line.c ---- */
size_t core_write_line(int fd, const char *name, const siginfo_t *info, const void *context, bool again);
void core_take_back(int fd, off_t start, size_t size);
off_t core_file_size(int fd);

/* ---- crash_ranges.c ---- */
const char *core_label_at(uintptr_t address);

#endif

#endif /* LOADER_CORE_CRASH_H */
