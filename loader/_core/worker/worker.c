/* worker.c: the program loader-worker: a process of its own for plugins, without Python.
 *
 * loader/isolation/ starts it, with a socket as its descriptor 3 and nothing else of the host's, and sends one message:
 * how it is to confine itself, and the checked bytes of what it opens. In this order:
 *   1. it confines itself, for good, while it has one thread and has run nothing that is not ours;
 *   2. a thread opens the libraries: their constructors run;
 *   3. it answers with the addresses of the symbols that it was asked for;
 *   4. each lane that it is sent (wire/wire.h) gets a thread, which serves calls.
 * This thread waits for more messages, and for the end of the host: then the process ends at once, whatever its other
 * threads do. The host kills it when it has no more use for it.
 *
 * A message is a row of texts, each ended by NUL: a word, then its value; descriptors come beside them. It begins with
 * "tag" and a number, and so do the answers to it: the host may have given up waiting for an earlier one.
 */
#define _GNU_SOURCE
#include "worker/confine.h"
#include "worker/worker.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SOCKET = 3, MESSAGE = 160 << 10, DESCRIPTORS = 128, VALUES = 64, LEAST_DESCRIPTORS = 1024 };

/* A message from the host. */
struct message {
    char text[MESSAGE];
    size_t size, begin; /* behind its tag */
    char tag[24];
    int descriptors[DESCRIPTORS];
    int count, taken;
};

/* An answer. */
struct reply {
    char *text;
    size_t size, room;
};

/* ---- Messages ------------------------------------------------------------------------------------------ */

/* The next text, or NULL: that was all. */
static const char *next_text(const struct message *message, const char *text)
{
    const char *const next = text == NULL ? message->text + message->begin : text + strlen(text) + 1;

    return next < message->text + message->size ? next : NULL;
}

static void take_tag(struct message *message)
{
    const char *const word = next_text(message, NULL), *const value = word == NULL ? NULL : next_text(message, word);

    if (value != NULL && strcmp(word, "tag") == 0) {
        snprintf(message->tag, sizeof message->tag, "%s", value);
        message->begin = (size_t)(value + strlen(value) + 1 - message->text);
    }
}

/* False: the host has gone. */
static bool receive(struct message *message)
{
    char control[CMSG_SPACE(sizeof message->descriptors)];
    struct iovec part = {message->text, sizeof message->text};
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control,
                            .msg_controllen = sizeof control};
    ssize_t size;

    do
        size = recvmsg(SOCKET, &header, MSG_CMSG_CLOEXEC);
    while (size < 0 && errno == EINTR);
    if (size <= 0 || message->text[size - 1] != '\0')
        return false;
    message->size = (size_t)size;
    message->count = message->taken = 0;
    message->begin = 0;
    message->tag[0] = '\0';
    for (struct cmsghdr *each = CMSG_FIRSTHDR(&header); each != NULL; each = CMSG_NXTHDR(&header, each))
        if (each->cmsg_level == SOL_SOCKET && each->cmsg_type == SCM_RIGHTS) {
            message->count = (int)((each->cmsg_len - CMSG_LEN(0)) / sizeof(int));
            memcpy(message->descriptors, CMSG_DATA(each), (size_t)message->count * sizeof(int));
        }
    take_tag(message);
    return true;
}

static int next_descriptor(struct message *message)
{
    return message->taken < message->count ? message->descriptors[message->taken++] : -1;
}

static void say(struct reply *reply, const char *text)
{
    const size_t size = strlen(text) + 1;

    if (reply->room - reply->size < size) {
        char *const more = realloc(reply->text, reply->size + size + 4096);
        if (more == NULL)
            abort();
        reply->text = more;
        reply->room = reply->size + size + 4096;
    }
    memcpy(reply->text + reply->size, text, size);
    reply->size += size;
}

static void say_number(struct reply *reply, const char *word, uint64_t number)
{
    char text[24];

    snprintf(text, sizeof text, "%llu", (unsigned long long)number);
    say(reply, word);
    say(reply, text);
}

