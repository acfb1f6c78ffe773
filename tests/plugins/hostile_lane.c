/* hostile_lane.c: linked to a plugin of any contract, makes its worker one that lies: a thread, started by a constructor,
 * finds the lanes in its own process and changes what the host reads there, as fast as it can.
 *
 *     RACE     the worker goes on answering; meanwhile all of the lane is overwritten, by random bytes and by lies that
 *              could be true
 *     LIAR     its threads are stopped, and this one answers in their place: messages that are right but for one to
 *              three fields, callbacks, results that point anywhere
 *     SEED=n   of the changes
 *     COUNTER="path"  a file of 8 bytes, where the changes are counted
 */
#define _GNU_SOURCE
#define LOADER_HOST
#include "../../loader/_core/wire/wire.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/futex.h>
#include <dirent.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SEED
#  define SEED 1
#endif

enum { MOST_LANES_HERE = 64 };

struct seen_lane {
    struct wire_lane *shared;
    uint64_t size;
    uint64_t random;
};

static struct seen_lane lanes[MOST_LANES_HERE];
static int lane_count;
static _Atomic uint64_t no_counter, *changes = &no_counter;
static pid_t opener, mine[MOST_LANES_HERE + 1];
static int mine_count;

static uint64_t next(struct seen_lane *lane)
{
    uint64_t x = lane->random;

    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return lane->random = x;
}

/* A number that a length, an offset or a pointer could be, or could be mistaken for. */
static uint64_t lie(struct seen_lane *lane)
{
    const uint64_t base = (uint64_t)(uintptr_t)lane->shared, r = next(lane);
    const uint64_t near[] = {0, 1, WIRE_HEAD, WIRE_HEAD + WIRE_LOG, lane->size / 2, lane->size, base,
                             base + lane->size / 2, base + lane->size, base + WIRE_HEAD + WIRE_LOG, UINT64_MAX,
                             UINT64_C(1) << 63, INT64_MAX, UINT32_MAX, INT32_MAX, SIZE_MAX / 2, base - 4096,
                             base + lane->shared->down.message.top, lane->shared->down.message.top,
                             lane->shared->down.message.output};

    if (r % 8 == 0)
        return next(lane);
    return near[(r >> 8) % (sizeof near / sizeof *near)] + (r >> 32) % 5 * ((r >> 40) % 2 ? 1 : 8) - (r >> 48) % 3;
}

static void change(struct seen_lane *lane, uint64_t *word)
{
    *(volatile uint64_t *)word = lie(lane);
    atomic_fetch_add_explicit(changes, 1, memory_order_relaxed);
}

/* Words of the arena, the log, the output or the head. Of the sparse memory only what is near the beginnings. */
static void change_anywhere(struct seen_lane *lane)
{
    char *const base = (char *)lane->shared;
#ifdef LIAR /* whose count of messages stays right: else the host sees one all the time, and always the same */
    const uint64_t r = next(lane) | 5, at = (r >> 16) % 8192 * 8;
#else
    const uint64_t r = next(lane), at = (r >> 16) % 8192 * 8;
#endif

    switch (r % 8) {
    case 0: change(lane, (uint64_t *)(void *)(base + WIRE_HEAD + at % 256)); break;
    case 1: change(lane, (uint64_t *)(void *)(base + lane->size / 2 + at % 512)); break;
    case 2: change(lane, (uint64_t *)(void *)(base + at % 1024)); break; /* both sides of the head */
    case 3:
    case 4:
        change(lane, (uint64_t *)(void *)((char *)&lane->shared->up + at % sizeof lane->shared->up));
        break;
    default: change(lane, (uint64_t *)(void *)(base + WIRE_HEAD + WIRE_LOG + at % 2048)); break;
    }
}

/* ---- LIAR ------------------------------------------------------------------------------------------------- */

