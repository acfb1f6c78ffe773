//! Threads and an allocator in a confined plugin. run(): 0 if all is well.
const std = @import("std");

var total = std.atomic.Value(c_int).init(0);

fn add(number: c_int) void {
    _ = total.fetchAdd(number, .seq_cst);
}

export fn run() c_int {
    const memory = std.heap.page_allocator.alloc(u8, 1 << 20) catch return 1;
    defer std.heap.page_allocator.free(memory);
    @memset(memory, 1);
    var threads: [8]std.Thread = undefined;
    for (&threads, 0..) |*thread, number| {
        thread.* = std.Thread.spawn(.{}, add, .{@as(c_int, @intCast(number))}) catch return 2;
    }
    for (threads) |thread| thread.join();
    return total.load(.seq_cst) - 28;
}
