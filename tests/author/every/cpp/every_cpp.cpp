// every_cpp: each function gives back what it was given, changed in a way that tells whether it arrived. The checks are
// in tests/every_checks.py.
#define EVERY_WITH_EXTRA
#include "every.hpp"

#include <algorithm>
#include <cctype>
#include <limits>
#include <mutex>
#include <set>
#include <sstream>
#include <stdexcept>

namespace {

class Counter final : public every::Counter {
public:
    explicit Counter(std::int64_t at) : at_(at) {}

    static const Counter &of(const every::Counter &counter) { return static_cast<const Counter &>(counter); }
    std::int64_t at() const { return at_; }

    void add(loader::Call &, every::Counter &other) override { at_ += of(other).at_; }
    std::int64_t value(loader::Call &) override { return at_; }
    std::unique_ptr<every::Counter> copy(loader::Call &) override { return std::make_unique<Counter>(at_); }

    std::optional<every::CounterNextResult> next(loader::Call &) override
    {
        at_--;
        if (at_ < 0)
            return std::nullopt;
        return every::CounterNextResult{at_, "<" + std::to_string(at_) + ">"};
    }

    void ask(loader::Call &, const every::Lookup &lookup) override { at_ += lookup.find("again", false).number; }

private:
    std::int64_t at_;
};

class Set final : public every::Set {
public:
    void put(loader::Call &, std::string_view text) override
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        texts_.emplace(text);
    }

    std::uint64_t size(loader::Call &) override
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        return texts_.size();
    }

private:
    std::mutex mutex_;
    std::set<std::string> texts_;
};

// Upper case, of ASCII and of é.
std::string upper(std::string_view text)
{
    std::string made;
    for (const char each : text) {
        const bool second = !made.empty() && made.back() == '\xc3';
        made += second ? static_cast<char>(each - 0x20) : static_cast<char>(std::toupper(static_cast<unsigned char>(each)));
    }
    return made;
}

class Every final : public every::Plugin {
public:
    every::NumbersResult numbers(loader::Call &, std::int8_t a, float b, std::uint16_t c, double d, std::int32_t e, bool f,
                                 std::uint64_t g, every_colour h) override
    {
        const std::int64_t small = a + std::int64_t{c} + e + h + (f ? 1 : 0);
        return {g + static_cast<std::uint64_t>(small), b + static_cast<float>(d)};
    }

    every::ColoursResult colours(loader::Call &, every_colour colour, every_kind kind) override
    {
        return {colour == EVERY_COLOUR_RED ? EVERY_COLOUR_GREEN : EVERY_COLOUR_RED, kind == TYPE};
    }

    every_options options(loader::Call &call, const every_options &options) override
    {
        every_options changed = options;
        changed.name.first = call.keep(upper(loader::view(options.name.first)));
        changed.strict = !options.strict;
        changed.cells[1].match[39]++;
        changed.weight *= 2;
        return changed;
    }

    every::NamesResult names(loader::Call &call, loader::Span<const every_name> names, loader::Bytes type) override
    {
        if (names.empty())
            throw std::invalid_argument("no names");
        every::NamesResult made{};
        for (const every_name &name : names) {
            made.all += made.last.first.data == nullptr ? "" : "/";
            made.all += loader::view(name.first);
            const loader::Bytes mark = loader::view(name.mark);
            made.marks.insert(made.marks.end(), mark.begin(), mark.end());
            made.last = name;
        }
        static const unsigned char last[] = {'l', 'a', 's', 't'};
        made.last.mark = call.keep(loader::Bytes(last, sizeof last));
        if (names.size() == 1)
            made.marks.assign(type.begin(), type.end());
        return made;
    }

    loader::Array<every_cell> cells(loader::Call &call, loader::Span<every_cell> cells) override
    {
        const auto copies = call.alloc<every_cell>(cells.size());
        std::copy(cells.begin(), cells.end(), copies.begin());
        for (every_cell &cell : cells)
            cell.counts[2]++;
        return copies;
    }

