//! loader.zig: the Zig kit over include/loader/plugin.h, loader ABI 1. Zig 0.14 or later, without libc.
//!
//! `loader bindings HEADER --lang zig` writes a file that imports this one as `loader`; a plugin's author imports both:
//!
//!     const codec = @import("codec");
//!     const loader = @import("loader");
//!     const Codec = struct {
//!         pub fn scale(_: loader.Call, value: f64, factor: f32) !f64 {
//!             return value * factor;
//!         }
//!     };
//!     comptime {
//!         codec.exportPlugin(Codec);
//!     }
//!
//! The rules of plugin.h hold: what a function receives is borrowed until it returns, and belongs to its thread.
//! An error that a function returns becomes the status and text of the call (see Error). A panic cannot be caught in
//! Zig: it ends the process, as @panic and what ReleaseSafe finds do. Return errors.
const builtin = @import("builtin");
const std = @import("std");

// ---- Statuses --------------------------------------------------------------------------------------------

pub const OK: c_int = 0;
pub const FAILED: c_int = 1;
pub const NO_MEMORY: c_int = 2;
pub const INVALID: c_int = 3;
pub const CANCELLED: c_int = 4;
pub const DEADLINE: c_int = 5;
pub const DONE: c_int = 8;

/// Errors that have a status of their own. Call.fail, Call.invalid and services set the text. Every other error of an
/// author's is FAILED, and its name is the text.
pub const Error = error{ Failed, OutOfMemory, Invalid, Cancelled, Deadline };

/// Levels of Call.log: the numbers of Python's logging.
pub const Level = enum(c_int) { debug = 10, info = 20, warning = 30, err = 40 };

// ---- Values, as they are in C ------------------------------------------------------------------------------

/// loader_text: UTF-8.
pub const Text = extern struct {
    data: ?[*]const u8 = null,
    size: usize = 0,

    pub fn of(borrowed: []const u8) Text {
        return .{ .data = borrowed.ptr, .size = borrowed.len };
    }

    pub fn slice(self: Text) []const u8 {
        return if (self.size == 0) "" else self.data.?[0..self.size];
    }
};

/// loader_bytes.
pub const Bytes = Text;

/// Items one behind another: loader_texts, loader_f64s and its like, and lists of structs.
pub fn List(comptime T: type) type {
    return extern struct {
        data: ?[*]T = null,
        size: usize = 0,

        const Self = @This();

        pub fn of(items: []T) Self {
            return .{ .data = items.ptr, .size = items.len };
        }

        /// To pass on what is not to be changed: const in C is said of the list, not of its items.
        pub fn ofConst(items: []const T) Self {
            return .{ .data = @constCast(items.ptr), .size = items.len };
        }

        pub fn slice(self: Self) []T {
            return if (self.size == 0) &.{} else self.data.?[0..self.size];
        }
    };
}

/// loader_texts.
pub const Texts = List(Text);

/// loader_tensor: an array of any element type, shape and stride, laid out as DLPack's.
pub const Tensor = extern struct {
    data: ?*anyopaque,
    device_type: i32,
    device_id: i32,
    ndim: i32,
    code: u8,
    bits: u8,
    lanes: u16,
    shape: [*]const i64,
    strides: [*]const i64,
    byte_offset: u64,

    /// The lengths of its dimensions.
    pub fn extents(self: *const Tensor) []const i64 {
        return if (self.ndim == 0) &.{} else self.shape[0..@intCast(self.ndim)];
    }

    /// Whether its elements are T: an integer, float or bool, in the memory of the CPU.
    pub fn holds(self: *const Tensor, comptime T: type) bool {
        const code: u8 = switch (@typeInfo(T)) {
            .bool => 6,
            .float => 2,
            .int => |int| if (int.signedness == .signed) 0 else 1,
            else => @compileError("elements are numbers"),
        };
        return self.code == code and self.bits == 8 * @sizeOf(T) and self.lanes == 1 and self.device_type == 1;
    }

    /// Its elements, or null if they are not T, or it has not `n` dimensions.
    pub fn view(self: *const Tensor, comptime T: type, comptime n: usize) ?View(*const T, n) {
        return View(*const T, n).of(self, T);
    }
};

