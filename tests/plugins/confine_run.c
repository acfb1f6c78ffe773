/* Confines itself as its command line says, opens a library and runs acts of it (acts.c); prints one line of JSON.
 *
 *   confine_run [--read P] [--write P] [--library P] [--memory N] [--file-size N] [--processes N] [--files N]
 *               [--network] [--without MASK] [--keep FD] [--lacks NUMBER] [--abi N] [--early-thread]
 *               [--size N] [--load ACT[,ACT…]] [LIBRARY [ACT[,ACT…]]]
 *
 * --abi: the version of Landlock that the kernel says it has;
 * --lacks: a system call that the kernel is made to lack; --early-thread: there is a thread before confine() is called.
 * An act is NAME or NAME:ARGUMENT. Those of --load run in the library's constructor. Those at the end run three times:
 * as called, in a thread that the constructor started, and in a thread of now. */
#define _GNU_SOURCE
#include "../../loader/_core/worker/confine.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

enum { MOST = 32 };

typedef int act_function(const char *name, size_t size);

__attribute__((visibility("default"))) const char *acts_at_load; /* acts.c looks for it */

struct arguments {
    struct confinement wanted;
    const char *read[MOST], *write[MOST], *libraries[MOST];
    int keep[MOST];
    const char *library, *acts;
    size_t size;
};

static uint64_t number(const char *text) { return strtoull(text, NULL, 0); }

static const char *const *push(const char **list, size_t *count, const char *value)
{
    if (*count < MOST) list[(*count)++] = value;
    return list;
}

/* By another filter of the same kind. */
static void lack(const char *call)
{
    struct sock_filter code[] = {
        {BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr)},
        {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, (uint32_t)number(call)},
        {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | EPERM},
        {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW},
    };
    struct sock_fprog filter = {4, code};
    if (number(call) == 436) code[2].k = SECCOMP_RET_ERRNO | ENOSYS; /* close_range: a kernel before 5.9 */
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) {
        perror("confine_run: --lacks");
        exit(2);
    }
}

static int pretended_abi;

static void answer_abi(int signal_number, siginfo_t *information, void *context)
{
    (void)signal_number, (void)information;
#if defined __x86_64__
    ((ucontext_t *)context)->uc_mcontext.gregs[REG_RAX] = pretended_abi;
#else
    ((ucontext_t *)context)->uc_mcontext.regs[0] = (unsigned long long)pretended_abi;
#endif
}

/* landlock_create_ruleset(NULL, 0, 1) asks for the version: its answer is a signal handler's. */
static void pretend(const char *abi)
{
    struct sock_filter code[] = {
        {BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr)},
        {BPF_JMP | BPF_JEQ | BPF_K, 0, 3, 444},
        {BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, args[2])},
        {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 1},
        {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_TRAP},
        {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW},
    };
    struct sock_fprog filter = {6, code};
    struct sigaction action = {.sa_sigaction = answer_abi, .sa_flags = SA_SIGINFO};
    pretended_abi = (int)number(abi);
    if (sigaction(SIGSYS, &action, NULL) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) {
        perror("confine_run: --abi");
        exit(2);
    }
}

static void *wait_forever(void *nothing)
{
    for (;;) (void)pause();
    return nothing;
}

static void start_thread(void)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, wait_forever, NULL) != 0) exit(2);
}

static void option(struct arguments *a, const char *name, const char *value)
{
    struct confinement *wanted = &a->wanted;
    if (strcmp(name, "--read") == 0) wanted->read = push(a->read, &wanted->read_count, value);
    else if (strcmp(name, "--write") == 0) wanted->write = push(a->write, &wanted->write_count, value);
    else if (strcmp(name, "--library") == 0) wanted->libraries = push(a->libraries, &wanted->library_count, value);
    else if (strcmp(name, "--memory") == 0) wanted->memory = number(value);
    else if (strcmp(name, "--file-size") == 0) wanted->file_size = number(value);
    else if (strcmp(name, "--processes") == 0) wanted->processes = (uint32_t)number(value);
    else if (strcmp(name, "--files") == 0) wanted->files = (uint32_t)number(value);
    else if (strcmp(name, "--without") == 0) wanted->without = (uint32_t)number(value);
    else if (strcmp(name, "--size") == 0) a->size = number(value);
    else if (strcmp(name, "--lacks") == 0) lack(value);
    else if (strcmp(name, "--abi") == 0) pretend(value);
    else if (strcmp(name, "--load") == 0) acts_at_load = value;
    else if (strcmp(name, "--keep") == 0 && wanted->keep_count < MOST) a->keep[wanted->keep_count++] = atoi(value);
    else {
        fprintf(stderr, "confine_run: no option %s\n", name);
        exit(2);
    }
}

static void read_arguments(struct arguments *a, int count, char **values)
{
    for (int i = 1; i < count; i++) {
        if (strcmp(values[i], "--network") == 0) a->wanted.network = true;
        else if (strcmp(values[i], "--early-thread") == 0) start_thread();
        else if (strncmp(values[i], "--", 2) == 0 && i + 1 < count) {
            option(a, values[i], values[i + 1]);
            i++;
        } else if (a->library == NULL) a->library = values[i];
        else a->acts = values[i];
    }
    a->wanted.keep = a->keep;
}

