//! Tables of functions of the host's: interfaces that an argument brings, and services. What is passed to such a
//! function is [`Passed`], what it gives is [`Taken`]; the macro [`table!`](crate::table!) makes methods of them.

use crate::abi::{loader_array, loader_text};
use crate::call::EMPTY_TEXT;
use crate::item::Item;
use crate::view::{slice_of, text_of};

/// What stays where it is while the host's function runs, and how that function is passed it.
///
/// # Safety
/// `raw` is what the header declares, and valid until `self` is changed or moved.
pub unsafe trait Held {
    /// A number or a pointer.
    type Raw: Copy;
    /// What the function is passed.
    fn raw(&mut self) -> Self::Raw;
}

/// One parameter of a function of the host's.
///
/// # Safety
/// As of [`Held`].
pub unsafe trait Passed {
    /// What stays meanwhile.
    type Held: Held;
    /// Makes it.
    fn hold(self) -> Self::Held;
}

/// One result of a function of the host's, by `LOADER_OUT`.
///
/// # Safety
/// `Raw` is what the header declares.
pub unsafe trait Taken {
    /// What the host writes to.
    type Raw;
    /// What the plugin sees: borrowed from the host until the plugin's own function returns.
    type Taken<'call>;
    /// Room for it.
    fn room() -> Self::Raw;
    /// What the host wrote.
    ///
    /// # Safety
    /// The function returned LOADER_OK, in a call that lives for `'call`.
    unsafe fn take<'call>(raw: Self::Raw) -> Self::Taken<'call>;
}

/// A value that the host's function gets a pointer to.
#[doc(hidden)]
pub struct HeldValue<T>(T);

impl<T> HeldValue<T> {
    #[doc(hidden)]
    pub fn new(value: T) -> Self {
        HeldValue(value)
    }
}

// SAFETY: a pointer into self.
unsafe impl<T> Held for HeldValue<T> {
    type Raw = *const T;
    #[inline]
    fn raw(&mut self) -> *const T {
        &self.0
    }
}

/// Room for a result.
#[doc(hidden)]
pub struct Slot<T: Taken>(T::Raw);

impl<T: Taken> Slot<T> {
    #[doc(hidden)]
    #[allow(clippy::new_without_default)] // for a macro
    pub fn new() -> Self {
        Slot(T::room())
    }

    #[doc(hidden)]
    /// # Safety
    /// As of [`Taken::take`].
    pub unsafe fn take<'call>(self) -> T::Taken<'call> {
        T::take(self.0)
    }
}

// SAFETY: a pointer into self.
unsafe impl<T: Taken> Held for Slot<T> {
    type Raw = *mut T::Raw;
    #[inline]
    fn raw(&mut self) -> *mut T::Raw {
        &mut self.0
    }
}

macro_rules! numbers {
    ($($type:ty),*) => {$(
        // SAFETY: by value.
        unsafe impl Held for $type {
            type Raw = $type;
            #[inline]
            fn raw(&mut self) -> $type {
                *self
            }
        }
        // SAFETY: by value.
        unsafe impl Passed for $type {
            type Held = $type;
            #[inline]
            fn hold(self) -> $type {
                self
            }
        }
        // SAFETY: by value.
        unsafe impl Taken for $type {
            type Raw = $type;
            type Taken<'call> = $type;
            #[inline]
            fn room() -> $type {
                0 as $type
            }
            #[inline]
            unsafe fn take<'call>(raw: $type) -> Self::Taken<'call> {
                raw
            }
        }
    )*};
}

numbers!(i8, i16, i32, i64, isize, u8, u16, u32, u64, usize, f32, f64);

// SAFETY: C's bool is a byte.
unsafe impl Passed for bool {
    type Held = u8;
    #[inline]
    fn hold(self) -> u8 {
        self.into()
    }
}

// SAFETY: as above; any byte will do.
unsafe impl Taken for bool {
    type Raw = u8;
    type Taken<'call> = bool;
    #[inline]
    fn room() -> u8 {
        0
    }
    #[inline]
    unsafe fn take<'call>(raw: u8) -> Self::Taken<'call> {
        raw != 0
    }
}

fn lent_text(text: &str) -> loader_text {
    loader_text { data: text.as_ptr().cast(), size: text.len() }
}

// SAFETY: const loader_text *, which the host's function reads until it returns.
unsafe impl Passed for &str {
    type Held = HeldValue<loader_text>;
    fn hold(self) -> Self::Held {
        HeldValue(lent_text(self))
    }
}

// SAFETY: a text of the host's, which it promises to be UTF-8.
unsafe impl Taken for &str {
    type Raw = loader_text;
    type Taken<'call> = &'call str;
    fn room() -> loader_text {
        EMPTY_TEXT
    }
    unsafe fn take<'call>(raw: loader_text) -> &'call str {
        text_of(&raw)
    }
}

// SAFETY: const loader_f64s *, const T_list * or const loader_bytes *, which are alike.
unsafe impl<T: Item> Passed for &[T] {
    type Held = HeldValue<loader_array<T>>;
    fn hold(self) -> Self::Held {
        HeldValue(loader_array { data: self.as_ptr().cast_mut(), size: self.len() })
    }
}

