//! codec_zig: the codec in Zig, from codec.zig, which `loader bindings` wrote. What each function does is in ../README.md.
const std = @import("std");
const codec = @import("codec");
const loader = @import("loader");

const Codec = struct {
    pub fn scale(_: loader.Call, value: f64, factor: f32) f64 {
        return value * factor;
    }

    pub fn dot(call: loader.Call, a: []const f64, b: []const f64) !f64 {
        if (a.len != b.len) return call.invalid("dot: {d} numbers and {d}", .{ a.len, b.len });
        var sum: f64 = 0;
        for (a, b) |x, y| sum += x * y;
        return sum;
    }

    pub fn gain(_: loader.Call, samples: []f32, factor: f32) void {
        for (samples) |*sample| sample.* *= factor;
    }

    pub fn describe(call: loader.Call, values: []const f64) !codec.codec_stats {
        if (values.len == 0) return call.invalid("describe: no values", .{});
        const count: f64 = @floatFromInt(values.len);
        var peak = codec.codec_point{ .x = 0, .y = std.math.nan(f64) };
        var sum: f64 = 0;
        for (values, 0..) |value, at| {
            sum += value;
            if (value > peak.y or (std.math.isNan(peak.y) and !std.math.isNan(value)))
                peak = .{ .x = @floatFromInt(at), .y = value };
        }
        const mean = sum / count;
        var squares: f64 = 0;
        for (values) |value| squares += (value - mean) * (value - mean);
        return .{
            .mean = mean,
            .deviation = @floatCast(@sqrt(squares / count)),
            .count = @intCast(values.len),
            .peak = peak,
        };
    }

    pub fn divide(call: loader.Call, a: i64, b: i64) !codec.DivideResult {
        if (b == 0) return call.invalid("divide: by zero", .{});
        if (a == std.math.minInt(i64) and b == -1) return call.invalid("divide: overflow", .{});
        return .{ .quotient = @divTrunc(a, b), .rest = @rem(a, b) };
    }

    pub fn join(call: loader.Call, words: []const loader.Text, separator: []const u8) !void {
        for (words, 0..) |word, at| {
            if (at > 0) try call.write(separator);
            try call.write(word.slice());
        }
    }

    pub fn ramp(call: loader.Call, count: i64) ![]f64 {
        if (count < 0) return call.invalid("ramp: a negative count", .{});
        const values = try call.alloc(f64, @intCast(count));
        for (values, 0..) |*value, at| value.* = @floatFromInt(at);
        return values;
    }

    pub fn centre(call: loader.Call, points: []const codec.codec_point) !codec.codec_point {
        if (points.len == 0) return call.invalid("centre: no points", .{});
        const count: f64 = @floatFromInt(points.len);
        var sum = codec.codec_point{ .x = 0, .y = 0 };
        for (points) |point| {
            sum.x += point.x;
            sum.y += point.y;
        }
        return .{ .x = sum.x / count, .y = sum.y / count };
    }

    pub fn blur(call: loader.Call, image: *const loader.Tensor, result: loader.MutableTensor) !void {
        const wanted = "blur: a tensor of two dimensions of double is wanted";
        const from = image.view(f64, 2) orelse return call.invalid(wanted, .{});
        const to = result.view(f64, 2) orelse return call.invalid(wanted, .{});
        if (!std.mem.eql(i64, &from.extents, &to.extents)) return call.invalid("blur: the shapes differ", .{});
        const rows, const columns = from.extents;
        var row: i64 = 0;
        while (row < rows) : (row += 1) {
            var column: i64 = 0;
            while (column < columns) : (column += 1) {
                var sum: f64 = 0;
                var count: f64 = 0;
                var y = @max(row - 1, 0);
                while (y <= row + 1 and y < rows) : (y += 1) {
                    var x = @max(column - 1, 0);
                    while (x <= column + 1 and x < columns) : (x += 1) {
                        sum += from.at(.{ y, x }).*;
                        count += 1;
                    }
                }
                to.at(.{ row, column }).* = sum / count;
            }
        }
    }

    pub fn train(_: loader.Call, values: []const f64, progress: codec.Progress) !void {
        const size: f64 = @floatFromInt(values.len);
        for (1..values.len + 1) |done| try progress.at(@as(f64, @floatFromInt(done)) / size);
    }

    pub const Encoder = struct {
        mode: codec.codec_mode,
        last: u8 = 0,
        first: usize = 0,
        size: usize = 0,
        waiting: []u8, // a ring

        const max_waiting = 65536;

        pub fn init(_: loader.Call, mode: codec.codec_mode) !Encoder {
            return .{ .mode = mode, .waiting = try std.heap.smp_allocator.alloc(u8, max_waiting) };
        }

        pub fn feed(self: *Encoder, call: loader.Call, chunk: []const u8) !void {
            if (chunk.len > max_waiting - self.size) return call.invalid("feed: too much is waiting", .{});
            const room = try call.reserve(chunk.len);
            for (chunk, room) |byte, *code| {
                code.* = byte -% (if (self.mode == .CODEC_BEST) self.last else 0);
                self.last = byte;
                self.waiting[(self.first + self.size) % max_waiting] = code.*;
                self.size += 1;
            }
            call.commit(chunk.len);
        }

        pub fn next(self: *Encoder, _: loader.Call) ?i64 {
            if (self.size == 0) return null;
            const code = self.waiting[self.first];
            self.first = (self.first + 1) % max_waiting;
            self.size -= 1;
            return code;
        }

        pub fn deinit(self: *Encoder) void {
            std.heap.smp_allocator.free(self.waiting);
        }
    };
};

comptime {
    codec.exportPlugin(Codec);
}
