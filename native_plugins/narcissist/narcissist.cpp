// narcissist.cpp: plugin for contract htmlize. Every standalone I of the contents, tags included, becomes
// <b>I (author)</b>, or <b>I</b> where the post has no author. Standalone: no ASCII letter, digit or underscore on
// either side (\bI\b).
#include "htmlize/htmlize.h"
#include "loader/plugin.hpp"

#include <cstring>
#include <string>
#include <string_view>

LOADER_NEVER_BLOCKS(hooks);
LOADER_NEVER_BLOCKS(process_contents);

namespace {

// Not std::isalnum: that one asks the process's locale.
bool is_word(char character)
{
    return (character >= '0' && character <= '9') || (character >= 'A' && character <= 'Z') ||
           (character >= 'a' && character <= 'z') || character == '_';
}

bool stands_alone(std::string_view text, std::size_t at)
{
    return (at == 0 || !is_word(text[at - 1])) && (at + 1 == text.size() || !is_word(text[at + 1]));
}

} // namespace

int hooks(loader_call *call)
{
    return loader::guard(call, [](loader::Call &out) { out << "contents\n"; });
}

int process_contents(loader_call *call, const loader_text *contents, const htmlize_post *post)
{
    return loader::guard(call, [&](loader::Call &out) {
        const std::string_view text = loader::view(contents);
        const std::string_view author = loader::view(post->author);
        std::string signed_i = "<b>I";
        if (!author.empty()) // "I ()" would say nothing
            signed_i.append(" (").append(author).append(")");
        signed_i.append("</b>");

        (void)out.reserve(text.size()); // the result is at least as long: grow once for most of it
        std::size_t written = 0;
        for (std::size_t at = 0; at < text.size(); ++at) {
            const void *found = std::memchr(text.data() + at, 'I', text.size() - at);
            if (found == nullptr)
                break;
            at = static_cast<std::size_t>(static_cast<const char *>(found) - text.data());
            if (!stands_alone(text, at))
                continue;
            out << text.substr(written, at - written) << signed_i;
            written = at + 1;
        }
        out << text.substr(written);
    });
}