// SAFETY: an array of the host's.
unsafe impl<T: Item> Taken for &[T] {
    type Raw = loader_array<T>;
    type Taken<'call> = &'call [T::Lent<'call>];
    fn room() -> loader_array<T> {
        loader_array { data: core::ptr::null_mut(), size: 0 }
    }
    unsafe fn take<'call>(raw: loader_array<T>) -> Self::Taken<'call> {
        slice_of(raw.data.cast_const().cast(), raw.size)
    }
}

/// Texts for a function of the host's.
#[doc(hidden)]
pub struct HeldTexts {
    texts: Vec<loader_text>,
    array: loader_array<loader_text>,
}

// SAFETY: a pointer into self, which has one to memory of its own.
unsafe impl Held for HeldTexts {
    type Raw = *const loader_array<loader_text>;
    fn raw(&mut self) -> Self::Raw {
        self.array = loader_array { data: self.texts.as_mut_ptr(), size: self.texts.len() };
        &self.array
    }
}

// SAFETY: const loader_texts *.
unsafe impl Passed for &[&str] {
    type Held = HeldTexts;
    fn hold(self) -> HeldTexts {
        let texts = self.iter().map(|text| lent_text(text)).collect();
        HeldTexts { texts, array: loader_array { data: core::ptr::null_mut(), size: 0 } }
    }
}

/// Declares a table of functions of the host's with a method for each, for what `loader bindings` writes: an interface,
/// which a contract function gets as an argument, or a service with its id, for [`Call::service`](crate::Call::service).
///
/// A method's line has the offset of the function's pointer in the table; its parameters; its result, by type and in
/// terms of what comes; and in brackets what the function is passed in C, in order: `in` what the method is passed,
/// `out` a result of that type.
///
/// ```
/// native_plugin::table! {
///     /// Who wants to know how far it is.
///     interface Progress {
///         /// So far.
///         fn at @ 8 (done: f64) -> (f64, &'call str) = (rest, text); [in done, out rest: f64, out text: &str];
///     }
/// }
/// fn half<'call>(call: &mut native_plugin::Call<'call>, progress: Progress<'call>) -> native_plugin::Result {
///     let (rest, text) = progress.at(call, 0.5)?;
///     write!(call, "{rest} {text}")
/// }
/// ```
#[macro_export]
macro_rules! table {
    ($($(#[$note:meta])* $way:ident $name:ident $(= $id:literal)? {$(
        $(#[$about:meta])*
        fn $function:ident @ $offset:literal ($($parameter:ident: $type:ty),*) -> $given:ty = $made:expr;
        [$($pass:ident $part:ident $(: $result:ty)?),*];
    )+})*) => {$(
        $(#[$note])*
        ///
        /// The application's; borrowed until the plugin's function returns, on its thread.
        #[derive(Clone, Copy)]
        pub struct $name<'call> {
            table: ::core::ptr::NonNull<::core::ffi::c_void>,
            lent: ::core::marker::PhantomData<&'call ()>,
        }

        impl<'call> $name<'call> {$(
            $(#[$about])*
            pub fn $function(
                &self,
                call: &mut $crate::Call<'call>
                $(, $parameter: $type)*
            ) -> $crate::Result<$given> {
                $($crate::table!(@hold $pass $part $($result)?);)*
                // SAFETY: the line says what the header declares; the table is valid, with the call that lent it.
                unsafe {
                    $crate::invoke(call, self.table, $offset, ($($crate::Held::raw(&mut $part),)*))?;
                }
                $($crate::table!(@take $pass $part);)*
                ::core::result::Result::Ok($made)
            }
        )+}

        $crate::table!(@$way $name $($id)?);
    )*};
    (@hold in $part:ident) => { let mut $part = $crate::Passed::hold($part); };
    (@hold out $part:ident $result:ty) => { let mut $part = $crate::Slot::<$result>::new(); };
    (@take in $part:ident) => {};
    // SAFETY: the function returned LOADER_OK.
    (@take out $part:ident) => { let $part = unsafe { $part.take::<'call>() }; };
    (@interface $name:ident) => {
        // SAFETY: a pointer to the table, borrowed until the function returns.
        unsafe impl $crate::Argument for $name<'_> {
            type Raw = *mut ::core::ffi::c_void;
            type Lent<'lent> = $name<'lent>;
            #[inline]
            unsafe fn from_raw<'lent>(raw: Self::Raw, _: &$crate::Call<'lent>) -> $name<'lent> {
                $name { table: ::core::ptr::NonNull::new_unchecked(raw), lent: ::core::marker::PhantomData }
            }
        }
    };
    (@service $name:ident $id:literal) => {
        // SAFETY: the lines say what the header declares, and functions are read under the table's size.
        unsafe impl<'call> $crate::Service<'call> for $name<'call> {
            const ID: &'static str = $id;
            unsafe fn from_table(table: ::core::ptr::NonNull<::core::ffi::c_void>) -> Self {
                $name { table, lent: ::core::marker::PhantomData }
            }
        }
    };
}