/// A tensor that is changed in place.
pub const MutableTensor = struct {
    tensor: *const Tensor,

    pub fn view(self: MutableTensor, comptime T: type, comptime n: usize) ?View(*T, n) {
        return View(*T, n).of(self.tensor, T);
    }
};

/// The elements of a tensor of `n` dimensions, wherever its strides put them.
pub fn View(comptime Pointer: type, comptime n: usize) type {
    return struct {
        first: [*]u8,
        extents: [n]i64,
        /// In bytes.
        strides: [n]i64,

        const Self = @This();

        fn of(tensor: *const Tensor, comptime T: type) ?Self {
            if (tensor.ndim != n or !tensor.holds(T)) return null;
            var made: Self = .{ .first = undefined, .extents = undefined, .strides = undefined };
            for (0..n) |axis| {
                made.extents[axis] = tensor.shape[axis];
                made.strides[axis] = tensor.strides[axis] * @sizeOf(T);
                if (tensor.shape[axis] == 0) return made; // `first` is not to be had, and never read
            }
            made.first = @as([*]u8, @ptrCast(tensor.data.?)) + @as(usize, @intCast(tensor.byte_offset));
            return made;
        }

        /// A pointer to an element. Each index is from 0 to below its extent; that is asserted.
        pub fn at(self: Self, indices: [n]i64) Pointer {
            var offset: i64 = 0;
            for (indices, self.extents, self.strides) |index, extent, stride| {
                std.debug.assert(index >= 0 and index < extent);
                offset += index * stride;
            }
            const address = @intFromPtr(self.first) +% @as(usize, @bitCast(@as(isize, @intCast(offset))));
            return @ptrFromInt(address);
        }
    };
}

/// ArrowSchema of Arrow's C data interface.
pub const ArrowSchema = extern struct {
    format: ?[*:0]const u8 = null,
    name: ?[*:0]const u8 = null,
    metadata: ?[*]const u8 = null,
    flags: i64 = 0,
    n_children: i64 = 0,
    children: ?[*]*ArrowSchema = null,
    dictionary: ?*ArrowSchema = null,
    release: ?*const fn (*ArrowSchema) callconv(.c) void = null,
    private_data: ?*anyopaque = null,
};

/// ArrowArray of Arrow's C data interface.
pub const ArrowArray = extern struct {
    length: i64 = 0,
    null_count: i64 = 0,
    offset: i64 = 0,
    n_buffers: i64 = 0,
    n_children: i64 = 0,
    buffers: ?[*]?*const anyopaque = null,
    children: ?[*]*ArrowArray = null,
    dictionary: ?*ArrowArray = null,
    release: ?*const fn (*ArrowArray) callconv(.c) void = null,
    private_data: ?*anyopaque = null,
};

/// loader_arrow: an Arrow array that may be read, or room for one.
pub const ArrowPair = extern struct { schema: *ArrowSchema, array: *ArrowArray };

/// A result that is an Arrow array: both structs, with release functions. They are the host's then. arrowOf makes one.
pub const Arrow = struct { schema: ArrowSchema, array: ArrowArray };

/// Arrow's letter for a type of numbers.
fn arrowFormat(comptime T: type) [:0]const u8 {
    return switch (T) {
        i8 => "c",
        u8 => "C",
        i16 => "s",
        u16 => "S",
        i32 => "i",
        u32 => "I",
        i64 => "l",
        u64 => "L",
        f32 => "f",
        f64 => "g",
        else => @compileError("an array of numbers"),
    };
}

/// The numbers of an Arrow array, borrowed. What stands in the place of a null means nothing.
pub fn ArrowNumbers(comptime T: type) type {
    return struct {
        values: []const T,
        valid: ?[*]const u8 = null,
        offset: usize = 0,

        pub fn isNull(self: @This(), index: usize) bool {
            const valid = self.valid orelse return false;
            const bit = self.offset + index;
            return valid[bit / 8] >> @intCast(bit % 8) & 1 == 0;
        }
    };
}

