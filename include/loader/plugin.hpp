// plugin.hpp: the C++ kit over <loader/plugin.h>: views, a writer, and exceptions turned into errors.
//
//     #include "greeter.h"
//     #include "loader/plugin.hpp"
//
//     int greet(loader_call *call, const loader_text *name)
//     {
//         return loader::guard(call, [&](loader::Call &out) {
//             if (name->size == 0)
//                 throw loader::Error("a greeting needs a name");
//             out << "Hello, " << loader::view(name) << "!";
//         });
//     }
//
// The rules of plugin.h hold for everything here:
//
//   owner     A Call, a view and Bytes own nothing; what they show belongs to the host. Copy to keep.
//   lifetime  Until the contract function that received the pointers returns. Never store one of them.
//   thread    The thread that the function was entered on, and no other.
//   return    What can fail throws; guard turns whatever is thrown into the status and text of the call.
//   unwinding guard lets nothing out. Put the whole body of every exported function into it. It also catches
//             what pthread_cancel throws, which ends the process: do not cancel threads that run a plugin.
//
// Header only, C++17 or later. It has no state and no static variables, so plugins share nothing through it.
#ifndef LOADER_PLUGIN_HPP
#define LOADER_PLUGIN_HPP

#include "loader/plugin.h"

#include <charconv>
#include <cstddef>
#include <exception>
#include <iterator>
#include <new>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#if defined(__cplusplus) && __cplusplus < 201703L && !(defined(_MSVC_LANG) && _MSVC_LANG >= 201703L)
#  error "loader/plugin.hpp needs C++17 (-std=c++17)"
#endif

namespace loader {

// ---- Views ---------------------------------------------------------------------------------------------

// Raw bytes, borrowed. A contiguous range: it converts to std::span<const unsigned char> in C++20.
class Bytes {
public:
    constexpr Bytes() noexcept = default;
    constexpr Bytes(const unsigned char *data, std::size_t size) noexcept : data_(data), size_(size) {}

    constexpr const unsigned char *data() const noexcept { return data_; }
    constexpr std::size_t size() const noexcept { return size_; }
    constexpr bool empty() const noexcept { return size_ == 0; }
    constexpr const unsigned char *begin() const noexcept { return data_; }
    constexpr const unsigned char *end() const noexcept { return size_ == 0 ? data_ : data_ + size_; }
    // `index` is less than size(); it is not checked.
    constexpr const unsigned char &operator[](std::size_t index) const noexcept { return data_[index]; }

private:
    const unsigned char *data_ = nullptr;
    std::size_t size_ = 0;
};

// Items one behind another, borrowed: numbers, structs. Span<const T> may be read, Span<T> changed in place. A
// contiguous range: it converts to std::span in C++20.
template <class T> class Span {
public:
    constexpr Span() noexcept = default;
    constexpr Span(T *data, std::size_t size) noexcept : data_(data), size_(size) {}
    // What has the same items and outlives the call that it is passed to: a vector, an array, a Span<T>.
    template <class Range,
              class = std::enable_if_t<!std::is_same_v<std::decay_t<Range>, Span> &&
                                       std::is_convertible_v<decltype(std::data(std::declval<Range &>())), T *>>>
    constexpr Span(Range &&range) noexcept : data_(std::data(range)), size_(std::size(range))
    {
    }

    constexpr T *data() const noexcept { return data_; }
    constexpr std::size_t size() const noexcept { return size_; }
    constexpr bool empty() const noexcept { return size_ == 0; }
    constexpr T *begin() const noexcept { return data_; }
    constexpr T *end() const noexcept { return size_ == 0 ? data_ : data_ + size_; }
    // `index` is less than size(); it is not checked.
    constexpr T &operator[](std::size_t index) const noexcept { return data_[index]; }

private:
    T *data_ = nullptr;
    std::size_t size_ = 0;
};

// A result that is an array, in memory of the host's: Call::alloc makes it, and nothing else. It owns nothing; what
// a function does not return goes when the function returns.
template <class T> class Array : public Span<T> {
public:
    constexpr Array() noexcept = default;

private:
    friend class Call;
    using Span<T>::Span;
};

// The text as a view; `text` is not null. Borrowed until the contract function returns. Does not throw.
constexpr std::string_view view(const loader_text &text) noexcept
{
    return text.size == 0 ? std::string_view() : std::string_view(text.data, text.size);
}

constexpr std::string_view view(const loader_text *text) noexcept
{
    return view(*text);
}

// The bytes as a range; `bytes` is not null. Borrowed until the contract function returns. Does not throw.
constexpr Bytes view(const loader_bytes &bytes) noexcept
{
    return bytes.size == 0 ? Bytes() : Bytes(bytes.data, bytes.size);
}

constexpr Bytes view(const loader_bytes *bytes) noexcept
{
    return view(*bytes);
}

// ---- Errors --------------------------------------------------------------------------------------------

// An expected failure: guard returns its status, and what() becomes the call's error text. Owns its text.
// Any other std::exception is unexpected and becomes LOADER_EXCEPTION.
class Error : public std::exception {
public:
    // Throws std::bad_alloc if the text cannot be copied. LOADER_OK as a status is taken for LOADER_FAILED.
    explicit Error(std::string text, int status = LOADER_FAILED) : text_(std::move(text)), status_(status) {}