static void answer(struct reply *reply, const struct message *message)
{
    char tag[sizeof "tag" + sizeof message->tag];
    const size_t size = sizeof "tag" + strlen(message->tag) + 1;
    struct iovec parts[2] = {{tag, size}, {reply->text, reply->size}};
    const struct msghdr header = {.msg_iov = parts, .msg_iovlen = 2};

    memcpy(tag, "tag", sizeof "tag");
    memcpy(tag + sizeof "tag", message->tag, size - sizeof "tag");
    while (sendmsg(SOCKET, &header, MSG_NOSIGNAL) < 0 && errno == EINTR)
        ;
    free(reply->text);
    *reply = (struct reply){NULL, 0, 0};
}

/* ---- Confinement --------------------------------------------------------------------------------------- */

static void confine_as_told(const struct message *message, const int *keep, size_t keep_count, struct reply *reply)
{
    static const char *read[VALUES], *write[VALUES], *libraries[VALUES];
    struct confinement wanted = {.read = read, .write = write, .libraries = libraries, .keep = keep,
                                 .keep_count = keep_count, .files = 1024};
    struct confined result = {0};

    bool off = false;

    for (const char *word = next_text(message, NULL), *value; word != NULL; word = next_text(message, value)) {
        value = next_text(message, word);
        if (value == NULL)
            break;
        if (strcmp(word, "sandbox") == 0)
            off = strcmp(value, "off") == 0;
        else if (strcmp(word, "memory") == 0)
            wanted.memory = strtoull(value, NULL, 10);
        else if (strcmp(word, "network") == 0)
            wanted.network = *value == '1';
        else if (strcmp(word, "read") == 0 && wanted.read_count < VALUES)
            read[wanted.read_count++] = value;
        else if (strcmp(word, "write") == 0 && wanted.write_count < VALUES)
            write[wanted.write_count++] = value;
        else if (strcmp(word, "libraries") == 0 && wanted.library_count < VALUES)
            libraries[wanted.library_count++] = value;
    }
    if (!off && confine(&wanted, &result) != 0)
        _exit(1);
    say_number(reply, "engaged", result.engaged);
    say_number(reply, "missing", result.missing);
    say_number(reply, "landlock", result.landlock_abi);
    for (int i = 0; i < CONFINE_PARTS; i++)
        if (result.missing & 1u << i) {
            say_number(reply, "part", 1u << i);
            say(reply, "why");
            say(reply, result.why[i]);
        }
}

/* ---- Opening ------------------------------------------------------------------------------------------- */

/* Opens what a message names, in its order, and says where its symbols are. On a thread of its own: constructors may
 * take any time, and meanwhile the host may end. */
static void *open_libraries(void *argument)
{
    struct message *const message = argument;
    struct reply reply = {NULL, 0, 0};
    void *handle = NULL;
    char text[24];

    for (const char *word = next_text(message, NULL), *value; word != NULL; word = next_text(message, value)) {
        value = next_text(message, word);
        if (value == NULL)
            break;
        if (strcmp(word, "open") == 0) {
            handle = dlopen(value, RTLD_NOW | RTLD_LOCAL);
            if (handle == NULL) {
                say(&reply, "failed");
                say(&reply, dlerror());
                break;
            }
        } else if (strcmp(word, "symbol") == 0) {
            snprintf(text, sizeof text, "%llu", (unsigned long long)(uintptr_t)dlsym(handle, value));
            say(&reply, value);
            say(&reply, text);
        }
    }
    if (reply.size == 0)
        say(&reply, "");
    answer(&reply, message);
    free(message);
    return NULL;
}

/* Gives libraries the numbers by which they name each other: "file" says which. */
static void place_files(struct message *message)
{
    for (const char *word = next_text(message, NULL), *value; word != NULL; word = next_text(message, value)) {
        value = next_text(message, word);
        if (value == NULL)
            break;
        if (strcmp(word, "file") == 0) {
            const int from = next_descriptor(message), to = atoi(value);
            if (from >= 0 && from != to) {
                dup3(from, to, O_CLOEXEC);
                close(from);
            }
        }
    }
}