/// The numbers of an Arrow array, or null if it is of something else, which numbers for values of a dictionary are; or
/// if no T can be where its numbers are said to be.
pub fn numbersOf(comptime T: type, arrow: ArrowPair) ?ArrowNumbers(T) {
    const array = arrow.array;
    if (!std.mem.eql(u8, std.mem.span(arrow.schema.format orelse return null), arrowFormat(T))) return null;
    if (arrow.schema.dictionary != null or array.n_buffers != 2) return null;
    if (array.length == 0) return .{ .values = &.{} };
    const buffers = array.buffers.?;
    const first = buffers[1] orelse return null;
    if (!std.mem.isAligned(@intFromPtr(first), @alignOf(T))) return null;
    const all: [*]const T = @ptrCast(@alignCast(first));
    const offset: usize = @intCast(array.offset);
    return .{
        .values = all[offset..][0..@intCast(array.length)],
        .valid = if (array.null_count == 0) null else @ptrCast(buffers[0]),
        .offset = offset,
    };
}

/// A result that is an Arrow array: a copy of the numbers. `valid` is as long, if it is given, and says which are no
/// null.
pub fn arrowOf(comptime T: type, values: []const T, valid: ?[]const bool) Error!Arrow {
    const Held = struct {
        values: []T,
        bits: []u8,
        buffers: [2]?*const anyopaque,

        fn release(array: *ArrowArray) callconv(.c) void {
            const self: *@This() = @ptrCast(@alignCast(array.private_data.?));
            instances.free(self.values);
            instances.free(self.bits);
            instances.destroy(self);
            array.release = null;
        }
        fn releaseSchema(schema: *ArrowSchema) callconv(.c) void {
            schema.release = null;
        }
    };
    const held = try instances.create(Held);
    errdefer instances.destroy(held);
    held.values = try instances.dupe(T, values);
    errdefer instances.free(held.values);
    held.bits = try instances.alloc(u8, if (valid == null) 0 else values.len / 8 + 1);
    @memset(held.bits, 0);
    var nulls: i64 = 0;
    if (valid) |each| {
        std.debug.assert(each.len == values.len);
        for (each, 0..) |good, at| {
            if (good) held.bits[at / 8] |= @as(u8, 1) << @intCast(at % 8) else nulls += 1;
        }
    }
    held.buffers = .{ if (valid == null) null else held.bits.ptr, held.values.ptr };
    return .{
        .schema = .{ .format = arrowFormat(T), .name = "", .flags = 2, .release = &Held.releaseSchema },
        .array = .{
            .length = @intCast(values.len),
            .null_count = nulls,
            .n_buffers = 2,
            .buffers = &held.buffers,
            .private_data = held,
            .release = &Held.release,
        },
    };
}

// ---- The host --------------------------------------------------------------------------------------------------

/// loader_host: the host's functions. Use Call's.
pub const Host = extern struct {
    size: usize,
    grow: *const fn (*RawCall, usize) callconv(.c) c_int,
    fail: *const fn (*RawCall, c_int, [*]const u8, usize) callconv(.c) c_int,
    log: *const fn (*RawCall, c_int, [*]const u8, usize) callconv(.c) void,
    cancelled: *const fn (*RawCall) callconv(.c) c_int,
    service: *const fn (*RawCall, [*]const u8, usize) callconv(.c) ?*const anyopaque,
    path: *const fn (*RawCall) callconv(.c) Text,
    write: ?*const fn (*RawCall, [*]const u8, usize) callconv(.c) c_int,
    alloc: *const fn (*RawCall, usize) callconv(.c) ?*anyopaque,
};

/// loader_call: the context of one call, as it is in C.
pub const RawCall = extern struct {
    size: usize,
    next: [*]u8,
    limit: [*]u8,
    host: *const Host,
    failure: Text,
};

comptime {
    std.debug.assert(@sizeOf(usize) == 8 and @sizeOf(Text) == 16 and @sizeOf(Tensor) == 48);
    std.debug.assert(@sizeOf(ArrowSchema) == 72 and @sizeOf(ArrowArray) == 80);
    std.debug.assert(@sizeOf(RawCall) == 48 and @offsetOf(RawCall, "failure") == 32);
    std.debug.assert(@sizeOf(Host) == 72 and @offsetOf(Host, "alloc") == 64);
}

