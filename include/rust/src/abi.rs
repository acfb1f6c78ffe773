//! The ABI itself: `loader/plugin.h`, loader ABI 1, field by field.
//!
//! Names, order and meaning are the header's. The rest of the crate wraps these types in safe ones; they are
//! public for contracts and service tables that this crate does not know.
//!
//! Rules for every pointer here, unless its own comment says otherwise: the host owns what it points to, the
//! plugin borrows it until the exported function returns, and uses it on the thread that the function was
//! entered on.

#![allow(non_camel_case_types)] // the header's names

use core::ffi::{c_char, c_int, c_void};
use core::mem::{offset_of, size_of};

/// The version of the layout below. The marker `loader_abi_1` carries it in its name.
pub const LOADER_ABI: u8 = 1;

/// Text: `size` bytes of UTF-8 at `data`. Borrowed. `data` may be null only if `size` is 0.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct loader_text {
    /// First byte; not NUL-terminated.
    pub data: *const c_char,
    /// Number of bytes.
    pub size: usize,
}

/// Raw bytes: `size` of them at `data`. Borrowed. `data` may be null only if `size` is 0.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct loader_bytes {
    /// First byte.
    pub data: *const u8,
    /// Number of bytes.
    pub size: usize,
}

/// Arrays of numbers, of texts and of structs, `loader_f64s`, `loader_texts`, `T_list`: `size` items at `data`, which
/// may be null only if `size` is 0.
#[repr(C)]
#[derive(Debug)]
pub struct loader_array<T> {
    /// First item.
    pub data: *mut T,
    /// Number of items.
    pub size: usize,
}

impl<T> Clone for loader_array<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for loader_array<T> {}

/// A tensor: DLPack's `DLTensor`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct loader_tensor {
    /// Aligned as its elements are, or to 8 bytes.
    pub data: *mut c_void,
    /// 1: the CPU. The host lends no other.
    pub device_type: i32,
    /// 0.
    pub device_id: i32,
    /// Dimensions; 0: one element.
    pub ndim: i32,
    /// Of its elements: `enum loader_tensor_code`.
    pub code: u8,
    /// Of an element.
    pub bits: u8,
    /// 1.
    pub lanes: u16,
    /// `ndim` of them.
    pub shape: *const i64,
    /// `ndim` of them, in elements; may be 0 or negative; never null.
    pub strides: *const i64,
    /// From `data` to the first element.
    pub byte_offset: u64,
}

/// What an Arrow array is of: the struct of Arrow's C data interface.
#[repr(C)]
#[derive(Debug)]
#[allow(missing_docs)] // the specification's members
pub struct ArrowSchema {
    pub format: *const c_char,
    pub name: *const c_char,
    pub metadata: *const c_char,
    pub flags: i64,
    pub n_children: i64,
    pub children: *mut *mut ArrowSchema,
    pub dictionary: *mut ArrowSchema,
    pub release: Option<unsafe extern "C" fn(schema: *mut ArrowSchema)>,
    pub private_data: *mut c_void,
}

/// An Arrow array: the struct of Arrow's C data interface.
#[repr(C)]
#[derive(Debug)]
#[allow(missing_docs)] // the specification's members
pub struct ArrowArray {
    pub length: i64,
    pub null_count: i64,
    pub offset: i64,
    pub n_buffers: i64,
    pub n_children: i64,
    pub buffers: *mut *const c_void,
    pub children: *mut *mut ArrowArray,
    pub dictionary: *mut ArrowArray,
    pub release: Option<unsafe extern "C" fn(array: *mut ArrowArray)>,
    pub private_data: *mut c_void,
}

/// An Arrow array of any type, with the schema that says which.
#[repr(C)]
#[derive(Debug)]
pub struct loader_arrow {
    /// Of the array.
    pub schema: *mut ArrowSchema,
    /// Released once, as the schema is.
    pub array: *mut ArrowArray,
}

/// One call's context. Made by the host, borrowed by the plugin until the function returns, used on the
/// thread that the function was entered on only. A plugin moves `next` (through [`Call`](crate::Call)) and
/// leaves every other field alone.
#[repr(C)]
#[derive(Debug)]
pub struct loader_call {
    /// Bytes of this struct as the host knows it.
    pub size: usize,
    /// Where the next byte of output goes.
    pub next: *mut c_char,
    /// One past the last byte of room at `next`; room may be 0.
    pub limit: *mut c_char,
    /// The host's functions; never null.
    pub host: *const loader_host,
    /// Text of the last failure on this call; size 0 if there was none.
    pub error: loader_text,
}