    const char *what() const noexcept override { return text_.c_str(); }
    std::string_view text() const noexcept { return text_; } // may hold NUL bytes, unlike what()
    int status() const noexcept { return status_; }

private:
    std::string text_;
    int status_;
};

// A status on its way out, its text being in the call already (a service or the host put it there). Not a
// std::exception, so that a plugin's own `catch (const std::exception &)` does not stop it by accident.
class Passed {
public:
    explicit Passed(int status) noexcept : status_(status) {}
    int status() const noexcept { return status_; }

private:
    int status_;
};

// ---- The call ------------------------------------------------------------------------------------------

// Appends to the result of one call. Borrows the loader_call that it was made from; not thread-safe. Copies
// of a Writer append to the same result. Everything that needs room throws Passed(LOADER_NO_MEMORY) if the
// host has none to give; what was written before stays written.
class Writer {
public:
    // `call` is not null.
    explicit Writer(loader_call *call) noexcept : call_(call) {}

    // Copies the text, which need not live longer than this call.
    Writer &write(std::string_view text) { return append(text.data(), text.size()); }
    Writer &write(Bytes bytes) { return append(bytes.data(), bytes.size()); }

    // Appends the number in decimal.
    template <class Integer> Writer &number(Integer value)
    {
        static_assert(std::is_integral_v<Integer> && !std::is_same_v<Integer, bool>, "an integer is written");
        constexpr std::size_t longest = 3 * sizeof(Integer) + 2; // a sign and at most 2.41 digits a byte
        char *room = reserve(longest);
        const std::to_chars_result end = std::to_chars(room, room + longest, value); // cannot fail: it fits
        commit(static_cast<std::size_t>(end.ptr - room));
        return *this;
    }

    // Room for `size` bytes. Owned by the host and lost at the next use of the call: write, then commit.
    [[nodiscard]] char *reserve(std::size_t size)
    {
        char *room = loader_reserve(call_, size);
        if (!LOADER_LIKELY(room != nullptr))
            throw Passed(LOADER_NO_MEMORY);
        return room;
    }

    // The first `size` bytes of what reserve gave are output now; `size` is at most what was asked for.
    void commit(std::size_t size) noexcept { loader_commit(call_, size); }

    // The C view of this call, for the functions of plugin.h and for services. Borrowed.
    loader_call *raw() const noexcept { return call_; }

    Writer &operator<<(std::string_view text) { return write(text); }
    Writer &operator<<(const char *text) { return write(std::string_view(text)); }
    Writer &operator<<(const std::string &text) { return write(std::string_view(text)); }
    Writer &operator<<(const loader_text &text) { return write(view(text)); }
    Writer &operator<<(char character) { return append(&character, 1); }
    // Every other integer in decimal. Not bool and not the other character types: what would be meant?
    template <class Integer,
              class = std::enable_if_t<std::is_integral_v<Integer> && !std::is_same_v<Integer, bool> &&
                                       !std::is_same_v<Integer, wchar_t> &&
                                       !std::is_same_v<Integer, char16_t> &&
                                       !std::is_same_v<Integer, char32_t>>>
    Writer &operator<<(Integer value)
    {
        return number(value);
    }

private:
    Writer &append(const void *data, std::size_t size)
    {
        if (!LOADER_LIKELY(loader_write(call_, data, size) == LOADER_OK))
            throw Passed(LOADER_NO_MEMORY);
        return *this;
    }

    loader_call *call_;
};

// One call: its output (see Writer), and everything else that the host lends while it runs. Borrowed, for the
// calling thread only, like all of it.
class Call : public Writer {
public:
    using Writer::Writer;

    // Ends the call with an error; the same as throwing Error.
    [[noreturn]] void fail(std::string text, int status = LOADER_FAILED) const
    {
        throw Error(std::move(text), status);
    }

    // Hands on the status of a function of the host or of a service: returns if it is LOADER_OK, otherwise
    // ends the call with that status and the text that the other side has set.
    void check(int status) const
    {
        if (!LOADER_LIKELY(status == LOADER_OK))
            throw Passed(status);
    }

