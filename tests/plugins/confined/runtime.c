/* What a plugin in C may still do when it is confined. run(): 0, or the number of the line that went wrong. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define CHECK(expression)                                                                                              \
    do {                                                                                                               \
        if (!(expression)) {                                                                                           \
            perror(#expression);                                                                                       \
            return __LINE__;                                                                                           \
        }                                                                                                              \
    } while (0)

static int loaded;
static volatile sig_atomic_t signals;
static sigjmp_buf back;
static _Thread_local int own = 7;

__attribute__((constructor)) static void constructor(void)
{
    char *memory = malloc(1 << 20);
    loaded = memory != NULL;
    free(memory);
}

static void count(int number) { signals += number == SIGUSR1 || number == SIGALRM; }
static void jump(int number) { siglongjmp(back, number); }

static int use_signals(void)
{
    static char other[65536];
    stack_t stack = {.ss_sp = other, .ss_size = sizeof other};
    struct sigaction action = {.sa_handler = count, .sa_flags = SA_ONSTACK | SA_RESTART};
    struct sigaction fault = {.sa_handler = jump};
    CHECK(sigaltstack(&stack, NULL) == 0);
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0 && sigaction(SIGALRM, &action, NULL) == 0);
    CHECK(raise(SIGUSR1) == 0 && signals == 1);
    CHECK(pthread_kill(pthread_self(), SIGUSR1) == 0 && signals == 2);
    CHECK(kill(getpid(), SIGUSR1) == 0 && signals == 3);
    CHECK(sigqueue(getpid(), SIGUSR1, (union sigval){0}) == 0 && signals == 4);
    struct itimerval soon = {.it_value = {0, 1000}};
    CHECK(setitimer(ITIMER_REAL, &soon, NULL) == 0);
    while (signals < 5) (void)usleep(1000);
    CHECK(sigaction(SIGSEGV, &fault, NULL) == 0);
    volatile int *volatile nowhere = NULL;
    if (sigsetjmp(back, 1) == 0) *nowhere = 1;
    return 0;
}

static bool has_stack(void)
{
    pthread_attr_t attributes;
    size_t size;
    void *stack;
    if (pthread_getattr_np(pthread_self(), &attributes) != 0) return false;
    bool found = pthread_attr_getstack(&attributes, &stack, &size) == 0 && size >= 65536;
    (void)pthread_attr_destroy(&attributes);
    return found;
}

static void *thread(void *given)
{
    char name[16];
    struct timespec time;
    clockid_t clock;
    cpu_set_t set;
    if (own++ != 7 || prctl(PR_SET_NAME, "worker", 0, 0, 0) != 0 || prctl(PR_GET_NAME, name, 0, 0, 0) != 0) return NULL;
    if (pthread_getcpuclockid(pthread_self(), &clock) != 0 || clock_gettime(clock, &time) != 0) return NULL;
    if (sched_getaffinity(0, sizeof set, &set) != 0) return NULL;
    return has_stack() ? given : NULL;
}

static void *wait(void *nothing)
{
    for (;;) (void)pause();
    return nothing;
}

static int use_threads(void)
{
    enum { MANY = 8 };
    pthread_t threads[MANY], cancelled;
    void *result;
    CHECK(has_stack()); /* of the first thread: /proc/self/maps */
    for (long i = 0; i < MANY; i++) CHECK(pthread_create(&threads[i], NULL, thread, (void *)(i + 1)) == 0);
    for (long i = 0; i < MANY; i++) CHECK(pthread_join(threads[i], &result) == 0 && result == (void *)(i + 1));
    CHECK(pthread_create(&cancelled, NULL, wait, NULL) == 0);
    CHECK(pthread_cancel(cancelled) == 0 && pthread_join(cancelled, &result) == 0 && result == PTHREAD_CANCELED);
    return 0;
}

static int use_time(void)
{
    struct timespec time, short_while = {0, 1000};
    struct rlimit limit;
    clockid_t clock;
    timer_t timer;
    struct sigevent none = {.sigev_notify = SIGEV_NONE};
    CHECK(clock_gettime(CLOCK_REALTIME, &time) == 0 && clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time) == 0);
    CHECK(clock_getcpuclockid(getpid(), &clock) == 0 && clock_gettime(clock, &time) == 0);
    CHECK(clock_getres(CLOCK_MONOTONIC, &time) == 0 && clock_nanosleep(CLOCK_MONOTONIC, 0, &short_while, NULL) == 0);
    CHECK(timer_create(CLOCK_MONOTONIC, &none, &timer) == 0 && timer_delete(timer) == 0);
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0 && sysconf(_SC_NPROCESSORS_ONLN) >= 1 && time.tv_sec >= 0);
    return 0;
}

static int use_descriptors(void)
{
    int pair[2], ends[2], event = eventfd(0, EFD_CLOEXEC), poller = epoll_create1(EPOLL_CLOEXEC), zero = 0;
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    struct epoll_event wanted = {.events = EPOLLIN};
    struct stat status;
    char text[4];
    CHECK(event >= 0 && poller >= 0 && timer >= 0 && epoll_ctl(poller, EPOLL_CTL_ADD, event, &wanted) == 0);
    CHECK(eventfd_write(event, 1) == 0 && epoll_wait(poller, &wanted, 1, 1000) == 1);
    CHECK(pipe(ends) == 0 && write(ends[1], "abc", 3) == 3 && ioctl(ends[0], FIONREAD, &zero) == 0 && zero == 3);
    CHECK(read(ends[0], text, 3) == 3 && fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0 && read(ends[0], text, 1) < 0);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0 && send(pair[0], "abc", 3, 0) == 3);
    CHECK(recv(pair[1], text, 3, 0) == 3 && fstat(ends[0], &status) == 0 && S_ISFIFO(status.st_mode));
    CHECK(poll(&(struct pollfd){.fd = pair[1], .events = POLLIN}, 1, 0) == 0 && isatty(ends[0]) == 0);
    int files[] = {pair[0], pair[1], ends[0], ends[1], event, poller, timer};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) CHECK(close(files[i]) == 0);
    return 0;
}

static int use_memory(void)
{
    size_t large = (size_t)1 << 30;
    char *reserved = mmap(NULL, large, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0), random[16];
    CHECK(reserved != MAP_FAILED && mprotect(reserved, 65536, PROT_READ | PROT_WRITE) == 0);
    memset(reserved, 1, 65536);
    CHECK(madvise(reserved, 65536, MADV_DONTNEED) == 0 && reserved[0] == 0 && munmap(reserved, large) == 0);
    CHECK(getrandom(random, sizeof random, 0) == sizeof random);
    char *grown = malloc(1 << 20);
    CHECK(grown != NULL);
    char *larger = realloc(grown, 8 << 20); /* mremap */
    CHECK(larger != NULL);
    free(larger);
    return 0;
}

__attribute__((visibility("default"))) int run(void)
{
    int (*const all[])(void) = {use_signals, use_threads, use_time, use_descriptors, use_memory};
    CHECK(loaded == 1);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        int line = all[i]();
        if (line != 0) return line;
    }
    printf("a line\n");
    return 0;
}