static void start_opening(struct message *message)
{
    pthread_t thread;

    place_files(message);
    if (pthread_create(&thread, NULL, open_libraries, message) != 0)
        _exit(1);
    pthread_detach(thread);
}

static void add_lane(struct message *message, const char *size)
{
    struct reply reply = {NULL, 0, 0};
    const int file = next_descriptor(message);
    void *const at = file < 0 ? NULL : serve_lane(file, strtoull(size, NULL, 10));

    if (at == NULL) {
        say(&reply, "failed");
        say(&reply, strerror(errno));
    } else {
        say_number(&reply, "lane", (uint64_t)(uintptr_t)at);
    }
    if (file >= 0)
        close(file);
    answer(&reply, message);
}

/* Memory of the host's application. */
static void add_shared(struct message *message, const char *size)
{
    struct reply reply = {NULL, 0, 0};
    const int file = next_descriptor(message);
    const size_t bytes = strtoull(size, NULL, 10);
    void *const at =
        file < 0 ? MAP_FAILED : mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, file, 0);

    say_number(&reply, "shared", at == MAP_FAILED ? 0 : (uint64_t)(uintptr_t)at);
    if (file >= 0)
        close(file);
    answer(&reply, message);
}

static void do_as_told(struct message *message)
{
    const char *const word = next_text(message, NULL), *const value = word == NULL ? NULL : next_text(message, word);

    if (word != NULL && value != NULL && strcmp(word, "lane") == 0) {
        add_lane(message, value);
        free(message);
    } else if (word != NULL && value != NULL && strcmp(word, "shared") == 0) {
        add_shared(message, value);
        free(message);
    } else if (word != NULL && strcmp(word, "ask") == 0) {
        struct reply reply = {NULL, 0, 0};
        say_number(&reply, "here", 1);
        answer(&reply, message);
        free(message);
    } else {
        start_opening(message);
    }
}

/* ---- The process --------------------------------------------------------------------------------------- */

static struct message *new_message(void)
{
    struct message *const message = malloc(sizeof *message);

    if (message == NULL)
        _exit(1);
    return message;
}

/* Libraries have numbers from 200 on, and a host's limit may be below. */
static void allow_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= LEAST_DESCRIPTORS)
        return;
    limit.rlim_cur = limit.rlim_max < LEAST_DESCRIPTORS ? limit.rlim_max : LEAST_DESCRIPTORS;
    setrlimit(RLIMIT_NOFILE, &limit);
}

int main(void)
{
    struct message *message = new_message();
    struct reply reply = {NULL, 0, 0};
    uint64_t release[2];
    int keep[DESCRIPTORS + 4] = {0, 1, 2, SOCKET}, host;

    allow_descriptors();
    signal(SIGPIPE, SIG_IGN); /* as in the host: Python ignores it */
    if (!receive(message))
        return 1;
    if (!serve_prepare())
        return 1;
    memcpy(keep + 4, message->descriptors, (size_t)message->count * sizeof(int));
    confine_as_told(message, keep, 4 + (size_t)message->count, &reply);
    for (int i = 0; i < WIRE_THUNKS; i++)
        say_number(&reply, "thunk", (uint64_t)(uintptr_t)tables_thunks[i]);
    arrows_addresses(release);
    for (int i = 0; i < 2; i++)
        say_number(&reply, "thunk", release[i]);
    host = next_descriptor(message);
    answer(&reply, message);
    start_opening(message);
    for (;;) {
        struct pollfd both[2] = {{.fd = SOCKET, .events = POLLIN}, {.fd = host, .events = POLLIN}};
        if (poll(both, 2, -1) < 0 && errno != EINTR)
            _exit(1);
        if (both[1].revents != 0)
            _exit(0);
        if (both[0].revents == 0)
            continue;
        message = new_message();
        if (!receive(message))
            _exit(0);
        do_as_told(message);
    }
}
