//! [`Argument`]: the kinds of parameter that a contract function can have, and what Rust makes of each.

use core::ops::Range;

use crate::abi::{loader_array, loader_text};
use crate::call::Call;
use crate::error::{Error, Result, Status};
use crate::item::Item;
use crate::view::{slice_of, slice_of_mut, text_of};

/// One parameter of a contract function: how it crosses the ABI and what the plugin sees. `&str`, slices and what
/// else is borrowed from the host ends when the exported function returns, which their lifetime says; numbers and
/// `bool` are values.
///
/// What a function receives is [`Lent`](Self::Lent) for the call that runs, a lifetime that [`guard`](crate::guard)
/// alone knows. So a function, or a line of [`export!`](crate::export!), that asks for a longer one does not compile:
/// `&'static str`, for example.
///
/// # Safety
/// `Raw` is of pointer, integer or floating-point class, exactly as the contract's header declares the parameter, and
/// `Lent` holds no borrow that is longer than `'call`.
pub unsafe trait Argument {
    /// What the exported function receives.
    type Raw;

    /// The safe form: this very type, with `'call` as its lifetime. Of a type without a lifetime, `Self`.
    type Lent<'call>;

    /// Whether the plugin may write to it.
    const CHANGED: bool = false;

    /// Where the elements of an array or tensor lie, and what says which are null: a host may lend the same ones twice.
    /// Empty where there are none.
    ///
    /// # Safety
    /// As [`from_raw`](Self::from_raw).
    #[inline]
    unsafe fn spans(_: &Self::Raw) -> [Range<usize>; 2] {
        [0..0, 0..0]
    }

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

// SAFETY: `const loader_f64s *`, `const loader_texts *`, `const T_list *`, which are alike; and of bytes
// `const loader_bytes *`. Borrowed until the function returns, and nobody writes to it.
unsafe impl<T: Item> Argument for &[T] {
    type Raw = *const loader_array<T>;
    type Lent<'call> = &'call [T::Lent<'call>];
    #[inline]
    unsafe fn spans(raw: &Self::Raw) -> [Range<usize>; 2] {
        [span_of(*raw), 0..0]
    }
    #[inline]
    unsafe fn from_raw<'call>(raw: Self::Raw, _: &Call<'call>) -> Self::Lent<'call> {
        slice_of((*raw).data.cast_const().cast(), (*raw).size)
    }
}

// SAFETY: `loader_f64s *`, `T_list *`: borrowed until the function returns, and the caller's own to lend for changes.
// What else the same call lends lies elsewhere: see `check_apart`.
unsafe impl<T: Item> Argument for &mut [T] {
    type Raw = *mut loader_array<T>;
    type Lent<'call> = &'call mut [T::Lent<'call>];
    const CHANGED: bool = true;
    #[inline]
    unsafe fn spans(raw: &Self::Raw) -> [Range<usize>; 2] {
        [span_of(*raw), 0..0]
    }
    #[inline]
    unsafe fn from_raw<'call>(raw: Self::Raw, _: &Call<'call>) -> Self::Lent<'call> {
        slice_of_mut((*raw).data.cast(), (*raw).size)
    }
}

#[inline]
unsafe fn span_of<T>(raw: *const loader_array<T>) -> Range<usize> {
    let start = (*raw).data as usize;
    start..start + (*raw).size * core::mem::size_of::<T>()
}

/// For [`export_function!`](crate::export_function!): an array that is changed in place is no part of another one. A
/// host may lend the same memory twice; Rust's `&mut` may not. Each has a name, its places, and whether it is changed.
#[doc(hidden)]
pub fn check_apart(lent: &[(&str, [Range<usize>; 2], bool)]) -> Result {
    for (at, (name, spans, changed)) in lent.iter().enumerate() {
        for (other, places, also) in &lent[at + 1..] {
            let meet = |span: &Range<usize>| places.iter().any(|place| share(span, place));
            if (*changed || *also) && spans.iter().any(meet) {
                let text = format!(
                    "{name} and {other} lie in the same memory, and one is changed: pass a copy of one"
                );
                return Err(Error::new(Status::INVALID, text));
            }
        }
    }
    Ok(())
}

/// An empty place shares nothing, wherever it is.
fn share(one: &Range<usize>, other: &Range<usize>) -> bool {
    !(one.start.max(other.start)..one.end.min(other.end)).is_empty()
}

macro_rules! numbers {
    ($($type:ty),*) => {$(
        // SAFETY: of integer or floating-point class, and without a lifetime.
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

numbers!(i8, i16, i32, i64, isize, u8, u16, u32, u64, usize, f32, f64);

// SAFETY: C's `bool` is a byte. It is read as one: a byte that is neither 0 nor 1 is no `bool` of Rust's.
unsafe impl Argument for bool {
    type Raw = u8;
    type Lent<'call> = bool;
    #[inline]
    unsafe fn from_raw(raw: u8, _: &Call<'_>) -> bool {
        raw != 0
    }
}
