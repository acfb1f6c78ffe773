//! [`Argument`]: the kinds of parameter that a contract function can have, and what Rust makes of each.

use core::slice;
use core::str;

use crate::abi::{loader_bytes, loader_text};

/// One parameter of a contract function: how it crosses the ABI and what the plugin sees. `&str` and `&[u8]`
/// are borrowed from the host until the exported function returns, which their lifetime says; integers are
/// values.
///
/// # Safety
/// `Raw` is of pointer or integer class, exactly as the contract's header declares the parameter.
pub unsafe trait Argument: Sized {
    /// What the exported function receives.
    type Raw;

    /// The safe form.
    ///
    /// # Safety
    /// `raw` is what the host passed for this parameter, and the lifetimes in `Self` end before the exported
    /// function returns.
    unsafe fn from_raw(raw: Self::Raw) -> Self;
}

/// A text that the host lent. It is taken for UTF-8 without a look, as the ABI has the host promise it: a
/// look would read every text twice. Debug builds do look.
///
/// # Safety
/// `text` is valid during `'a`, and so is what it points to, which is UTF-8.
#[inline]
pub(crate) unsafe fn text_of<'a>(text: *const loader_text) -> &'a str {
    let bytes = slice_of((*text).data.cast(), (*text).size);
    debug_assert!(str::from_utf8(bytes).is_ok(), "the host lends text that is not UTF-8");
    str::from_utf8_unchecked(bytes)
}

#[inline]
unsafe fn slice_of<'a>(data: *const u8, size: usize) -> &'a [u8] {
    if size == 0 {
        return &[]; // null is allowed then, in C
    }
    slice::from_raw_parts(data, size)
}

// SAFETY: `const loader_text *`, borrowed until the function returns.
unsafe impl Argument for &str {
    type Raw = *const loader_text;
    #[inline]
    unsafe fn from_raw(raw: Self::Raw) -> Self {
        text_of(raw)
    }
}

// SAFETY: `const loader_bytes *`, borrowed until the function returns.
unsafe impl Argument for &[u8] {
    type Raw = *const loader_bytes;
    #[inline]
    unsafe fn from_raw(raw: Self::Raw) -> Self {
        slice_of((*raw).data, (*raw).size)
    }
}

macro_rules! integers {
    ($($type:ty),*) => {$(
        // SAFETY: of integer class, and without a lifetime.
        unsafe impl Argument for $type {
            type Raw = $type;
            #[inline]
            unsafe fn from_raw(raw: $type) -> $type {
                raw
            }
        }
    )*};
}

integers!(i8, i16, i32, i64, isize, u8, u16, u32, u64, usize);