    // Returns if the host wants the call to go on; ends it with LOADER_CANCELLED or LOADER_DEADLINE if not.
    // Costs about as much as reading a clock: ask every few thousand steps of long work.
    void check_cancelled() const { check(loader_cancelled(raw())); }

    // Sends one line to the application's log (copied). Does not throw.
    void log(loader_level level, std::string_view text) const noexcept
    {
        loader_log(raw(), level, text.data(), text.size());
    }

    // The absolute path of the plugin's file, as it was named to the host: see loader_plugin_path. Borrowed until
    // the contract function returns; empty if the host is older than this. Does not throw.
    std::string_view plugin_path() const noexcept { return view(loader_plugin_path(raw())); }

    // Room of the host's for an array of `count` numbers or structs, which are not set to anything: return it as a
    // result, or use it as scratch. Throws Error for a negative count, Passed(LOADER_NO_MEMORY).
    template <class T, class Integer> [[nodiscard]] Array<T> alloc(Integer count) const
    {
        static_assert(std::is_integral_v<Integer> && std::is_trivially_copyable_v<T>, "an array of numbers or structs");
        if constexpr (std::is_signed_v<Integer>)
            if (count < 0)
                throw Error("an array of " + std::to_string(count) + " items was wanted", LOADER_INVALID);
        if (count == 0)
            return Array<T>();
        const std::size_t size = static_cast<std::size_t>(count);
        void *room = loader_alloc_items(raw(), size, sizeof(T));
        if (!LOADER_LIKELY(room != nullptr))
            throw Passed(LOADER_NO_MEMORY);
        return Array<T>(static_cast<T *>(room), size);
    }

    // A copy of the text or bytes in memory of the host's, for a result that is a struct with a member of that type.
    loader_text keep(std::string_view text) const
    {
        const Array<char> copy = alloc<char>(text.size());
        loader_copy(copy.data(), text.data(), text.size());
        return loader_text{copy.data(), copy.size()};
    }
    loader_bytes keep(Bytes bytes) const
    {
        const Array<char> copy = alloc<char>(bytes.size());
        loader_copy(copy.data(), bytes.data(), bytes.size());
        return loader_bytes{reinterpret_cast<const unsigned char *>(copy.data()), copy.size()};
    }

    // The table of a service, or null if the host lends none under this id ("app.db/1"). Owned by the host,
    // borrowed until the contract function returns. `Table` is the struct that the service's header declares.
    template <class Table> const Table *service(std::string_view id) const noexcept
    {
        return static_cast<const Table *>(raw()->host->service(raw(), id.data(), id.size()));
    }
};

// ---- The plugin's edge ---------------------------------------------------------------------------------

namespace detail {

// Turns the exception in flight into a status, its text into the call's error text. Called in a handler only.
// One function for all guards, so that each guard stays small.
inline int status_of_exception(loader_call *call) noexcept
{
    const auto fail = [call](int status, std::string_view text) {
        return loader_fail_with(call, status, text.data(), text.size());
    };
    try {
        throw;
    } catch (const Passed &passed) {
        return passed.status() == LOADER_OK ? LOADER_FAILED : passed.status();
    } catch (const Error &error) {
        return fail(error.status(), error.text());
    } catch (const std::bad_alloc &error) {
        return fail(LOADER_NO_MEMORY, error.what());
    } catch (const std::exception &error) {
        return fail(LOADER_EXCEPTION, error.what());
    } catch (...) {
        return fail(LOADER_EXCEPTION, "what was thrown is not a std::exception");
    }
}

} // namespace detail

// Runs `body(Call &)` and returns a contract function's status. If the body returns nothing, its end is
// LOADER_OK; if it returns an int, that is the status. Thrown:
//
//     loader::Error            its status and text
//     loader::Passed           its status; the text stays as the host or a service set it
//     std::bad_alloc           LOADER_NO_MEMORY
//     any std::exception       LOADER_EXCEPTION with what()
//     anything else            LOADER_EXCEPTION
//
// `call` is borrowed. Never throws; costs nothing while nothing is thrown.
template <class Body> int guard(loader_call *call, Body &&body) noexcept
{
    try {
        Call out(call);
        if constexpr (std::is_void_v<std::invoke_result_t<Body, Call &>>) {
            std::forward<Body>(body)(out);
            return LOADER_OK;
        } else {
            static_assert(std::is_same_v<std::invoke_result_t<Body, Call &>, int>,
                          "a guarded body returns nothing or a status");
            return std::forward<Body>(body)(out);
        }
    } catch (...) {
        return detail::status_of_exception(call);
    }
}

} // namespace loader

#endif // LOADER_PLUGIN_HPP
