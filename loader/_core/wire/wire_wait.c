/* wire_wait.c: how both sides of a lane wait for each other: looking for a short time, then asleep.
 *
 * Between two processors a message takes a tenth of a microsecond to be seen by who looks, and about fifty until who
 * sleeps is awake. So who waits looks first, as long as an answer may come soon. Where both run on the same processor
 * looking would keep the other from running: then it sleeps at once. Which it is each side tells the other.
 *
 * How long is learned. A message that came soon after this side had gone to sleep would have been seen by looking a
 * little longer: calls with a megabyte come 60 microseconds after each other. One that came much later was not worth
 * the look.
 */
#if defined(__linux__)
#  ifndef _GNU_SOURCE
#    define _GNU_SOURCE
#  endif
#  include "wire/wire.h"

#  include <errno.h>
#  include <limits.h>
#  include <linux/futex.h>
#  include <sched.h>
#  include <sys/syscall.h>
#  include <time.h>
#  include <unistd.h>

enum { LOOKS = 32 }; /* between two looks at the clock */
enum { LEAST_PATIENCE = 5000, MOST_PATIENCE = 200000 }; /* nanoseconds */

int64_t wire_now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static inline void relax(void)
{
#  if defined(__x86_64__)
    __builtin_ia32_pause();
#  elif defined(__aarch64__)
    __asm__ __volatile__("yield");
#  endif
}

/* Not private to a process: both sides have the same page at another address. */
static long futex(_Atomic uint32_t *word, int operation, uint32_t value, const struct timespec *until)
{
    return syscall(SYS_futex, word, operation, value, until, NULL, FUTEX_BITSET_MATCH_ANY);
}

void wire_wake(struct wire_side *theirs)
{
    futex(&theirs->sent, FUTEX_WAKE, INT_MAX, NULL);
}

void wire_send(struct wire_side *mine, struct wire_side *theirs)
{
    atomic_fetch_add_explicit(&mine->sent, 1, memory_order_seq_cst);
    if (atomic_load_explicit(&theirs->sleeps, memory_order_seq_cst)) {
        atomic_store_explicit(&mine->woke, wire_now(), memory_order_relaxed);
        futex(&mine->sent, FUTEX_WAKE, 1, NULL);
    }
}

static inline bool is_there(struct wire_side *theirs, uint32_t seen)
{
    return atomic_load_explicit(&theirs->sent, memory_order_acquire) != seen;
}

/* Whether the two run on different processors, as far as they have said. */
static bool look_pays(struct wire_side *mine, struct wire_side *theirs)
{
    const uint32_t here = (uint32_t)sched_getcpu();

    /* Not written if it is there: the other side, which looks at this line right now, would lose it from its cache. */
    if (atomic_load_explicit(&mine->cpu, memory_order_relaxed) != here)
        atomic_store_explicit(&mine->cpu, here, memory_order_relaxed);
    return atomic_load_explicit(&theirs->cpu, memory_order_relaxed) != here;
}

static bool look(struct wire_side *mine, struct wire_side *theirs, uint32_t seen, int64_t until)
{
    do {
        for (int i = 0; i < LOOKS; i++) {
            if (is_there(theirs, seen))
                return true;
            relax();
        }
    } while (look_pays(mine, theirs) && wire_now() < until);
    return false;
}

/* A message was sent to this side while it slept, after that time. On a busy machine it is awake only some milliseconds
 * later: that is no time in which looking would have been in vain. */
static void learn(int64_t *patience, int64_t waited)
{
    if (waited < 0) /* it was sent as this side went to sleep */
        return;
    if (waited >= MOST_PATIENCE)
        *patience = *patience / 2 < LEAST_PATIENCE ? LEAST_PATIENCE : *patience / 2;
    else if (2 * waited > *patience)
        *patience = 2 * waited < MOST_PATIENCE ? 2 * waited : MOST_PATIENCE;
}

/* Of a time that the other side wrote, which may be any number. */
static int64_t since(int64_t time, int64_t begun)
{
    return (int64_t)((uint64_t)time - (uint64_t)begun);
}

static bool sleep_until(struct wire_side *mine, struct wire_side *theirs, uint32_t seen, int64_t until)
{
    const struct timespec end = {until / 1000000000, until % 1000000000};
    bool there;

    atomic_store_explicit(&mine->sleeps, 1, memory_order_seq_cst);
    there = is_there(theirs, seen);
    if (!there) {
        futex(&theirs->sent, FUTEX_WAIT_BITSET, seen, &end);
        there = is_there(theirs, seen);
    }
    atomic_store_explicit(&mine->sleeps, 0, memory_order_relaxed);
    look_pays(mine, theirs); /* says where this side is now */
    return there;
}

bool wire_wait(struct wire_side *mine, struct wire_side *theirs, uint32_t seen, int64_t *patience, int64_t until)
{
    int64_t begun, looked;
    bool there;

    if (is_there(theirs, seen))
        return true;
    if (!look_pays(mine, theirs) || patience == NULL)
        return sleep_until(mine, theirs, seen, until);
    begun = wire_now();
    looked = begun + *patience;
    if (look(mine, theirs, seen, looked < until ? looked : until))
        return true;
    there = sleep_until(mine, theirs, seen, until);
    if (there)
        learn(patience, since(atomic_load_explicit(&theirs->woke, memory_order_relaxed), begun));
    return there;
}
#else
typedef int wire_wait_is_for_linux;
#endif
