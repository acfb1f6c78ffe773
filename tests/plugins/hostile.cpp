// hostile.cpp: plugins of contract greeter that throw. THROW, on the compiler's command line, is what.
#include "greeter.h"
#include "loader/plugin.hpp"

#include <stdexcept>

struct Unknown {};

int greet(loader_call *call, const loader_text *name)
{
    return loader::guard(call, [&](loader::Call &out) {
        out << "half of a greeting for " << loader::view(name);
        if (name->size != 0)
            throw THROW;
    });
}