/* As the loader gives a worker its plugin: in memory, so that no path must be readable. */
static int memory_file(const char *path)
{
    char block[65536];
    ssize_t got;
    int from = open(path, O_RDONLY | O_CLOEXEC), to = memfd_create("plugin", MFD_CLOEXEC);
    if (from < 0 || to < 0) {
        perror(path);
        exit(2);
    }
    while ((got = read(from, block, sizeof block)) > 0)
        if (write(to, block, (size_t)got) != got) exit(2);
    (void)close(from);
    return to;
}

/* Printed at the end, in one line: plugins print, too. */
static FILE *report;

static void print_parts(const char *name, uint32_t parts)
{
    const char *between = "";
    fprintf(report, "\"%s\": [", name);
    for (int i = 0; i < CONFINE_PARTS; i++)
        if (parts & (1U << i)) {
            fprintf(report, "%s\"%s\"", between, confine_part_name[i]);
            between = ", ";
        }
    fprintf(report, "], ");
}

static void print_confined(const struct confined *confined, double microseconds)
{
    print_parts("engaged", confined->engaged);
    print_parts("missing", confined->missing);
    fprintf(report, "\"why\": {");
    const char *between = "";
    for (int i = 0; i < CONFINE_PARTS; i++)
        if (confined->why[i][0] != '\0') {
            fprintf(report, "%s\"%s\": \"%s\"", between, confine_part_name[i], confined->why[i]);
            between = ", ";
        }
    fprintf(report, "}, \"landlock_abi\": %u, \"microseconds\": %.1f", confined->landlock_abi, microseconds);
}

static double now(void)
{
    struct timespec time;
    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

struct job {
    act_function *run;
    const char *name;
    size_t size;
    int result;
};

static void *run_job(void *given)
{
    struct job *job = given;
    job->result = job->run(job->name, job->size);
    return NULL;
}

static int in_new_thread(act_function *run, const char *name, size_t size)
{
    struct job job = {run, name, size, -2};
    pthread_t thread;
    if (pthread_create(&thread, NULL, run_job, &job) != 0) return -3;
    (void)pthread_join(thread, NULL);
    return job.result;
}

static void run_acts(void *library, const char *acts, size_t size)
{
    act_function *run, *in_early_thread;
    *(void **)&run = dlsym(library, "act_run");
    *(void **)&in_early_thread = dlsym(library, "act_run_in_thread");
    if (run == NULL || in_early_thread == NULL) return;
    char *copy = strdup(acts), *rest = copy, *name;
    const char *between = "";
    fprintf(report, ", \"acts\": {");
    while (copy != NULL && (name = strsep(&rest, ",")) != NULL) {
        fprintf(stderr, "%s\n", name); /* the last one is it, if it ends the process */
        fprintf(report, "%s\"%s\": ", between, name);
        fprintf(report, "[%d, %d, %d]", run(name, size), in_early_thread(name, size), in_new_thread(run, name, size));
        between = ", ";
    }
    fprintf(report, "}");
    free(copy);
}

static void print_loaded(void *library)
{
    int (*result)(const char **names, const int **results);
    const char *names;
    const int *results;
    *(void **)&result = dlsym(library, "act_at_load");
    int count = result == NULL ? 0 : result(&names, &results);
    fprintf(report, ", \"at_load\": [");
    for (int i = 0; i < count; i++) fprintf(report, "%s%d", i == 0 ? "" : ", ", results[i]);
    fprintf(report, "]");
}

int main(int count, char **values)
{
    static struct arguments a = {.keep = {0, 1, 2}};
    a.wanted.keep_count = 3;
    read_arguments(&a, count, values);
    struct confined confined;
    char *text = NULL;
    size_t length;
    char path[64] = "";
    if (a.library != NULL) {
        int file = memory_file(a.library);
        if (a.wanted.keep_count < MOST) a.keep[a.wanted.keep_count++] = file;
        (void)snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    }
    double start = now();
    if (confine(&a.wanted, &confined) != 0) {
        printf("{\"error\": \"%s\"}\n", strerror(errno));
        return 1;
    }
    double end = now();
    report = open_memstream(&text, &length);
    if (report == NULL) return 1;
    fprintf(report, "{");
    print_confined(&confined, end - start);
    void *library = a.library == NULL ? NULL : dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (a.library != NULL && library == NULL) fprintf(report, ", \"dlopen\": \"%s\"", dlerror());
    if (library != NULL) print_loaded(library);
    if (library != NULL && a.acts != NULL) run_acts(library, a.acts, a.size);
    int (*call)(void) = NULL; /* other plugins: run() says whether all is well */
    if (library != NULL) *(void **)&call = dlsym(library, "run");
    if (call != NULL) fprintf(report, ", \"run\": %d", call());
    fprintf(report, "}");
    (void)fclose(report);
    printf("%s\n", text);
    free(text);
    return 0;
}