/// Whether a table of an older host has this member.
pub fn has(table: anytype, comptime member: []const u8) bool {
    const Table = @TypeOf(table.*);
    return table.size >= @offsetOf(Table, member) + @sizeOf(@FieldType(Table, member));
}

/// One call: its output, and all else that the host lends while it runs. For the thread that was entered, until the
/// function returns.
pub const Call = struct {
    raw: *RawCall,

    /// Appends to what the function writes. Copies.
    pub fn write(self: Call, bytes: []const u8) Error!void {
        @memcpy(try self.reserve(bytes.len), bytes);
        self.commit(bytes.len);
    }

    /// Appends what std.fmt makes of it.
    pub fn print(self: Call, comptime format: []const u8, arguments: anytype) Error!void {
        const size: usize = @intCast(std.fmt.count(format, arguments));
        _ = std.fmt.bufPrint(try self.reserve(size), format, arguments) catch unreachable; // it was counted
        self.commit(size);
    }

    /// Room for output, lost at the next use of the call: fill it, then commit.
    pub fn reserve(self: Call, size: usize) Error![]u8 {
        if (@intFromPtr(self.raw.limit) - @intFromPtr(self.raw.next) < size and self.raw.host.grow(self.raw, size) != OK)
            return error.OutOfMemory;
        return self.raw.next[0..size];
    }

    /// The first `size` bytes of what reserve gave are output now.
    pub fn commit(self: Call, size: usize) void {
        self.raw.next += size;
    }

    /// Room of the host's for an array that is not set to anything: a result, or scratch until the function returns.
    pub fn alloc(self: Call, comptime T: type, count: usize) Error![]T {
        if (count == 0) return &.{};
        const size = std.math.mul(usize, count, @sizeOf(T)) catch return error.OutOfMemory;
        if (!has(self.raw.host, "alloc")) return error.OutOfMemory;
        const room = self.raw.host.alloc(self.raw, size) orelse return error.OutOfMemory;
        return @as([*]T, @ptrCast(@alignCast(room)))[0..count];
    }

    /// A copy in memory of the host's, for a result that is a struct with a text or bytes in it.
    pub fn keep(self: Call, bytes: []const u8) Error!Text {
        const copy = try self.alloc(u8, bytes.len);
        @memcpy(copy, bytes);
        return Text.of(copy);
    }

    /// Sets the error's text:   return call.fail("no post {d}", .{id});
    pub fn fail(self: Call, comptime format: []const u8, arguments: anytype) Error {
        self.failWith(FAILED, format, arguments);
        return error.Failed;
    }

    /// The same where an argument's value is not acceptable.
    pub fn invalid(self: Call, comptime format: []const u8, arguments: anytype) Error {
        self.failWith(INVALID, format, arguments);
        return error.Invalid;
    }

    fn failWith(self: Call, code: c_int, comptime format: []const u8, arguments: anytype) void {
        var buffer: [1024]u8 = undefined;
        const text = std.fmt.bufPrint(&buffer, format, arguments) catch cut(&buffer);
        _ = self.raw.host.fail(self.raw, code, text.ptr, text.len);
    }

    /// Sends one line to the application's log.
    pub fn log(self: Call, level: Level, line: []const u8) void {
        self.raw.host.log(self.raw, @intFromEnum(level), line.ptr, line.len);
    }

    /// An error if the host wants the call to end. Ask every few thousand steps of long work.
    pub fn checkCancelled(self: Call) Error!void {
        try self.check(self.raw.host.cancelled(self.raw));
    }

    /// The absolute path of the plugin's file; empty if the host is older than this.
    pub fn pluginPath(self: Call) []const u8 {
        return if (has(self.raw.host, "path")) self.raw.host.path(self.raw).slice() else "";
    }

    /// The table of a service, or null if the host does not lend it.
    pub fn service(self: Call, comptime Table: type, id: []const u8) ?*const Table {
        return @ptrCast(@alignCast(self.raw.host.service(self.raw, id.ptr, id.len)));
    }

    /// Hands on the status of a function of the host's, whose text is set.
    pub fn check(_: Call, code: c_int) Error!void {
        return switch (code) {
            OK => {},
            NO_MEMORY => error.OutOfMemory,
            INVALID => error.Invalid,
            CANCELLED => error.Cancelled,
            DEADLINE => error.Deadline,
            else => error.Failed,
        };
    }
};

