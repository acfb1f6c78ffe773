//! What arrays, lists and structs of a contract are made of: [`Item`], and the items that borrow, [`Text`] and
//! [`Bytes`].

use core::borrow::Borrow;
use core::cmp::Ordering;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::ops::Deref;

use crate::abi::{loader_bytes, loader_text};
use crate::view::{slice_of, text_of};

/// A plain value as it lies in memory of the host: a number, an enum, a text, a struct of these.
///
/// # Safety
/// The type is laid out as the contract's header says; any bytes are a value of it, or those that the host promises
/// (of a [`Text`]); all bytes 0 are one. `Lent` is this very type, with `'call` as its lifetime; of a type without a
/// lifetime, `Self`.
pub unsafe trait Item: Copy {
    /// The type with `'call` as its lifetime.
    type Lent<'call>: Item + 'call;
}

macro_rules! numbers {
    ($($type:ty),*) => {$(
        // SAFETY: a number, and 0 is one.
        unsafe impl Item for $type {
            type Lent<'call> = $type;
        }
    )*};
}

numbers!(i8, i16, i32, i64, isize, u8, u16, u32, u64, usize, f32, f64);

// SAFETY: N of them, one behind the other, as in C.
unsafe impl<T: Item, const N: usize> Item for [T; N] {
    type Lent<'call> = [T::Lent<'call>; N];
}

/// A value whose bytes are all 0: numbers are 0, texts empty.
#[inline]
pub fn zeroed<T: Item>() -> T {
    // SAFETY: Item: such bytes are a value.
    unsafe { MaybeUninit::zeroed().assume_init() }
}

/// C's `bool` in a struct or list, where it is a byte that somebody else may have written: what is not 0 is true.
#[derive(Clone, Copy, Default)]
#[repr(transparent)]
pub struct Bool(u8);

impl Bool {
    /// The value.
    #[inline]
    pub fn get(self) -> bool {
        self.0 != 0
    }
}

impl From<bool> for Bool {
    fn from(value: bool) -> Self {
        Bool(value.into())
    }
}

impl From<Bool> for bool {
    fn from(value: Bool) -> Self {
        value.get()
    }
}

impl PartialEq for Bool {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

impl Eq for Bool {}

impl fmt::Debug for Bool {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(out)
    }
}

// SAFETY: a byte, and 0 is false.
unsafe impl Item for Bool {
    type Lent<'call> = Bool;
}

/// A text in memory of the host, as structs and lists of texts have it: a `&'a str` in C's layout. It derefs to
/// `str`, and a slice of them joins: `words.join("-")`.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct Text<'a> {
    raw: loader_text,
    lent: PhantomData<&'a str>,
}

// SAFETY: as &str.
unsafe impl Send for Text<'_> {}
// SAFETY: as &str.
unsafe impl Sync for Text<'_> {}
// SAFETY: loader_text; the host promises UTF-8. Null with size 0 is the empty text.
unsafe impl Item for Text<'_> {
    type Lent<'call> = Text<'call>;
}

impl<'a> Text<'a> {
    /// The text, borrowed for as long as it is lent.
    #[inline]
    pub fn as_str(self) -> &'a str {
        // SAFETY: made of a &'a str, or the host's promise.
        unsafe { text_of(&self.raw) }
    }
}

impl<'a> From<&'a str> for Text<'a> {
    #[inline]
    fn from(text: &'a str) -> Self {
        Text { raw: loader_text { data: text.as_ptr().cast(), size: text.len() }, lent: PhantomData }
    }
}

impl Default for Text<'_> {
    fn default() -> Self {
        zeroed()
    }
}

impl Deref for Text<'_> {
    type Target = str;
    #[inline]
    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for Text<'_> {
    fn as_ref(&self) -> &str {
        self
    }
}

impl Borrow<str> for Text<'_> {
    fn borrow(&self) -> &str {
        self
    }
}

impl PartialEq for Text<'_> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl PartialEq<str> for Text<'_> {
    fn eq(&self, other: &str) -> bool {
        **self == *other
    }
}

impl PartialEq<&str> for Text<'_> {
    fn eq(&self, other: &&str) -> bool {
        **self == **other
    }
}

impl Eq for Text<'_> {}

impl PartialOrd for Text<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Text<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        (**self).cmp(&**other)
    }
}

impl Hash for Text<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&**self, out)
    }
}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, out)
    }
}

/// Raw bytes in memory of the host, as structs have them: a `&'a [u8]` in C's layout.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct Bytes<'a> {
    raw: loader_bytes,
    lent: PhantomData<&'a [u8]>,
}

// SAFETY: as &[u8].
unsafe impl Send for Bytes<'_> {}
// SAFETY: as &[u8].
unsafe impl Sync for Bytes<'_> {}
// SAFETY: loader_bytes. Null with size 0 is no bytes.
unsafe impl Item for Bytes<'_> {
    type Lent<'call> = Bytes<'call>;
}

impl<'a> Bytes<'a> {
    /// The bytes, borrowed for as long as they are lent.
    #[inline]
    pub fn as_slice(self) -> &'a [u8] {
        // SAFETY: made of a &'a [u8], or the host's promise.
        unsafe { slice_of(self.raw.data, self.raw.size) }
    }
}

impl<'a> From<&'a [u8]> for Bytes<'a> {
    #[inline]
    fn from(bytes: &'a [u8]) -> Self {
        Bytes { raw: loader_bytes { data: bytes.as_ptr(), size: bytes.len() }, lent: PhantomData }
    }
}

impl Default for Bytes<'_> {
    fn default() -> Self {
        zeroed()
    }
}

impl Deref for Bytes<'_> {
    type Target = [u8];
    #[inline]
    fn deref(&self) -> &[u8] {
        self.as_slice()
    }
}

impl PartialEq for Bytes<'_> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Bytes<'_> {}

impl fmt::Debug for Bytes<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, out)
    }
}
