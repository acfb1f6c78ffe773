"""Arrow arrays in C++ and Zig: lent to a plugin, and given by it with release functions of its own, called once."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

import pytest

import loader
from loader.author.bindings import bindings

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

HEADER = """\
#include "loader/plugin.h"
LOADER_CONTRACT(columns, 1, 0);
LOADER_BEGIN_C
/* 0, 1, 2, ...; fails for 0, with all of it made already. */
LOADER_EXPORT int up(loader_call *call, int64_t count, LOADER_OUT loader_text *note, LOADER_OUT loader_arrow *made);
LOADER_EXPORT int sum(loader_call *call, const loader_arrow *values, LOADER_OUT int64_t *total);
/* What up made and nobody has released. */
LOADER_EXPORT int alive(loader_call *call, LOADER_OUT int64_t *count);
LOADER_END_C
"""
CPP = """\
#include "columns.hpp"
#include <atomic>
#include <cstring>
static std::atomic<std::int64_t> living{0};
struct Held { std::vector<std::int64_t> values; const void *buffers[2]; };
struct Columns final : columns::Plugin {
    columns::UpResult up(loader::Call &call, std::int64_t count) override
    {
        columns::UpResult result;
        auto held = std::make_unique<Held>();
        for (std::int64_t i = 0; i < count; i++)
            held->values.push_back(i);
        held->buffers[0] = nullptr;
        held->buffers[1] = held->values.data();
        result.note = "some";
        result.made.schema.format = "l";
        result.made.schema.name = "";
        result.made.schema.release = [](ArrowSchema *schema) { schema->release = nullptr; living--; };
        result.made.array.length = count;
        result.made.array.n_buffers = 2;
        result.made.array.buffers = held->buffers;
        result.made.array.private_data = held.release();
        result.made.array.release = [](ArrowArray *array) {
            delete static_cast<Held *>(array->private_data);
            array->release = nullptr;
            living--;
        };
        living += 2;
        if (count == 0)
            call.fail("nothing");
        columns::UpResult moved;
        moved = std::move(result);
        return moved;
    }
    std::int64_t sum(loader::Call &call, const loader_arrow &values) override
    {
        if (std::strcmp(values.schema->format, "l") != 0)
            call.fail("no int64", LOADER_INVALID);
        const auto *numbers = static_cast<const std::int64_t *>(values.array->buffers[1]) + values.array->offset;
        std::int64_t total = 0;
        for (std::int64_t i = 0; i < values.array->length; i++)
            total += numbers[i];
        return total;
    }
    std::int64_t alive(loader::Call &) override { return living; }
};
COLUMNS_EXPORT(Columns);
"""
ZIG = """\
const std = @import("std");
const columns = @import("columns");
const loader = @import("loader");
var living: std.atomic.Value(i64) = .init(0);
const allocator = std.heap.smp_allocator;
const Held = struct { values: []i64, buffers: [2]?*const anyopaque };
const Columns = struct {
    pub fn up(call: loader.Call, count: i64) !columns.UpResult {
        if (count == 0) return call.fail("nothing", .{});
        const held = try allocator.create(Held);
        held.values = try allocator.alloc(i64, @intCast(count));
        for (held.values, 0..) |*value, at| value.* = @intCast(at);
        held.buffers = .{ null, held.values.ptr };
        _ = living.fetchAdd(2, .monotonic);
        return .{ .note = "some", .made = .{
            .schema = .{ .format = "l", .name = "", .release = &endSchema },
            .array = .{
                .length = count,
                .n_buffers = 2,
                .buffers = &held.buffers,
                .private_data = held,
                .release = &endArray,
            },
        } };
    }
    fn endSchema(schema: *loader.ArrowSchema) callconv(.c) void {
        schema.release = null;
        _ = living.fetchSub(1, .monotonic);
    }
    fn endArray(made: *loader.ArrowArray) callconv(.c) void {
        const held: *Held = @ptrCast(@alignCast(made.private_data.?));
        allocator.free(held.values);
        allocator.destroy(held);
        made.release = null;
        _ = living.fetchSub(1, .monotonic);
    }
    pub fn sum(call: loader.Call, values: loader.ArrowPair) !i64 {
        if (!std.mem.eql(u8, std.mem.span(values.schema.format.?), "l")) return call.invalid("no int64", .{});
        const numbers: [*]const i64 = @ptrCast(@alignCast(values.array.buffers.?[1].?));
        var total: i64 = 0;
        for (numbers[@intCast(values.array.offset)..][0..@intCast(values.array.length)]) |value| total += value;
        return total;
    }
    pub fn alive(_: loader.Call) i64 {
        return living.load(.monotonic);
    }
};
comptime {
    columns.exportPlugin(Columns);
}
"""


@pytest.fixture(scope="module", params=["cpp", "zig"])
def plugin(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The plugin in one language."""
    folder: Path = tmp_path_factory.mktemp("columns")
    header = folder / "columns.h"
    header.write_text(HEADER)
    contract = loader.Contract.from_header(header)
    for name, text in bindings(contract, request.param, header).items():
        (folder / name).write_text(text)
    source = folder / f"plugin.{request.param}"
    if request.param == "cpp":
        source.write_text(CPP)
        flags = [f"-I{folder}", "-Wconversion", "-Wshadow"]
        return loader.load(request.getfixturevalue("build")(source, flags=flags), contract=contract)
    source.write_text(ZIG)
    done = request.getfixturevalue("build_zig")(source, folder / "columns.zig", folder / "plugin.so")
    assert done.returncode == 0, done.stderr
    return loader.load(folder / "plugin.so", contract=contract)


def test_an_arrow_array_goes_out_and_in(plugin: Any) -> None:
    """What one function made, another reads; it is released when Python has no use for it."""
    made = plugin.up(5)
    assert made.note == "some"
    assert plugin.sum(made.made) == 10
    assert plugin.alive() == 2
    del made
    gc.collect()
    assert plugin.alive() == 0


def test_a_failure_releases_what_was_made(plugin: Any) -> None:
    """In C++ by its destructor."""
    with pytest.raises(loader.PluginError, match="nothing"):
        plugin.up(0)
    assert plugin.alive() == 0


def test_another_type_is_refused_by_the_plugin(plugin: Any) -> None:
    """It sees the format."""
    pyarrow = pytest.importorskip("pyarrow")
    with pytest.raises(loader.PluginError, match="no int64"):
        plugin.sum(pyarrow.array([1.5]))
