// kit.cpp: plugin for contract kit that uses every part of loader/plugin.hpp.
#include "kit.h"
#include "loader/plugin.hpp"

#include <cstdint>
#include <cstring>
#include <limits>
#include <new>
#include <stdexcept>
#include <string>

namespace {

int give(loader::Call &out, std::string_view what, loader::Bytes bytes, std::int64_t number)
{
    if (what == "texts") {
        const loader_text text = {"d", 1};
        out << 'a' << ";" << std::string("b") << std::string_view("c") << text;
    } else if (what == "numbers") {
        out << number << ' ' << std::numeric_limits<signed char>::min() << ' '
            << std::numeric_limits<unsigned char>::max() << ' ' << std::numeric_limits<std::int64_t>::min() << ' ';
        out.number(std::numeric_limits<std::uint64_t>::max());
    } else if (what == "bytes") {
        std::size_t count = 0;
        for (const unsigned char byte : bytes)
            count += byte == bytes[count] ? 1U : 0U;
        out.write(bytes) << ' ' << count;
    } else if (what == "room") {
        std::memcpy(out.reserve(100), "xyz and more", 12);
        out.commit(3);
    } else if (what == "status") {
        out.check(LOADER_OK);
        out.check_cancelled();
        out.log(LOADER_DEBUG, "status was asked for");
        if (out.service<void>("nobody.lends/1") == nullptr)
            out << "written";
        return LOADER_OK;
    }
    return LOADER_OK;
}

int fail(loader::Call &out, std::string_view what)
{
    if (what == "returns")
        return loader_fail_with(out.raw(), LOADER_INVALID, "it returned 3", 13);
    if (what == "error")
        out.fail("expected; status 3", LOADER_INVALID);
    if (what == "error_ok")
        throw loader::Error("claims success", LOADER_OK);
    if (what == "passed")
        out.check(loader_fail(out.raw(), "the host said so"));
    if (what == "memory")
        throw std::bad_alloc();
    if (what == "exception")
        throw std::out_of_range("out of range");
    if (what == "stranger")
        throw 42;
    if (what == "huge")
        (void)out.reserve(SIZE_MAX - 4096); // the host has no such room
    return LOADER_OK;
}

} // namespace

int run(loader_call *call, const loader_text *what, const loader_bytes *bytes, std::int64_t number)
{
    return loader::guard(call, [&](loader::Call &out) {
        const int status = fail(out, loader::view(what));
        return status != LOADER_OK ? status : give(out, loader::view(what), loader::view(bytes), number);
    });
}

int walk(loader_call *call)
{
    return loader::guard(call, [](loader::Call &out) { out << "on foot"; });
}
