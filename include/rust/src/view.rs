//! What the host lent, as Rust sees it: slices and texts over memory that is the host's.

use core::slice;
use core::str;

use crate::abi::loader_text;

/// A text that the host lent. It is taken for UTF-8 without a look, as the ABI has the host promise it: a
/// look would read every text twice. Debug builds do look.
///
/// # Safety
/// `text` is valid during `'a`, and so is what it points to, which is UTF-8.
#[inline]
pub(crate) unsafe fn text_of<'a>(text: *const loader_text) -> &'a str {
    let bytes = bytes_of(text);
    debug_assert!(str::from_utf8(bytes).is_ok(), "the host lends text that is not UTF-8");
    str::from_utf8_unchecked(bytes)
}

/// The same as bytes, for text that somebody else than the host made.
///
/// # Safety
/// `text` is valid during `'a`, and so is what it points to.
#[inline]
pub(crate) unsafe fn bytes_of<'a>(text: *const loader_text) -> &'a [u8] {
    slice_of((*text).data.cast(), (*text).size)
}

/// # Safety
/// `data` is the address of `size` items, valid during `'a`.
#[inline]
pub(crate) unsafe fn slice_of<'a, T>(data: *const T, size: usize) -> &'a [T] {
    if size == 0 {
        return &[]; // null is allowed then, in C
    }
    slice::from_raw_parts(data, size)
}

/// # Safety
/// As slice_of; and nobody else reads or writes them during `'a`.
#[inline]
pub(crate) unsafe fn slice_of_mut<'a, T>(data: *mut T, size: usize) -> &'a mut [T] {
    if size == 0 {
        return &mut [];
    }
    slice::from_raw_parts_mut(data, size)
}