/// What fits, up to the last whole character.
fn cut(text: []u8) []u8 {
    var end = text.len;
    while (end > 0 and text.len - end < 4) : (end -= 1)
        if (std.unicode.utf8ValidateSlice(text[0..end])) return text[0..end];
    return text[0..0];
}

// ---- For what is generated ---------------------------------------------------------------------------------------

/// What a function of an author's gave, which may return an error or not.
pub fn unwrap(given: anytype) anyerror!Payload(@TypeOf(given)) {
    return given;
}

fn Payload(comptime T: type) type {
    return switch (@typeInfo(T)) {
        .error_union => |made| made.payload,
        else => T,
    };
}

/// The status of an error that an author's function returned.
pub fn failed(call: Call, failure: anyerror) c_int {
    return switch (failure) {
        error.Failed => FAILED,
        error.OutOfMemory => NO_MEMORY,
        error.Invalid => INVALID,
        error.Cancelled => CANCELLED,
        error.Deadline => DEADLINE,
        else => call.raw.host.fail(call.raw, FAILED, @errorName(failure).ptr, @errorName(failure).len),
    };
}

/// A struct that begins with its size, as this side knows it: what an older host's has not is 0.
pub fn whole(comptime T: type, given: *const T) T {
    if (given.size >= @sizeOf(T)) return given.*;
    var copy = std.mem.zeroes(T);
    @memcpy(std.mem.asBytes(&copy)[0..given.size], @as([*]const u8, @ptrCast(given))[0..given.size]);
    return copy;
}

/// Sets a result that begins with its size: the host said how much room it has.
pub fn giveSized(comptime T: type, to: *T, value: T) void {
    const room = to.size;
    var copy = value;
    copy.size = room;
    const size = @min(room, @sizeOf(T));
    @memcpy(@as([*]u8, @ptrCast(to))[0..size], std.mem.asBytes(&copy)[0..size]);
}

/// Where instances live.
const instances = if (builtin.link_libc)
    std.heap.c_allocator
else if (builtin.single_threaded)
    std.heap.page_allocator
else
    std.heap.smp_allocator;

/// Puts an instance where it stays until free.
pub fn box(comptime T: type, value: T) error{OutOfMemory}!*T {
    const made = instances.create(T) catch |failure| {
        var lost = value;
        if (@hasDecl(T, "deinit")) lost.deinit();
        return failure;
    };
    made.* = value;
    return made;
}

/// Ends an instance.
pub fn free(comptime T: type, instance: *T) void {
    if (@hasDecl(T, "deinit")) instance.deinit();
    instances.destroy(instance);
}

/// Stops the compiler with what the contract wants, unless the author wrote it.
pub fn wants(comptime T: type, comptime name: []const u8, comptime what: []const u8) void {
    if (!@hasDecl(T, name)) @compileError(@typeName(T) ++ " lacks what the contract wants: " ++ what);
}

const marker: u8 = 1;

/// Exports a name that the host reads: of the handshake, or a promise.
pub fn exportMarker(comptime name: []const u8) void {
    @export(&marker, .{ .name = name });
}

/// Says that this plugin cannot do without what the base ABI has since a minor: see LOADER_NEEDS in plugin.h.
pub fn needs(comptime minor: comptime_int) void {
    exportMarker(std.fmt.comptimePrint("loader_abi_1_{d}", .{minor}));
}

/// Promises that a function of this plugin never blocks: see LOADER_NEVER_BLOCKS in plugin.h.
pub fn neverBlocks(comptime function: []const u8) void {
    exportMarker(function ++ "_never_blocks");
}
