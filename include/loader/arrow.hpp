// arrow.hpp: Arrow arrays in C++: Arrow, one that a plugin gives, and ArrowNumbers, one of numbers that it is lent.
//
// The rules of plugin.hpp hold: what is lent is borrowed until the contract function returns, and belongs to its
// thread. Header only, C++17 or later.
#ifndef LOADER_ARROW_HPP
#define LOADER_ARROW_HPP

#include "loader/plugin.hpp"

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace loader {

// A result that is an Arrow array. arrow_of makes one of numbers; for other types fill both structs, with release
// functions of your own. It owns what they own: it is released here if it is not given.
class Arrow {
public:
    ArrowSchema schema{};
    ArrowArray array{};

    Arrow() noexcept = default;
    Arrow(Arrow &&other) noexcept : schema(other.schema), array(other.array) { other.forget(); }
    Arrow &operator=(Arrow &&other) noexcept
    {
        std::swap(schema, other.schema); // what was here goes with the other
        std::swap(array, other.array);
        return *this;
    }
    ~Arrow()
    {
        if (array.release != nullptr)
            array.release(&array);
        if (schema.release != nullptr)
            schema.release(&schema);
    }

    // Arrow's structs may be moved byte by byte.
    void move_to(loader_arrow &to) noexcept
    {
        *to.schema = schema;
        *to.array = array;
        forget();
    }

private:
    void forget() noexcept
    {
        schema.release = nullptr;
        array.release = nullptr;
    }
};

namespace detail {

// Arrow's letter for a type of numbers.
template <class T> constexpr const char *arrow_format() noexcept
{
    static_assert(std::is_arithmetic_v<T> && !std::is_same_v<T, bool> && sizeof(T) <= 8, "an array of numbers");
    constexpr int size = sizeof(T) == 1 ? 0 : sizeof(T) == 2 ? 1 : sizeof(T) == 4 ? 2 : 3;
    constexpr const char *signed_[] = {"c", "s", "i", "l"}, *unsigned_[] = {"C", "S", "I", "L"};
    return std::is_floating_point_v<T> ? (size == 2 ? "f" : "g") : std::is_signed_v<T> ? signed_[size] : unsigned_[size];
}

template <class T> struct ArrowHeld {
    std::vector<T> values;
    std::vector<unsigned char> valid; // a bit each; empty: all are
    const void *buffers[2];
};

} // namespace detail

// The numbers of an Arrow array, borrowed.
template <class T> class ArrowNumbers {
public:
    // Throws Error(LOADER_INVALID) if it is an array of something else, which numbers for values of a dictionary are; or
    // if no T can be where its numbers are said to be.
    explicit ArrowNumbers(const loader_arrow &arrow)
    {
        const ArrowSchema &schema = *arrow.schema;
        const ArrowArray &array = *arrow.array;
        if (std::strcmp(schema.format, detail::arrow_format<T>()) != 0 || schema.dictionary != nullptr ||
            array.n_buffers != 2)
            throw Error(std::string("an Arrow array of type ") + detail::arrow_format<T>() + " is wanted, not of " +
                            schema.format + (schema.dictionary != nullptr ? " of a dictionary" : ""), LOADER_INVALID);
        if (array.length == 0)
            return;
        if (array.buffers[1] == nullptr || reinterpret_cast<std::uintptr_t>(array.buffers[1]) % alignof(T) != 0)
            throw Error("the numbers of this Arrow array are not there, or not aligned", LOADER_INVALID);
        offset_ = static_cast<std::size_t>(array.offset);
        valid_ = array.null_count == 0 ? nullptr : static_cast<const unsigned char *>(array.buffers[0]);
        values_ = Span<const T>(static_cast<const T *>(array.buffers[1]) + offset_, static_cast<std::size_t>(array.length));
    }

    std::size_t size() const noexcept { return values_.size(); }
    // `index` is less than size(); it is not checked. What stands in the place of a null means nothing.
    T operator[](std::size_t index) const noexcept { return values_[index]; }
    bool is_null(std::size_t index) const noexcept
    {
        const std::size_t bit = offset_ + index;
        return valid_ != nullptr && (valid_[bit / 8] >> (bit % 8) & 1) == 0;
    }
    Span<const T> values() const noexcept { return values_; }

private:
    Span<const T> values_;
    const unsigned char *valid_ = nullptr;
    std::size_t offset_ = 0;
};

// A result that is an Arrow array of these numbers. `valid`, if it is not empty, is as long and says which are no null.
template <class T> Arrow arrow_of(std::vector<T> values, const std::vector<bool> &valid = {})
{
    if (!valid.empty() && valid.size() != values.size())
        throw Error("an Arrow array of " + std::to_string(values.size()) + " numbers, of which " +
                    std::to_string(valid.size()) + " are said to be null or not");
    auto held = std::make_unique<detail::ArrowHeld<T>>();
    Arrow made;
    held->values = std::move(values);
    held->valid.resize((valid.size() + 7) / 8);
    for (std::size_t i = 0; i < valid.size(); i++) {
        if (valid[i])
            held->valid[i / 8] = static_cast<unsigned char>(held->valid[i / 8] | 1U << i % 8);
        else
            made.array.null_count++;
    }
    held->buffers[0] = valid.empty() ? nullptr : held->valid.data();
    held->buffers[1] = held->values.data();
    made.schema.format = detail::arrow_format<T>();
    made.schema.name = "";
    made.schema.flags = ARROW_FLAG_NULLABLE;
    made.schema.release = [](ArrowSchema *schema) { schema->release = nullptr; };
    made.array.length = static_cast<std::int64_t>(held->values.size());
    made.array.n_buffers = 2;
    made.array.buffers = held->buffers;
    made.array.private_data = held.release();
    made.array.release = [](ArrowArray *array) {
        delete static_cast<detail::ArrowHeld<T> *>(array->private_data);
        array->release = nullptr;
    };
    return made;
}

} // namespace loader

#endif // LOADER_ARROW_HPP
