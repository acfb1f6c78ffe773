/* driver.c: a host for endtoend_test.go. Loads a plugin and makes calls, all in one process:
 *
 *     driver FILE THREADS ROUNDS FUNCTION TEXT... [, FUNCTION TEXT...]...
 *
 * A TEXT "@N" is N bytes 'a'. Functions called process_... get a post behind their texts. Each thread makes
 * all calls ROUNDS times and every answer must equal the first. Prints, for each call, "STATUS ERROR_SIZE
 * OUTPUT_SIZE\n", error text, output, "\n".
 */
#include "host.h"

#include <dlfcn.h>
#include <pthread.h>

enum { MOST_CALLS = 16, MOST_TEXTS = 3, MOST_THREADS = 16 };

typedef int (*function)(loader_call *, const void *, const void *, const void *);

typedef struct answer {
    int status;
    test_call call;
} answer;

typedef struct job {
    function function;
    const void *arguments[MOST_TEXTS];
    answer first;
} job;

static job jobs[MOST_CALLS];
static size_t job_count;
static long rounds;
static loader_text texts[MOST_CALLS * MOST_TEXTS];
static const htmlize_post post = {sizeof post, 42, {"Joe", 3}, {"Pie", 3}, {"I like pie", 10}};

static answer enter(const job *j)
{
    answer a;

    test_begin(&a.call, (size_t)1 << 30);
    a.call.lends = 1;
    a.status = j->function(&a.call.call, j->arguments[0], j->arguments[1], j->arguments[2]);
    return a;
}

static size_t size_of(const answer *a)
{
    return (size_t)(a->call.call.next - a->call.begin);
}

static int same(const answer *a, const answer *b)
{
    return a->status == b->status && size_of(a) == size_of(b) &&
           a->call.call.error.size == b->call.call.error.size &&
           (size_of(a) == 0 || memcmp(a->call.begin, b->call.begin, size_of(a)) == 0) &&
           (a->call.error == NULL || memcmp(a->call.error, b->call.error, a->call.call.error.size) == 0);
}

static void *work(void *unused)
{
    (void)unused;
    for (long round = 0; round < rounds; round++)
        for (size_t i = 0; i < job_count; i++) {
            answer a = enter(&jobs[i]);
            if (!same(&a, &jobs[i].first)) {
                (void)fprintf(stderr, "call %zu gave another answer in round %ld\n", i, round);
                exit(1);
            }
            test_end(&a.call);
        }
    return NULL;
}

static loader_text read_text(const char *word)
{
    loader_text text = {word, strlen(word)};

    if (word[0] == '@') {
        char *filled;
        text.size = strtoul(word + 1, NULL, 10);
        filled = malloc(text.size + 1);
        if (filled == NULL)
            exit(1);
        memset(filled, 'a', text.size);
        text.data = filled;
    }
    return text;
}

static void read_jobs(void *library, int argc, char **argv, int at)
{
    while (at < argc && job_count < MOST_CALLS) {
        job *j = &jobs[job_count];
        const char *name = argv[at++];
        void *address = dlsym(library, name);
        size_t count = 0;

        if (address == NULL) {
            (void)fprintf(stderr, "no %s\n", name);
            exit(1);
        }
        memcpy(&j->function, &address, sizeof address);
        for (; at < argc && strcmp(argv[at], ",") != 0 && count < MOST_TEXTS; at++) {
            loader_text *text = &texts[job_count * MOST_TEXTS + count];
            *text = read_text(argv[at]);
            j->arguments[count++] = text;
        }
        if (strncmp(name, "process_", 8) == 0 && count < MOST_TEXTS)
            j->arguments[count] = &post;
        job_count++;
        at++;
    }
}

int main(int argc, char **argv)
{
    pthread_t threads[MOST_THREADS];
    void *library = argc > 4 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
    long thread_count = argc > 4 ? strtol(argv[2], NULL, 10) : 0;

    if (library == NULL || thread_count > MOST_THREADS) {
        (void)fprintf(stderr, "cannot start: %s\n", argc > 4 ? dlerror() : "wrong use");
        return 1;
    }
    rounds = strtol(argv[3], NULL, 10);
    read_jobs(library, argc, argv, 4);
    for (size_t i = 0; i < job_count; i++)
        jobs[i].first = enter(&jobs[i]);
    for (long i = 0; i < thread_count; i++)
        if (pthread_create(&threads[i], NULL, work, NULL) != 0)
            return 1;
    for (long i = 0; i < thread_count; i++)
        (void)pthread_join(threads[i], NULL);
    for (size_t i = 0; i < job_count; i++) {
        answer *a = &jobs[i].first;
        (void)printf("%d %zu %zu\n", a->status, a->call.call.error.size, size_of(a));
        (void)fwrite(a->call.error, 1, a->call.call.error.size, stdout);
        (void)fwrite(a->call.begin, 1, size_of(a), stdout);
        (void)putchar('\n');
        test_end(&a->call);
    }
    return 0;
}
