// bench.cpp: measured plugin in C++, written with the kit. The same roles as bench.c.
#include "htmlize/htmlize.h"
#include "loader/plugin.hpp"

#include <string>

int hooks(loader_call *call)
{
    return loader::guard(call, [](loader::Call &out) { out << "role:tt\nrole:fail\nrole:callback\n"; });
}

static void call_back(loader::Call &out, const loader_text *text)
{
    const auto *posts = out.service<htmlize_posts>("htmlize.posts/1");
    loader_text title = {nullptr, 0};

    if (posts == nullptr || !LOADER_HAS(posts, title))
        out.fail("no service");
    for (long left = std::stol(std::string(loader::view(text))); left > 0; --left)
        out.check(posts->title(out.raw(), posts, 42, &title));
    out << title;
}

int process_role(loader_call *call, const loader_text *role, const loader_text *text,
                 const htmlize_post *post)
{
    return loader::guard(call, [&](loader::Call &out) {
        if (loader::view(role) == "tt")
            out << "<tt>" << *text << "</tt>";
        else if (loader::view(role) == "fail")
            out.fail("no post " + std::to_string(post->id));
        else
            call_back(out, text);
    });
}