static void write_results(struct seen_lane *lane, const struct wire_message *down)
{
    const struct wire_plan *const plan = (const struct wire_plan *)(uintptr_t)down->plan;
    const uint64_t base = (uint64_t)(uintptr_t)lane->shared;

    if (down->kind != WIRE_CALL || down->plan == 0)
        return;
    for (uint32_t i = 0; i < plan->result_count; i++) {
        const struct wire_value *const how = &plan->values[plan->count + i];
        uint64_t *const at = (uint64_t *)(uintptr_t)down->words[how->place];
        const uint64_t r = next(lane);
        at[0] = r % 3 == 0 ? lie(lane) : base + down->top + (r >> 8) % 256;
        if (how->kind != 'i' && how->kind != 'f' && how->kind != 'd')
            at[1] = (r >> 16) % 3 == 0 ? lie(lane) : (r >> 24) % 64;
        for (uint32_t j = 2; j < how->size / 8 && how->kind == 's'; j++)
            at[j] = (r >> (j % 32)) % 2 ? at[j] : lie(lane);
        atomic_fetch_add_explicit(changes, 2, memory_order_relaxed);
    }
}

static const char *const ids[] = {"lend.db/1", "lend.clock/2", "values.world/1", "falling.host/1", "none/1"};

static void fill(struct seen_lane *lane, struct wire_message *up, const struct wire_message *down)
{
    const uint64_t r = next(lane), base = (uint64_t)(uintptr_t)lane->shared;
    char *const text = (char *)lane->shared + down->top;

    *up = (struct wire_message){.kind = WIRE_RETURN, .top = down->top + 4096};
    up->output = (down->output == 0 ? lane->size / 2 : down->output) + (r >> 8) % 64;
    switch (r % 8) {
    case 0:
    case 1:
        up->kind = WIRE_SERVICE;
        up->text = (uint64_t)(text - (char *)lane->shared);
        up->text_size = strlen(ids[(r >> 16) % 5]);
        memcpy(text, ids[(r >> 16) % 5], up->text_size);
        break;
    case 2:
    case 3:
        up->kind = WIRE_CALLBACK;
        up->function = (r >> 16) % 3;
        up->place = (uint32_t)(r >> 24) % 9;
        for (int i = 0; i < WIRE_WORDS; i++) {
            const uint64_t s = next(lane);
            up->words[i] = s % 4 == 0 ? lie(lane) : base + down->top + 256 + s % 16 * 32;
            ((uint64_t *)(void *)(text + 256))[i * 2] = s % 3 == 0 ? lie(lane) : base + down->top + (s >> 8) % 512;
            ((uint64_t *)(void *)(text + 256))[i * 2 + 1] = (s >> 20) % 3 == 0 ? lie(lane) : (s >> 32) % 64;
        }
        break;
    case 4: up->kind = WIRE_PATH; break;
    case 5:
        up->status = (int32_t)(r >> 16) % 12;
        up->text = down->top;
        up->text_size = (r >> 32) % 100;
        break;
    default: write_results(lane, down); break;
    }
    atomic_fetch_add_explicit(changes, 1, memory_order_relaxed);
    for (uint64_t wrong = (r >> 56) % 4; wrong > 0; wrong--) {
        atomic_fetch_add_explicit(changes, 1, memory_order_relaxed);
        switch (next(lane) % 10) {
        case 0: up->kind = (uint32_t)lie(lane); break;
        case 1: up->status = (int32_t)lie(lane); break;
        case 2: up->flags = (uint32_t)lie(lane); break;
        case 3: up->place = (uint32_t)lie(lane); break;
        case 4: up->function = lie(lane); break;
        case 5: up->top = lie(lane); break;
        case 6: up->output = lie(lane); break;
        case 7: up->text = lie(lane); break;
        case 8: up->text_size = lie(lane); break;
        default: change_anywhere(lane);
        }
    }
}

