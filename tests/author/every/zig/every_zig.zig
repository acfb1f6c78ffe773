//! every_zig: each function gives back what it was given, changed in a way that tells whether it arrived. The checks are
//! in tests/every_checks.py.
const std = @import("std");
const every = @import("every");
const loader = @import("loader");

const allocator = std.heap.smp_allocator;

const Every = struct {
    pub fn numbers(_: loader.Call, a: i8, b: f32, c: u16, d: f64, e: i32, f: bool, g: u64, h: every.every_colour) every.NumbersResult {
        const small = @as(i64, a) + c + e + @intFromEnum(h) + @intFromBool(f);
        return .{ .sum = g +% @as(u64, @bitCast(small)), .reals = b + @as(f32, @floatCast(d)) };
    }

    pub fn colours(_: loader.Call, colour: every.every_colour, kind: every.every_kind) every.ColoursResult {
        const green: every.every_colour = .EVERY_COLOUR_ALSO_GREEN;
        return .{ .other = if (colour == .EVERY_COLOUR_RED) green else .EVERY_COLOUR_RED, .same = kind == .TYPE };
    }

    pub fn options(call: loader.Call, given: every.every_options) !every.every_options {
        var changed = given;
        const first = given.name.first.slice();
        const made = try call.alloc(u8, first.len);
        for (first, made, 0..) |byte, *to, at| // ASCII, and é
            to.* = if (at > 0 and first[at - 1] == 0xc3) byte - 0x20 else std.ascii.toUpper(byte);
        changed.name.first = .of(made);
        changed.strict = !given.strict;
        changed.cells[1].match[39] += 1;
        changed.weight *= 2;
        return changed;
    }

    pub fn names(call: loader.Call, given: []const every.every_name, bytes: []const u8) !every.NamesResult {
        if (given.len == 0) return call.invalid("no names", .{});
        const firsts = try call.alloc([]const u8, given.len);
        const marks = try call.alloc([]const u8, given.len);
        for (given, firsts, marks) |name, *first, *mark| {
            first.* = name.first.slice();
            mark.* = name.mark.slice();
        }
        var last = given[given.len - 1];
        last.mark = try call.keep("last");
        return .{
            .last = last,
            .all = try joined(call, firsts, "/"),
            .marks = if (given.len == 1) bytes else try joined(call, marks, ""),
        };
    }

    fn joined(call: loader.Call, parts: []const []const u8, separator: []const u8) ![]const u8 {
        var size: usize = separator.len * (parts.len - 1);
        for (parts) |part| size += part.len;
        const made = try call.alloc(u8, size);
        var at: usize = 0;
        for (parts, 0..) |part, number| {
            for ([_][]const u8{ if (number > 0) separator else "", part }) |each| {
                @memcpy(made[at..][0..each.len], each);
                at += each.len;
            }
        }
        return made;
    }

    pub fn cells(call: loader.Call, given: []every.every_cell) ![]every.every_cell {
        const copies = try call.alloc(every.every_cell, given.len);
        @memcpy(copies, given);
        for (given) |*cell| cell.counts[2] += 1;
        return copies;
    }

    pub fn integers(call: loader.Call, a: []const i8, b: []const u8, c: []u16, d: []i64) ![]u32 {
        std.mem.reverse(u16, c);
        for (d) |*each| each.* = -each.*;
        const e = try call.alloc(u32, @min(a.len, b.len));
        for (e, a[0..e.len], b[0..e.len]) |*sum, x, y| sum.* = @as(u32, @abs(x)) + y;
        return e;
    }

    pub fn both(call: loader.Call, text: []const u8) !i32 {
        try call.write(text);
        return @intCast(text.len);
    }

    pub fn lookup(call: loader.Call, table: every.Lookup, key: []const u8) !void {
        const found = try table.find(key, true);
        const sum = try table.sum(&.{ 1.5, 2 });
        var given = std.mem.zeroes(every.every_options);
        given.kind = .TYPE;
        given.weight = 0.5;
        const changed = try table.options(given, &.{ .of("a"), .of(""), .of("é") });
        var pair = std.mem.zeroes([2]every.every_cell);
        pair[0].type = -3;
        const listed = try table.cells(&pair);
        try table.say(0.25, 255);
        try call.print("|{d} {s} {d} {s} {s} {d} [", .{
            found.number, found.text, sum, changed.name.first.slice(), @tagName(changed.kind), changed.weight,
        });
        for (listed.counts, 0..) |count, at| try call.print("{s}{d}", .{ if (at > 0) ", " else "", count });
        try call.print("] {} {s}", .{ listed.any, @tagName(listed.colour)["EVERY_COLOUR_".len..] });
    }

    pub fn stored(call: loader.Call, key: []const u8) ![]const u8 {
        const store = try every.Store.of(call);
        return store.get(key);
    }

    pub fn extra(_: loader.Call, number: i64) !i64 {
        return std.math.mul(i64, 2, number) catch error.@"too large";
    }

    // Every third is null, unless there are few.
    pub fn counted(call: loader.Call, count: i64) !loader.Arrow {
        const values = try call.alloc(f64, @intCast(count));
        const valid = try call.alloc(bool, values.len);
        for (values, valid, 0..) |*value, *good, at| {
            value.* = @floatFromInt(at);
            good.* = at % 3 != 0;
        }
        return loader.arrowOf(f64, values, if (count <= 2) null else valid);
    }

    pub fn summed(call: loader.Call, given: loader.ArrowPair) !every.SummedResult {
        const found = loader.numbersOf(f64, given) orelse return call.invalid("f64 is wanted", .{});
        var made = every.SummedResult{ .sum = 0, .nulls = 0 };
        for (found.values, 0..) |value, at| {
            if (found.isNull(at)) made.nulls += 1 else made.sum += value;
        }
        return made;
    }

    pub fn panics(call: loader.Call, text: []const u8) !void {
        return call.fail("on purpose: {s}", .{text});
    }

    pub fn larger(_: loader.Call, a: *Counter, b: *Counter) i64 {
        return @max(a.at, b.at);
    }

    pub const Counter = struct {
        at: i64,

        pub fn init(call: loader.Call, start: i64) !Counter {
            if (start == std.math.minInt(i64)) return call.invalid("start: too small", .{});
            return .{ .at = start };
        }

        pub fn add(self: *Counter, _: loader.Call, other: *Counter) void {
            self.at += other.at;
        }

        pub fn value(self: *Counter, _: loader.Call) i64 {
            return self.at;
        }

        pub fn copy(self: *Counter, _: loader.Call) Counter {
            return self.*;
        }

        pub fn next(self: *Counter, call: loader.Call) !?every.CounterNextResult {
            self.at -= 1;
            if (self.at < 0) return null;
            const room = try call.alloc(u8, 24);
            return .{ .value = self.at, .text = try std.fmt.bufPrint(room, "<{d}>", .{self.at}) };
        }

        pub fn ask(self: *Counter, _: loader.Call, table: every.Lookup) !void {
            self.at += (try table.find("again", false)).number;
        }
    };

    pub const Set = struct {
        locked: std.atomic.Value(bool) = .init(false),
        texts: std.StringHashMapUnmanaged(void) = .empty,

        pub fn init(_: loader.Call) Set {
            return .{};
        }

        fn lock(self: *Set) void {
            while (self.locked.swap(true, .acquire)) std.atomic.spinLoopHint();
        }

        pub fn put(self: *Set, _: loader.Call, text: []const u8) !void {
            self.lock();
            defer self.locked.store(false, .release);
            if (self.texts.contains(text)) return;
            const own = try allocator.dupe(u8, text);
            errdefer allocator.free(own);
            try self.texts.put(allocator, own, {});
        }

        pub fn size(self: *Set, _: loader.Call) u64 {
            self.lock();
            defer self.locked.store(false, .release);
            return self.texts.count();
        }

        pub fn deinit(self: *Set) void {
            var keys = self.texts.keyIterator();
            while (keys.next()) |key| allocator.free(key.*);
            self.texts.deinit(allocator);
        }
    };
};

comptime {
    every.exportPlugin(Every);
}