    loader::Array<std::uint32_t> integers(loader::Call &call, loader::Span<const std::int8_t> a,
                                          loader::Span<const std::uint8_t> b, loader::Span<std::uint16_t> c,
                                          loader::Span<std::int64_t> d) override
    {
        std::reverse(c.begin(), c.end());
        for (std::int64_t &each : d)
            each = -each;
        const auto e = call.alloc<std::uint32_t>(std::min(a.size(), b.size()));
        for (std::size_t i = 0; i < e.size(); i++)
            e[i] = static_cast<std::uint32_t>(std::abs(int{a[i]})) + b[i];
        return e;
    }

    std::int32_t both(loader::Call &call, std::string_view text) override
    {
        call << text;
        return static_cast<std::int32_t>(text.size());
    }

    void lookup(loader::Call &call, const every::Lookup &lookup, std::string_view key) override
    {
        const auto found = lookup.find(key, true);
        const double values[] = {1.5, 2};
        const double sum = lookup.sum(values);
        every_options options{};
        options.kind = TYPE;
        options.weight = 0.5F;
        const every_options changed = lookup.options(options, {"a", "", "é"});
        every_cell cells[2] = {};
        cells[0].type = -3;
        const auto counted = lookup.cells(cells);
        lookup.say(0.25F, 255);
        std::ostringstream rest;
        rest << '|' << found.number << ' ' << found.text << ' ' << sum << ' ' << loader::view(changed.name.first) << ' '
             << (changed.kind == TYPE ? "TYPE" : "PLAIN") << ' ' << changed.weight << " [";
        for (std::size_t i = 0; i < counted.counts.size(); i++)
            rest << (i > 0 ? ", " : "") << counted.counts[i];
        rest << "] " << (counted.any ? "true" : "false") << ' ' << (counted.colour == EVERY_COLOUR_RED ? "RED" : "?");
        call << rest.str();
    }

    std::vector<unsigned char> stored(loader::Call &call, loader::Bytes key) override
    {
        const loader::Bytes value = every::Store(call).get(key);
        return {value.begin(), value.end()};
    }

    std::int64_t extra(loader::Call &, std::int64_t number) override
    {
        if (number > std::numeric_limits<std::int64_t>::max() / 2)
            throw std::overflow_error("too large");
        return 2 * number;
    }

    // Every third is null, unless there are few.
    loader::Arrow counted(loader::Call &, std::int64_t count) override
    {
        std::vector<double> values;
        std::vector<bool> valid;
        for (std::int64_t i = 0; i < count; i++) {
            values.push_back(static_cast<double>(i));
            valid.push_back(i % 3 != 0);
        }
        if (count <= 2)
            valid.clear();
        return loader::arrow_of(std::move(values), valid);
    }

    every::SummedResult summed(loader::Call &, const loader_arrow &given) override
    {
        const loader::ArrowNumbers<double> numbers(given);
        every::SummedResult made{};
        for (std::size_t i = 0; i < numbers.size(); i++) {
            made.nulls += numbers.is_null(i);
            made.sum += numbers.is_null(i) ? 0 : numbers[i];
        }
        return made;
    }

    void panics(loader::Call &, std::string_view text) override
    {
        throw std::runtime_error("on purpose: " + std::string(text));
    }

    std::int64_t larger(loader::Call &, every::Counter &a, every::Counter &b) override
    {
        return std::max(Counter::of(a).at(), Counter::of(b).at());
    }

    std::unique_ptr<every::Counter> every_counter_new(loader::Call &call, std::int64_t start) override
    {
        if (start == std::numeric_limits<std::int64_t>::min())
            call.fail("start: too small", LOADER_INVALID);
        return std::make_unique<Counter>(start);
    }

    std::unique_ptr<every::Set> every_set_new(loader::Call &) override { return std::make_unique<Set>(); }
};

} // namespace

EVERY_EXPORT(Every);
