//! [`Argument`]: the kinds of parameter that a contract function can have, and what Rust makes of each.

use crate::abi::{loader_bytes, loader_text};
use crate::call::Call;
use crate::view::{slice_of, text_of};

/// One parameter of a contract function: how it crosses the ABI and what the plugin sees. `&str` and `&[u8]`
/// are borrowed from the host until the exported function returns, which their lifetime says; integers and
/// `bool` are values.
///
/// What a function receives is [`Lent`](Self::Lent) for the call that runs, a lifetime that [`guard`](crate::guard)
/// alone knows. So a function, or a line of [`export!`](crate::export!), that asks for a longer one does not compile:
/// `&'static str`, for example.
///
/// # Safety
/// `Raw` is of pointer or integer class, exactly as the contract's header declares the parameter, and `Lent`
/// holds no borrow that is longer than `'call`.
pub unsafe trait Argument {
    /// What the exported function receives.
    type Raw;

    /// The safe form: this very type, with `'call` as its lifetime. Of a type without a lifetime, `Self`.
    type Lent<'call>;

    /// Makes the safe form. `call` is there for its lifetime, which ends before the exported function returns.
    ///
    /// # Safety
    /// `raw` is what the host passed for this parameter to the function that was entered with `call`.
    unsafe fn from_raw<'call>(raw: Self::Raw, call: &Call<'call>) -> Self::Lent<'call>;
}

// SAFETY: `const loader_text *`, borrowed until the function returns.
unsafe impl Argument for &str {
    type Raw = *const loader_text;
    type Lent<'call> = &'call str;
    #[inline]
    unsafe fn from_raw<'call>(raw: Self::Raw, _: &Call<'call>) -> &'call str {
        text_of(raw)
    }
}

// SAFETY: `const loader_bytes *`, borrowed until the function returns.
unsafe impl Argument for &[u8] {
    type Raw = *const loader_bytes;
    type Lent<'call> = &'call [u8];
    #[inline]
    unsafe fn from_raw<'call>(raw: Self::Raw, _: &Call<'call>) -> &'call [u8] {
        slice_of((*raw).data, (*raw).size)
    }
}

macro_rules! integers {
    ($($type:ty),*) => {$(
        // SAFETY: of integer class, and without a lifetime.
        unsafe impl Argument for $type {
            type Raw = $type;
            type Lent<'call> = $type;
            #[inline]
            unsafe fn from_raw(raw: $type, _: &Call<'_>) -> $type {
                raw
            }
        }
    )*};
}

integers!(i8, i16, i32, i64, isize, u8, u16, u32, u64, usize);

// SAFETY: C's `bool` is a byte. It is read as one: a byte that is neither 0 nor 1 is no `bool` of Rust's.
unsafe impl Argument for bool {
    type Raw = u8;
    type Lent<'call> = bool;
    #[inline]
    unsafe fn from_raw(raw: u8, _: &Call<'_>) -> bool {
        raw != 0
    }
}
