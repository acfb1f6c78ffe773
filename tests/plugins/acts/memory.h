/* Acts that take more memory, threads or descriptors than a limit, for acts.c. `size`: bytes, or how many. */
#define MEMORY_ACT(name) static bool name(const char *argument, size_t size)

static bool touch(void *memory, size_t size)
{
    if (memory == MAP_FAILED || memory == NULL) return false;
    for (size_t at = 0; at < size; at += 4096) ((volatile char *)memory)[at] = 1;
    return true;
}

static bool map_and_touch(size_t size, int flags, int file)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, file, 0);
    bool done = touch(memory, size);
    if (done) (void)munmap(memory, size);
    return done;
}

MEMORY_ACT(take_heap)
{
    (void)argument;
    void *memory = malloc(size);
    bool done = touch(memory, size);
    free(memory);
    return done;
}

MEMORY_ACT(take_small) /* in pieces, and so by brk */
{
    (void)argument;
    enum { PIECE = 8192 };
    void *list = NULL;
    size_t taken = 0;
    for (void **piece; taken < size && (piece = malloc(PIECE)) != NULL; taken += PIECE) {
        memset(piece, 1, PIECE);
        *piece = list;
        list = piece;
    }
    while (list != NULL) {
        void *next = *(void **)list;
        free(list);
        list = next;
    }
    return taken >= size;
}

MEMORY_ACT(take_private) { return (void)argument, map_and_touch(size, MAP_PRIVATE | MAP_ANONYMOUS, -1); }
MEMORY_ACT(take_shared) { return (void)argument, map_and_touch(size, MAP_SHARED | MAP_ANONYMOUS, -1); }
MEMORY_ACT(take_stack) { return (void)argument, map_and_touch(size, MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN, -1); }

MEMORY_ACT(take_protected) /* reserved first */
{
    (void)argument;
    void *memory = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    bool done = memory != MAP_FAILED && mprotect(memory, size, PROT_READ | PROT_WRITE) == 0 && touch(memory, size);
    if (memory != MAP_FAILED) (void)munmap(memory, size);
    return done;
}

MEMORY_ACT(take_moved)
{
    (void)argument;
    void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return false;
    void *larger = mremap(memory, 4096, size, MREMAP_MAYMOVE);
    bool done = touch(larger, size);
    (void)munmap(done ? larger : memory, done ? size : 4096);
    return done;
}

MEMORY_ACT(take_memory_file)
{
    (void)argument;
    int file = (int)syscall(SYS_memfd_create, "act", 0);
    bool done = file >= 0 && ftruncate(file, (off_t)size) == 0 && map_and_touch(size, MAP_SHARED, file);
    if (file >= 0) (void)close(file);
    return done;
}

MEMORY_ACT(grow_kept) /* argument: the number of a memory file that the host lent */
{
    int file = atoi(argument);
    return ftruncate(file, (off_t)size) == 0 || fallocate(file, 0, 0, (off_t)size) == 0 ||
           pwrite(file, "x", 1, (off_t)size) == 1;
}

MEMORY_ACT(seal_kept) { return (void)size, fcntl(atoi(argument), 1033 /* F_ADD_SEALS */, 0x10) == 0; }

/* Only the page tables of it would be a fortune: nothing is touched here. */
MEMORY_ACT(take_page_tables)
{
    (void)argument, (void)size;
    size_t terabyte = (size_t)1 << 40;
    void *memory = mmap(NULL, terabyte, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) return false;
    (void)munmap(memory, terabyte);
    return true;
}

MEMORY_ACT(huge_pages)
{
    (void)argument, (void)size;
    void *memory = mmap(NULL, 2 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | 0x40000 /* MAP_HUGETLB */, -1, 0);
    if (memory != MAP_FAILED) (void)munmap(memory, 2 << 20);
    return memory != MAP_FAILED || errno != EPERM;
}

MEMORY_ACT(many_files)
{
    (void)argument;
    size_t made = 0, limit = size < 4096 ? size : 4096;
    static int files[4096];
    while (made < limit && (files[made] = dup(1)) >= 0) made++;
    for (size_t i = 0; i < made; i++) (void)close(files[i]);
    return made >= limit;
}

static void *wait_for_gate(void *gate)
{
    (void)pthread_mutex_lock(gate);
    (void)pthread_mutex_unlock(gate);
    return NULL;
}

MEMORY_ACT(many_threads)
{
    (void)argument;
    static pthread_t threads[4096];
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    pthread_attr_t small;
    size_t made = 0, limit = size < 4096 ? size : 4096;
    (void)pthread_attr_init(&small);
    (void)pthread_attr_setstacksize(&small, 65536);
    (void)pthread_mutex_lock(&gate);
    while (made < limit && pthread_create(&threads[made], &small, wait_for_gate, &gate) == 0) made++;
    (void)pthread_mutex_unlock(&gate);
    for (size_t i = 0; i < made; i++) (void)pthread_join(threads[i], NULL);
    return made >= limit;
}

static const struct act MEMORY_ACTS[] = {
    {"take_heap", take_heap}, {"take_small", take_small}, {"take_private", take_private}, {"take_shared", take_shared},
    {"take_stack", take_stack}, {"take_protected", take_protected}, {"take_moved", take_moved},
    {"take_memory_file", take_memory_file}, {"grow_kept", grow_kept}, {"seal_kept", seal_kept},
    {"take_page_tables", take_page_tables}, {"huge_pages", huge_pages}, {"many_files", many_files},
    {"many_threads", many_threads}, {NULL, NULL},
};
