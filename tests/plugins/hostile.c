/* hostile.c: plugins of contract greeter that are not what they should be. One source; what is wrong with each is
 * said on the compiler's command line:
 *
 *     MARKS           which markers it exports, as a list of MARK(name); the right ones if not given
 *     GREET           what greet does: a function of the section "What greet does"
 *     NO_GREET        it has no greet
 *     GREET_IS_DATA   it has a greet that is not a function
 *     HAS_SECRET      it exports secret_of_another, which GREET=looks_around looks for
 *     PARROT          it has the functions of contract parrot too
 *     NEEDS           the name of a function of another library that greet calls
 *     BUILD           any number: makes otherwise equal files different, so that constructors run anew
 *
 * All of them leave a line in the file that LOADER_TEST_SENTINEL names when their constructor runs.
 */
#define _GNU_SOURCE
#define LOADER_HOST /* no markers from headers: MARKS says which */
#include "parrot.h"

#include <stdlib.h>

#define VISIBLE __attribute__((visibility("default")))
#define MARK(name) extern VISIBLE const unsigned char name; const unsigned char name = 1;
#ifndef MARKS
#  define MARKS MARK(loader_abi_1) MARK(greeter_abi_1_0)
#endif
#ifndef GREET
#  define GREET greets
#endif
#ifndef BUILD
#  define BUILD 0
#endif

MARKS

VISIBLE extern const int build;
const int build = BUILD;

__attribute__((constructor)) static void leave_sentinel(void)
{
    const char *path = getenv("LOADER_TEST_SENTINEL");
    FILE *file = path == NULL ? NULL : fopen(path, "a");

    if (file != NULL) {
        fputs("a constructor ran\n", file);
        fclose(file);
    }
}

/* ---- What greet does --------------------------------------------------------------------------------- */

#define WAY(name) __attribute__((unused)) static int name(loader_call *call, const loader_text *name_)

WAY(greets)
{
    return loader_printf(call, "Hello, %.*s!", LOADER_PRINT(name_));
}

WAY(greets_with_build)
{
    return loader_printf(call, "%d greets %.*s", build, LOADER_PRINT(name_));
}

WAY(writes_nothing)
{
    (void)call, (void)name_;
    return LOADER_OK;
}

WAY(fails_with_text)
{
    return loader_fail(call, "I do not know %.*s", LOADER_PRINT(name_));
}

WAY(fails_without_text)
{
    (void)call, (void)name_;
    return LOADER_FAILED;
}

WAY(returns_unknown_status)
{
    (void)call, (void)name_;
    return 77;
}

WAY(returns_negative_status)
{
    (void)call, (void)name_;
    return -1;
}

WAY(writes_a_gibibyte)
{
    const size_t piece = (size_t)1 << 20;
    (void)name_;
    for (int i = 0; i < 1024; i++) {
        char *room = loader_reserve(call, piece);
        if (room == NULL)
            return LOADER_NO_MEMORY;
        memset(room, 'x', piece);
        loader_commit(call, piece);
    }
    return LOADER_OK;
}

WAY(writes_invalid_utf8)
{
    (void)name_;
    return loader_write_string(call, "good \xc3\xa9, then bad \xff");
}

WAY(fails_in_invalid_utf8)
{
    (void)name_;
    return loader_fail_with(call, LOADER_FAILED, "caf\xe9 is shut", 12);
}

WAY(fails_at_length)
{
    static char text[1 << 20];
    (void)name_;
    for (size_t i = 0; i + 1 < sizeof text; i += 2)
        memcpy(text + i, "\xc3\xa9", 2);
    return loader_fail_with(call, LOADER_FAILED, text + 1, sizeof text - 1); /* begins inside a character */
}

WAY(fails_with_null)
{
    (void)name_;
    return loader_fail_with(call, LOADER_FAILED, NULL, 9);
}

WAY(fails_with_ok)
{
    (void)name_;
    return loader_fail_with(call, LOADER_OK, "all is well", 11);
}

WAY(ignores_lack_of_room)
{
    (void)name_;
    for (int i = 0; i < 100000; i++)
        (void)loader_write_string(call, "ten bytes.");
    return LOADER_OK;
}

WAY(asks_for_everything)
{
    (void)name_;
    return loader_reserve(call, SIZE_MAX) == NULL ? LOADER_NO_MEMORY : LOADER_OK;
}

WAY(moves_next_backwards)
{
    (void)name_;
    call->next -= 1;
    return LOADER_OK;
}

#ifdef NEEDS
int NEEDS(void);
WAY(asks_neighbour)
{
    (void)name_;
    return loader_printf(call, "neighbour says %d", NEEDS());
}
#endif

/* HAS_SECRET defines a symbol that no other plugin may find. */
#ifdef HAS_SECRET
VISIBLE int secret_of_another(void);
int secret_of_another(void)
{
    return 42;
}
#else
__attribute__((weak)) int secret_of_another(void);

WAY(looks_around)
{
    (void)name_;
    return loader_write_string(call, secret_of_another == NULL ? "alone" : "seen");
}
#endif

#if defined(GREET_IS_DATA)
VISIBLE extern const int greet;
const int greet = 42;
#elif !defined(NO_GREET)
VISIBLE int greet(loader_call *call, const loader_text *name);
int greet(loader_call *call, const loader_text *name)
{
    return GREET(call, name);
}
#endif

#ifdef PARROT
VISIBLE int repeat(loader_call *call, const loader_text *text, uint8_t times)
{
    int status = LOADER_OK;
    while (status == LOADER_OK && times-- > 0)
        status = loader_write_text(call, text);
    return status;
}
#endif
