// codec_cpp: the codec in C++, from codec.hpp, which `loader bindings` wrote. What each function does is in ../README.md.
#include "codec.hpp"

#include <algorithm>
#include <cmath>
#include <deque>
#include <limits>
#include <string>

namespace {

[[noreturn]] void refuse(std::string text)
{
    throw loader::Error(std::move(text), LOADER_INVALID);
}

class Encoder final : public codec::Encoder {
public:
    explicit Encoder(codec_mode mode) : mode_(mode) {}

    void feed(loader::Call &call, loader::Bytes chunk) override
    {
        if (chunk.size() > max_waiting - waiting_.size())
            refuse("feed: too much is waiting");
        std::string codes;
        unsigned char last = last_;
        for (const unsigned char byte : chunk) {
            codes.push_back(static_cast<char>(byte - (mode_ == CODEC_BEST ? last : 0)));
            last = byte;
        }
        call << codes; // first: what fails leaves the encoder as it was
        waiting_.insert(waiting_.end(), codes.begin(), codes.end());
        last_ = last;
    }

    std::optional<std::int64_t> next(loader::Call &) override
    {
        if (waiting_.empty())
            return std::nullopt;
        const std::int64_t code = waiting_.front();
        waiting_.pop_front();
        return code;
    }

private:
    static constexpr std::size_t max_waiting = 65536;

    codec_mode mode_;
    unsigned char last_ = 0;
    std::deque<unsigned char> waiting_;
};

class Codec final : public codec::Plugin {
public:
    double scale(loader::Call &, double value, float factor) override { return value * static_cast<double>(factor); }

    double dot(loader::Call &, loader::Span<const double> a, loader::Span<const double> b) override
    {
        if (a.size() != b.size())
            refuse("dot: " + std::to_string(a.size()) + " numbers and " + std::to_string(b.size()));
        double sum = 0;
        for (std::size_t i = 0; i < a.size(); i++)
            sum += a[i] * b[i];
        return sum;
    }

    void gain(loader::Call &, loader::Span<float> samples, float factor) override
    {
        for (float &sample : samples)
            sample *= factor;
    }

    codec_stats describe(loader::Call &, loader::Span<const double> values) override
    {
        if (values.empty())
            refuse("describe: no values");
        const auto count = static_cast<double>(values.size());
        codec_stats stats{};
        double sum = 0;
        stats.count = static_cast<std::int64_t>(values.size());
        stats.peak.y = std::numeric_limits<double>::quiet_NaN();
        for (std::size_t i = 0; i < values.size(); i++) {
            sum += values[i];
            if (values[i] > stats.peak.y || (std::isnan(stats.peak.y) && !std::isnan(values[i])))
                stats.peak = codec_point{static_cast<double>(i), values[i]};
        }
        stats.mean = sum / count;
        double squares = 0;
        for (const double value : values)
            squares += (value - stats.mean) * (value - stats.mean);
        stats.deviation = static_cast<float>(std::sqrt(squares / count));
        return stats;
    }

    codec::DivideResult divide(loader::Call &, std::int64_t a, std::int64_t b) override
    {
        if (b == 0)
            refuse("divide: by zero");
        if (a == std::numeric_limits<std::int64_t>::min() && b == -1)
            refuse("divide: overflow");
        return {a / b, a % b};
    }

    void join(loader::Call &call, loader::Texts words, std::string_view separator) override
    {
        for (std::size_t i = 0; i < words.size(); i++) {
            if (i > 0)
                call << separator;
            call << words[i];
        }
    }

    loader::Array<double> ramp(loader::Call &call, std::int64_t count) override
    {
        if (count < 0)
            refuse("ramp: a negative count");
        const auto values = call.alloc<double>(count);
        for (std::size_t i = 0; i < values.size(); i++)
            values[i] = static_cast<double>(i);
        return values;
    }

    codec_point centre(loader::Call &, loader::Span<const codec_point> points) override
    {
        if (points.empty())
            refuse("centre: no points");
        const auto count = static_cast<double>(points.size());
        codec_point sum{};
        for (const codec_point &point : points) {
            sum.x += point.x;
            sum.y += point.y;
        }
        return {sum.x / count, sum.y / count};
    }

    void blur(loader::Call &, loader::Tensor image, loader::MutableTensor result) override
    {
        for (const loader::Tensor &each : {image, static_cast<loader::Tensor>(result)})
            if (each.dimensions() != 2 || !each.holds<double>())
                refuse("blur: a tensor of two dimensions of double is wanted");
        const auto from = image.view<double, 2>();
        const auto to = result.view<double, 2>();
        const std::int64_t rows = from.extent(0), columns = from.extent(1);
        if (to.extent(0) != rows || to.extent(1) != columns)
            refuse("blur: the shapes differ");
        for (std::int64_t row = 0; row < rows; row++)
            for (std::int64_t column = 0; column < columns; column++) {
                double sum = 0;
                int count = 0;
                for (std::int64_t y = std::max<std::int64_t>(row - 1, 0); y <= row + 1 && y < rows; y++)
                    for (std::int64_t x = std::max<std::int64_t>(column - 1, 0); x <= column + 1 && x < columns; x++) {
                        sum += from(y, x);
                        count++;
                    }
                to(row, column) = sum / count;
            }
    }

    void train(loader::Call &, loader::Span<const double> values, const codec::Progress &progress) override
    {
        for (std::size_t i = 0; i < values.size(); i++)
            progress.at(static_cast<double>(i + 1) / static_cast<double>(values.size()));
    }

    std::unique_ptr<codec::Encoder> codec_encoder_new(loader::Call &, codec_mode mode) override
    {
        return std::make_unique<Encoder>(mode);
    }
};

} // namespace

CODEC_EXPORT(Codec);