static void *lie_on(void *argument)
{
    struct seen_lane *const lane = argument;
    struct wire_lane *const shared = lane->shared;
    uint32_t seen = atomic_load(&shared->up.sent); /* as many were answered; a second answer would be one too many */

    for (;;) {
        const struct timespec little = {0, 1000000};
        const uint32_t sent = atomic_load(&shared->down.sent);
        if (sent == seen) {
            syscall(SYS_futex, &shared->down.sent, FUTEX_WAIT, seen, &little, NULL, 0);
            continue;
        }
        seen = sent;
        const struct wire_message down = shared->down.message;
        fill(lane, &shared->up.message, &down);
        atomic_fetch_add(&shared->up.sent, 1);
        syscall(SYS_futex, &shared->up.sent, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
    }
    return NULL;
}

static void *race(void *argument)
{
    for (;;) {
        for (int i = 0; i < 64; i++)
            change_anywhere(argument);
        usleep(50);
    }
    return NULL;
}

/* ---- Both ------------------------------------------------------------------------------------------------- */

static void stay(int number)
{
    (void)number;
    for (;;)
        pause();
}

static bool is_mine(pid_t id)
{
    for (int i = 0; i < mine_count; i++)
        if (mine[i] == id)
            return true;
    return id == getpid() || id == opener;
}

static void stop_others(void)
{
    DIR *const tasks = opendir("/proc/self/task");
    const struct dirent *each;

    while (tasks != NULL && (each = readdir(tasks)) != NULL) {
        const pid_t id = (pid_t)atoi(each->d_name);
        if (id > 0 && !is_mine(id))
            syscall(SYS_tgkill, getpid(), id, SIGUSR1);
    }
    if (tasks != NULL)
        closedir(tasks);
}

/* What must be refused: the memory cannot become shorter, and holes in it are only zeros. */
static void shorten(void)
{
    char path[64];

    for (int i = 3; i < 64; i++) {
        snprintf(path, sizeof path, "/proc/self/fd/%d", i);
        (void)!truncate(path, 0);
        (void)fcntl(i, F_ADD_SEALS, F_SEAL_WRITE);
        (void)ftruncate(i, 0);
    }
    for (int i = 0; i < lane_count; i++) {
        DIR *const files = opendir("/proc/self/map_files");
        const struct dirent *each;
        while (files != NULL && (each = readdir(files)) != NULL) {
            unsigned long long begin;
            int file;
            if (sscanf(each->d_name, "%llx-", &begin) != 1 || begin != (uintptr_t)lanes[i].shared)
                continue;
            snprintf(path, sizeof path, "/proc/self/map_files/%.40s", each->d_name);
            file = open(path, O_RDWR);
            if (ftruncate(file, 0) == 0 || ftruncate(file, (off_t)lanes[i].size * 2) == 0)
                abort(); /* the tests see that */
            (void)fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)lanes[i].size);
            close(file);
        }
        if (files != NULL)
            closedir(files);
        madvise((char *)lanes[i].shared + WIRE_HEAD, lanes[i].size - WIRE_HEAD, MADV_REMOVE);
    }
}

static void look_for_lanes(void *(*attack)(void *))
{
    FILE *const maps = fopen("/proc/self/maps", "r");
    char line[512];

    while (maps != NULL && fgets(line, sizeof line, maps) != NULL) {
        unsigned long long begin, end;
        bool known = false;
        if (strstr(line, "loader-lane") == NULL || sscanf(line, "%llx-%llx", &begin, &end) != 2)
            continue;
        for (int i = 0; i < lane_count; i++)
            known = known || lanes[i].shared == (void *)(uintptr_t)begin;
        if (known || lane_count == MOST_LANES_HERE)
            continue;
        struct seen_lane *const lane = &lanes[lane_count];
        pthread_t thread;
        *lane = (struct seen_lane){(struct wire_lane *)(uintptr_t)begin, end - begin,
                                   (SEED + (uint64_t)getpid()) * UINT64_C(0x9E3779B97F4A7C15) + (uint64_t)lane_count};
        lane_count++;
        shorten();
#ifdef LIAR
        for (int i = 0; i < 10; i++) { /* its thread comes after its memory */
            usleep(500);
            stop_others();
        }
        usleep(500);
#endif
        pthread_create(&thread, NULL, attack, lane);
    }
    if (maps != NULL)
        fclose(maps);
}

static void *look(void *argument)
{
    (void)argument;
    mine[mine_count++] = (pid_t)syscall(SYS_gettid);
#ifdef LIAR
    for (; lane_count == 0; usleep(100)) /* of one lane: what stops others would stop who lies in the first */
        look_for_lanes(lie_on);
    for (;;)
        pause();
#else
    (void)lie_on;
    (void)stop_others;
    for (;; usleep(1000))
        look_for_lanes(race);
#endif
    return NULL;
}

__attribute__((constructor)) static void begin(void)
{
    pthread_t thread;
#ifdef COUNTER
    const int file = open(COUNTER, O_RDWR);
    void *const there = mmap(NULL, 8, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (there != MAP_FAILED)
        changes = there;
    close(file);
#endif
    opener = (pid_t)syscall(SYS_gettid);
    signal(SIGUSR1, stay);
    pthread_create(&thread, NULL, look, NULL);
    (void)race;
}
