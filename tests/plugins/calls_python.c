/* A plugin whose constructor runs Python: what LOADER_TEST_CODE of the environment says, as a constructor that calls
 * back into its host by the host's own C API would. A greeter too. */
#define _GNU_SOURCE
#include "greeter.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#ifndef BUILD
#  define BUILD 0
#endif

__attribute__((constructor)) static void begin(void)
{
    const char *code = getenv("LOADER_TEST_CODE");
    int (*ensure)(void);
    void (*release)(int);
    int (*run)(const char *, void *);
    void *symbols[3] = {dlsym(RTLD_DEFAULT, "PyGILState_Ensure"), dlsym(RTLD_DEFAULT, "PyGILState_Release"),
                        dlsym(RTLD_DEFAULT, "PyRun_SimpleStringFlags")};

    if (code == NULL || symbols[0] == NULL || symbols[1] == NULL || symbols[2] == NULL)
        return;
    memcpy(&ensure, &symbols[0], sizeof ensure);
    memcpy(&release, &symbols[1], sizeof release);
    memcpy(&run, &symbols[2], sizeof run);
    const int state = ensure();
    run(code, NULL);
    release(state);
}

int greet(loader_call *call, const loader_text *name)
{
    return loader_printf(call, "%d %.*s", BUILD, (int)name->size, name->data);
}
