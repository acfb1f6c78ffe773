// bindings.hpp: what C++ bindings of a contract are made of, over <loader/plugin.hpp>: texts, tensors, and the ways of
// values between C and C++. `loader bindings HEADER --lang cpp` writes a header that includes this one; a plugin's
// author includes that, and meets Texts, Tensor, MutableTensor and TensorView here, Arrow in <loader/arrow.hpp>.
//
// The rules of plugin.hpp hold: all views are borrowed until the contract function returns, and belong to its thread.
// Header only, C++17 or later.
#ifndef LOADER_BINDINGS_HPP
#define LOADER_BINDINGS_HPP

#include "loader/arrow.hpp"
#include "loader/plugin.hpp"

#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <vector>

namespace loader {

// ---- Texts ---------------------------------------------------------------------------------------------

// Several texts, borrowed: a range of std::string_view.
class Texts {
public:
    class iterator {
    public:
        using value_type = std::string_view;
        using reference = std::string_view;
        using pointer = void;
        using difference_type = std::ptrdiff_t;
        using iterator_category = std::input_iterator_tag;

        explicit iterator(const loader_text *at) noexcept : at_(at) {}
        std::string_view operator*() const noexcept { return view(*at_); }
        iterator &operator++() noexcept
        {
            ++at_;
            return *this;
        }
        iterator operator++(int) noexcept { return iterator(at_++); }
        bool operator==(const iterator &other) const noexcept { return at_ == other.at_; }
        bool operator!=(const iterator &other) const noexcept { return at_ != other.at_; }

    private:
        const loader_text *at_;
    };

    explicit Texts(const loader_texts &texts) noexcept : texts_(texts) {}

    std::size_t size() const noexcept { return texts_.size; }
    bool empty() const noexcept { return texts_.size == 0; }
    // `index` is less than size(); it is not checked.
    std::string_view operator[](std::size_t index) const noexcept { return view(texts_.data[index]); }
    iterator begin() const noexcept { return iterator(texts_.data); }
    iterator end() const noexcept { return iterator(empty() ? texts_.data : texts_.data + texts_.size); }

private:
    loader_texts texts_;
};

// ---- Tensors -------------------------------------------------------------------------------------------

// The elements of a tensor of N dimensions, borrowed: view(row, column) is an element, wherever its strides put it.
template <class T, std::size_t N> class TensorView {
public:
    std::int64_t extent(std::size_t axis) const noexcept { return shape_[axis]; }
    std::int64_t stride(std::size_t axis) const noexcept { return strides_[axis]; } // in elements
    // Each index is from 0 to below the extent of its axis; it is not checked.
    template <class... Index> T &operator()(Index... index) const noexcept
    {
        static_assert(sizeof...(Index) == N, "an index for each dimension");
        const std::array<std::int64_t, N> indices = {static_cast<std::int64_t>(index)...};
        std::int64_t at = 0;
        for (std::size_t axis = 0; axis < N; axis++)
            at += indices[axis] * strides_[axis];
        return first_[at];
    }

private:
    friend class Tensor;
    explicit TensorView(const loader_tensor &tensor) noexcept
        : first_(reinterpret_cast<T *>(static_cast<char *>(tensor.data) + tensor.byte_offset))
    {
        for (std::size_t axis = 0; axis < N; axis++) {
            shape_[axis] = tensor.shape[axis];
            strides_[axis] = tensor.strides[axis];
        }
    }

    T *first_;
    std::array<std::int64_t, N> shape_{};
    std::array<std::int64_t, N> strides_{};
};

// A tensor that may be read: an array of any element type, shape and stride.
class Tensor {
public:
    explicit Tensor(const loader_tensor &tensor) noexcept : tensor_(&tensor) {}

