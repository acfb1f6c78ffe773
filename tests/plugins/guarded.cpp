// guarded.cpp: plugin for contract greeter. What greet needs is made when it is first called, under the compiler's own
// lock (a static of a function): it takes a while, writes, logs and asks whether to go on.
#include "greeter.h"
#include "loader/plugin.hpp"

#include <chrono>
#include <string>
#include <thread>

namespace {

struct Table {
    explicit Table(loader_call *call)
    {
        std::this_thread::sleep_for(std::chrono::milliseconds(200));
        const std::string much(100'000, 'x');
        (void)loader_write(call, much.data(), much.size());
        loader_log(call, LOADER_INFO, "made", 4);
        (void)loader_cancelled(call);
    }
    int value = 1;
};

} // namespace

int greet(loader_call *call, const loader_text *name)
{
    return loader::guard(call, [&](loader::Call &out) {
        static const Table table(call);
        out << loader::view(name);
        (void)table.value;
    });
}