/// The host's functions. Owned by the host, valid as long as the process. Each is called with the `call` that
/// the plugin was given, on the same thread. None of them unwinds.
#[repr(C)]
#[derive(Debug)]
pub struct loader_host {
    /// Bytes of this struct as the host knows it.
    pub size: usize,
    /// Makes room for at least `more` bytes at `call.next`; `next` and `limit` may move.
    /// Returns `LOADER_OK` or `LOADER_NO_MEMORY`.
    pub grow: unsafe extern "C" fn(call: *mut loader_call, more: usize) -> c_int,
    /// Copies `size` bytes of UTF-8 at `text` as the error text of this call, replacing an earlier one.
    /// Returns `status`, or `LOADER_FAILED` if `status` is `LOADER_OK`.
    pub fail: unsafe extern "C" fn(
        call: *mut loader_call,
        status: c_int,
        text: *const c_char,
        size: usize,
    ) -> c_int,
    /// Hands one line of UTF-8 to the application's log. Copies.
    pub log: unsafe extern "C" fn(call: *mut loader_call, level: c_int, text: *const c_char, size: usize),
    /// `LOADER_OK`: go on. `LOADER_CANCELLED`, `LOADER_DEADLINE`: stop soon and return that value.
    pub cancelled: unsafe extern "C" fn(call: *mut loader_call) -> c_int,
    /// The table of the service that the host lends under this id, or null. Owned by the host; borrowed until
    /// the plugin's function returns.
    pub service:
        unsafe extern "C" fn(call: *mut loader_call, id: *const c_char, id_size: usize) -> *const c_void,
    /// The path of the plugin's file. An older host's table ends before it: read it by
    /// [`sized_field!`](crate::sized_field).
    pub path: unsafe extern "C" fn(call: *mut loader_call) -> loader_text,
    /// Appends `size` bytes at `data` to the output: a copy that sees in passing whether all of it is ASCII, worth it
    /// from 1 KiB on. Returns `LOADER_OK` or `LOADER_NO_MEMORY`. May be null, and end beyond an older host's table.
    pub write:
        Option<unsafe extern "C" fn(call: *mut loader_call, data: *const c_void, size: usize) -> c_int>,
    /// Memory of the host's for `size` bytes, aligned for any number, or null. What is no part of a result goes when
    /// the function returns. May end beyond an older host's table.
    pub alloc: Option<unsafe extern "C" fn(call: *mut loader_call, size: usize) -> *mut c_void>,
}

// The layout is the ABI: the same asserts as in the header.
const _: () = {
    assert!(size_of::<*const ()>() == 8, "the loader ABI is defined for 64-bit targets");
    assert!(size_of::<loader_text>() == 16 && offset_of!(loader_text, size) == 8);
    assert!(size_of::<loader_bytes>() == 16 && offset_of!(loader_bytes, size) == 8);
    assert!(
        size_of::<ArrowSchema>() == 72 && size_of::<ArrowArray>() == 80 && size_of::<loader_arrow>() == 16
    );
    assert!(size_of::<loader_array<f64>>() == 16 && offset_of!(loader_array<f64>, size) == 8);
    assert!(size_of::<loader_tensor>() == 48 && offset_of!(loader_tensor, ndim) == 16);
    assert!(offset_of!(loader_tensor, code) == 20 && offset_of!(loader_tensor, shape) == 24);
    assert!(offset_of!(loader_tensor, strides) == 32 && offset_of!(loader_tensor, byte_offset) == 40);
    assert!(offset_of!(loader_call, size) == 0 && offset_of!(loader_call, next) == 8);
    assert!(offset_of!(loader_call, limit) == 16 && offset_of!(loader_call, host) == 24);
    assert!(offset_of!(loader_call, error) == 32 && size_of::<loader_call>() == 48);
    assert!(offset_of!(loader_host, size) == 0 && offset_of!(loader_host, grow) == 8);
    assert!(offset_of!(loader_host, fail) == 16 && offset_of!(loader_host, log) == 24);
    assert!(offset_of!(loader_host, cancelled) == 32 && offset_of!(loader_host, service) == 40);
    assert!(offset_of!(loader_host, path) == 48 && offset_of!(loader_host, write) == 56);
    assert!(offset_of!(loader_host, alloc) == 64 && size_of::<loader_host>() == 72);
};

/// `Some(value)` of one field of a struct that begins with its own `size: usize`, or `None` if the other
/// side's struct is older and ends before it: `LOADER_HAS` of the header, and the read.
///
/// `$pointer` is a `*const $type`. The value is copied out. Needs `unsafe`: the pointer must be valid for as
/// many bytes as the struct's `size` says.
///
/// ```
/// use native_plugin::sized_field;
/// #[repr(C)]
/// struct table { size: usize, old: u64, new: u64 }
/// let table = table { size: 16, old: 7, new: 8 }; // as an older host would say it
/// assert_eq!(unsafe { sized_field!(&table, table, old) }, Some(7));
/// assert_eq!(unsafe { sized_field!(&table, table, new) }, None);
/// ```
#[macro_export]
macro_rules! sized_field {
    ($pointer:expr, $type:ty, $field:ident) => {{
        let pointer: *const $type = $pointer;
        let start = ::core::mem::offset_of!($type, $field);
        // The closure only says what type the field is of: a pointer to one that is not there is not to be made.
        let field = $crate::abi::field_at(pointer, start, |whole| ::core::ptr::addr_of!((*whole).$field));
        let end = start + $crate::abi::pointee_size(field);
        if ::core::ptr::addr_of!((*pointer).size).read() >= end {
            Some(field.read())
        } else {
            None
        }
    }};
}

/// The address `start` bytes into `whole`, perhaps past its end. For [`sized_field!`](crate::sized_field).
#[doc(hidden)]
#[inline]
pub fn field_at<T, F>(whole: *const T, start: usize, _: impl FnOnce(*const T) -> *const F) -> *const F {
    whole.cast::<u8>().wrapping_add(start).cast()
}

/// The size of what a pointer of this type points to; it is not read. For
/// [`sized_field!`](crate::sized_field).
#[doc(hidden)]
pub const fn pointee_size<T>(_: *const T) -> usize {
    size_of::<T>()
}
