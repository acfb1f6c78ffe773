/* serving.cpp: calls a service inside of the C++ kit's guard, which catches all that comes along. */
#include "loader/plugin.hpp"
#include "serving.h"

extern "C" int serve(loader_call *call, int64_t times)
{
    return loader::guard(call, [&](loader::Call &) {
        const serving_app *app = serving_app_get(call);
        for (int64_t i = 0; app != nullptr && i < times; i++)
            if (app->work(call, app) != LOADER_OK)
                throw loader::Error("the service failed");
    });
}