    std::size_t dimensions() const noexcept { return static_cast<std::size_t>(tensor_->ndim); }
    std::int64_t extent(std::size_t axis) const noexcept { return tensor_->shape[axis]; } // of an axis below dimensions()
    // Whether its elements are T: an integer, float, double or bool, in the memory of the CPU.
    template <class T> bool holds() const noexcept
    {
        constexpr int code = std::is_same_v<T, bool>         ? LOADER_TENSOR_BOOL
                             : std::is_floating_point_v<T>   ? LOADER_TENSOR_FLOAT
                             : std::is_signed_v<T>           ? LOADER_TENSOR_INT
                                                             : LOADER_TENSOR_UINT;
        return tensor_->code == code && tensor_->bits == 8 * sizeof(T) && tensor_->lanes == 1 &&
               tensor_->device_type == 1;
    }
    // Its elements. Throws Error(LOADER_INVALID) if they are not T, or it has not N dimensions.
    template <class T, std::size_t N> TensorView<const T, N> view() const { return elements<const T, N>(); }
    const loader_tensor &raw() const noexcept { return *tensor_; }

protected:
    template <class T, std::size_t N> TensorView<T, N> elements() const
    {
        static_assert(std::is_arithmetic_v<T>, "elements are numbers");
        if (dimensions() != N)
            throw Error("a tensor of " + std::to_string(N) + " dimensions is wanted, not of " +
                            std::to_string(dimensions()), LOADER_INVALID);
        if (!holds<std::remove_const_t<T>>())
            throw Error("the elements of a tensor are not of the wanted type", LOADER_INVALID);
        return TensorView<T, N>(*tensor_);
    }

private:
    const loader_tensor *tensor_;
};

// A tensor that is changed in place.
class MutableTensor : public Tensor {
public:
    using Tensor::Tensor;
    template <class T, std::size_t N> TensorView<T, N> view() const { return elements<T, N>(); }
};

// ---- The ways of values, for what is generated ---------------------------------------------------------------

namespace detail {

template <class F> struct Signature;
template <class... A> struct Signature<int (*)(A...)> {
    using Parameters = std::tuple<A...>;
};
template <class A> struct Signature<void (*)(A)> {
    using Parameters = std::tuple<A>;
};

// The type of a C function's parameter as its header spells it: `long` and `long long` are two types to a compiler.
template <class F, std::size_t N>
using Parameter = std::tuple_element_t<N, typename Signature<std::remove_const_t<F>>::Parameters>;
#define LOADER_PARAMETER(function, number) ::loader::detail::Parameter<decltype(&::function), number>
// Whether a number is one as it was when its bindings were written, by whatever name.
template <class Found, class Wanted>
inline constexpr bool same_number =
    std::is_same_v<Found, Wanted> ||
    (std::is_integral_v<Found> && std::is_integral_v<Wanted> && !std::is_same_v<Found, bool> &&
     !std::is_same_v<Wanted, bool> && sizeof(Found) == sizeof(Wanted) &&
     std::is_signed_v<Found> == std::is_signed_v<Wanted>);
// What it points to.
template <class F, std::size_t N> using Pointed = std::remove_const_t<std::remove_pointer_t<Parameter<F, N>>>;

// Arguments: from C.

template <class List> auto span(List *list) noexcept
{
    using Item = std::remove_pointer_t<decltype(list->data)>;
    using Lent = std::conditional_t<std::is_const_v<List>, const Item, Item>;
    return Span<Lent>(list->data, list->size);
}

// A struct that begins with its size, as this side knows it: what an older host's has not is 0.
template <class T> class Whole {
public:
    explicit Whole(const T *given) noexcept : given_(given)
    {
        if (LOADER_LIKELY(given->size >= sizeof(T)))
            return;
        std::memcpy(static_cast<void *>(&copy_), given, given->size);
        given_ = &copy_;
    }
    Whole(const Whole &) = delete;
    Whole &operator=(const Whole &) = delete;
    operator const T &() const noexcept { return *given_; }

private:
    T copy_{};
    const T *given_;
};

// Results: to C.

template <class To, class From> void give(To *to, const From &value) noexcept
{
    if constexpr (std::is_arithmetic_v<To>)
        *to = static_cast<To>(value);
    else
        *to = value;
}

// A struct that begins with its size: the host said how much room it has.
template <class T> void give_sized(T *to, T value) noexcept
{
    value.size = to->size;
    std::memcpy(static_cast<void *>(to), &value, to->size < sizeof(T) ? to->size : sizeof(T));
}

template <class List, class T> void give_array(List *to, const Array<T> &value) noexcept
{
    *to = List{value.data(), value.size()};
}

inline void give_text(const Call &call, loader_text *to, std::string_view value) { *to = call.keep(value); }

inline void give_bytes(const Call &call, loader_bytes *to, const std::vector<unsigned char> &value)
{
    *to = call.keep(Bytes(value.data(), value.size()));
}

template <class Class, class Opaque> Class &instance(const Opaque *opaque) noexcept
{
    return *reinterpret_cast<Class *>(const_cast<Opaque *>(opaque));
}

template <class Class> void check_instance(const std::unique_ptr<Class> &value, const char *name)
{
    if (value == nullptr)
        throw Error(std::string("it gave no instance of ") + name);
}

template <class Opaque, class Class> void give_instance(Opaque **to, std::unique_ptr<Class> value) noexcept
{
    *to = reinterpret_cast<Opaque *>(value.release());
}

// Arguments for a table of the host's: to C.

inline loader_text lend(std::string_view text) noexcept { return loader_text{text.data(), text.size()}; }
inline loader_bytes lend(Bytes bytes) noexcept { return loader_bytes{bytes.data(), bytes.size()}; }

template <class List, class T> List lend_array(Span<const T> items) noexcept
{
    return List{const_cast<T *>(items.data()), items.size()}; // const List * goes on
}

inline std::vector<loader_text> lend_each(const std::vector<std::string_view> &texts)
{
    std::vector<loader_text> each;
    each.reserve(texts.size());
    for (const std::string_view text : texts)
        each.push_back(lend(text));
    return each;
}

template <class T> T with_size(T value) noexcept
{
    value.size = sizeof(T);
    return value;
}

// Throws unless the table has the function: an older host's may end before it.
template <class Table, class Function>
void check_function(const Table *table, Function Table::*member, const char *name)
{
    const std::size_t end = static_cast<std::size_t>(reinterpret_cast<const char *>(&(table->*member) + 1) -
                                                     reinterpret_cast<const char *>(table));
    if (!LOADER_LIKELY(table->size >= end && table->*member != nullptr))
        throw Error(std::string("the application is older than the function ") + name);
}

} // namespace detail

} // namespace loader

#endif // LOADER_BINDINGS_HPP
