//! Structs and enums of a contract, as the macros [`structs!`](crate::structs!) and [`enums!`](crate::enums!) declare
//! them.

use core::ffi::c_void;
use core::mem::size_of;
use core::ops::{Deref, DerefMut};

use crate::item::{zeroed, Item};

/// A struct that begins with its size, as a member of another one: the size, and all other members.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WithSize<T> {
    size: usize,
    value: T,
}

// SAFETY: two items, laid out as C does.
unsafe impl<T: Item> Item for WithSize<T> {
    type Lent<'call> = WithSize<T::Lent<'call>>;
}

impl<T> WithSize<T> {
    /// With the size that the struct has here.
    pub fn new(value: T) -> Self {
        WithSize { size: size_of::<WithSize<T>>(), value }
    }
}

impl<T> From<T> for WithSize<T> {
    fn from(value: T) -> Self {
        WithSize::new(value)
    }
}

impl<T> Deref for WithSize<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for WithSize<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

/// Bytes before the members of a struct that begins with its size.
#[doc(hidden)]
pub const SIZE: usize = size_of::<usize>();

/// For [`structs!`](crate::structs!): the members behind the size, as far as the struct of the other side has them.
///
/// # Safety
/// `raw` points to a struct that begins with its size, and has as many bytes; its members are those of `T`.
#[doc(hidden)]
pub unsafe fn read_sized<T: Item>(raw: *const c_void) -> T {
    let mut value = zeroed::<T>();
    let size = raw.cast::<usize>().read().saturating_sub(SIZE).min(size_of::<T>());
    (&mut value as *mut T).cast::<u8>().copy_from_nonoverlapping(raw.cast::<u8>().add(SIZE), size);
    value
}

/// For [`structs!`](crate::structs!): the other way.
///
/// # Safety
/// As read_sized; and the struct may be written to.
#[doc(hidden)]
pub unsafe fn write_sized<T: Item>(value: &T, raw: *mut c_void) {
    let size = raw.cast::<usize>().read().saturating_sub(SIZE).min(size_of::<T>());
    raw.cast::<u8>().add(SIZE).copy_from_nonoverlapping((value as *const T).cast(), size);
}

/// Declares structs of a contract's header, for what `loader bindings` writes. A struct that begins with its size is
/// `sized`, and has the members behind it; a member that the other side's older struct does not have reads as 0. A
/// struct that holds texts or bytes has the lifetime `'call`. Behind each member stands its offset in C, behind all
/// the size, which the compiler compares.
///
/// ```
/// native_plugin::structs! {
///     /// A place in the plane.
///     plain struct Point { x: f64 = 0, y: f64 = 8 } = 16;
///     /// Who wrote it.
///     sized struct Author<'call> { name: native_plugin::Text<'call> = 8, born: i32 = 24 } = 32;
/// }
/// ```
#[macro_export]
macro_rules! structs {
    ($($(#[$note:meta])* $way:ident struct $name:ident $(<$life:lifetime>)? {
        $($(#[$about:meta])* $member:ident: $type:ty = $offset:literal),+ $(,)?
    } = $size:literal;)*) => {$(
        $(#[$note])*
        #[repr(C)]
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub struct $name $(<$life>)? {
            $($(#[$about])* pub $member: $type,)+
        }
        impl $(<$life>)? ::core::default::Default for $name $(<$life>)? {
            fn default() -> Self {
                $name { $($member: $crate::zeroed(),)+ } // and so each member is an Item
            }
        }
        $crate::structs!(@$way $name [$($life)?] {$($member: $type = $offset,)+} $size);
    )*};
    (@plain $name:ident $life:tt $members:tt $size:literal) => {
        $crate::structs!(@layout $name $members 0);
        const _: () = ::core::assert!(::core::mem::size_of::<$name>() == $size, "as in C");
        $crate::structs!(@traits $name $life, plain);
    };
    (@sized $name:ident $life:tt $members:tt $size:literal) => {
        $crate::structs!(@layout $name $members $crate::SIZE);
        const _: () = ::core::assert!(::core::mem::size_of::<$crate::WithSize<$name>>() == $size, "as in C");
        $crate::structs!(@traits $name $life, sized);
    };
    (@layout $name:ident {$($member:ident: $type:ty = $offset:literal,)+} $start:expr) => {
        const _: () = {
            $(::core::assert!(::core::mem::offset_of!($name, $member) + $start == $offset, "as in C");)+
        };
    };
    (@traits $name:ident [], $way:ident) => {
        $crate::structs!(@impl [] [$name] [$name] $way);
    };
    (@traits $name:ident [$life:lifetime], $way:ident) => {
        $crate::structs!(@impl [<$life>] [$name<$life>] [$name<'lent>] $way);
    };
    (@impl [$($generics:tt)*] [$here:ty] [$lent:ty] $way:ident) => {
        // SAFETY: members of a contract's struct are items, laid out as C does: both are compared above.
        unsafe impl $($generics)* $crate::Item for $here {
            type Lent<'lent> = $lent;
        }
        // SAFETY: a pointer to the struct, which is copied.
        unsafe impl $($generics)* $crate::Argument for $here {
            type Raw = *const ::core::ffi::c_void;
            type Lent<'lent> = $lent;
            #[inline]
            unsafe fn from_raw<'lent>(raw: Self::Raw, _: &$crate::Call<'lent>) -> $lent {
                $crate::structs!(@read $way raw)
            }
        }
        // SAFETY: the struct, as far as the host knows it.
        unsafe impl $($generics)* $crate::Answer for $here {
            type Given<'lent> = $lent;
            #[inline]
            unsafe fn put<'lent>(
                given: $lent,
                _: &mut $crate::Call<'lent>,
                room: *mut ::core::ffi::c_void,
            ) -> $crate::Result {
                $crate::structs!(@write $way given room);
                ::core::result::Result::Ok(())
            }
        }
        // SAFETY: as both above, seen from the other side.
        unsafe impl $($generics)* $crate::Passed for $here {
            type Held = $crate::structs!(@held $way $here);
            #[inline]
            fn hold(self) -> Self::Held {
                $crate::structs!(@hold $way self)
            }
        }
        // SAFETY: as above.
        unsafe impl $($generics)* $crate::Taken for $here {
            type Raw = $crate::structs!(@raw $way $here);
            type Taken<'lent> = $lent;
            #[inline]
            fn room() -> Self::Raw {
                $crate::structs!(@room $way)
            }
            #[inline]
            unsafe fn take<'lent>(raw: Self::Raw) -> Self::Taken<'lent> {
                // SAFETY: the same type, with the lifetime of the call that lent it.
                unsafe { ::core::mem::transmute_copy($crate::structs!(@taken $way raw)) }
            }
        }
    };
    (@read plain $raw:ident) => { ::core::ptr::read($raw.cast()) };
    (@read sized $raw:ident) => { $crate::read_sized($raw) };
    (@write plain $given:ident $room:ident) => { ::core::ptr::write($room.cast(), $given) };
    (@write sized $given:ident $room:ident) => { $crate::write_sized(&$given, $room) };
    (@held plain $here:ty) => { $crate::HeldValue<$here> };
    (@held sized $here:ty) => { $crate::HeldValue<$crate::WithSize<$here>> };
    (@hold plain $value:expr) => { $crate::HeldValue::new($value) };
    (@hold sized $value:expr) => { $crate::HeldValue::new($crate::WithSize::new($value)) };
    (@raw plain $here:ty) => { $here };
    (@raw sized $here:ty) => { $crate::WithSize<$here> };
    (@room plain) => { $crate::zeroed() };
    (@room sized) => { $crate::WithSize::new($crate::zeroed()) };
    (@taken plain $raw:ident) => { &$raw };
    (@taken sized $raw:ident) => { &*$raw };
}

/// Declares enums of a contract's header, for what `loader bindings` writes: a number with names, as
/// [`Status`](crate::Status) is one, since C may pass any number.
///
/// ```
/// native_plugin::enums! {
///     /// How much it tries.
///     Mode: i32 { FAST = 0, BEST = 1 }
/// }
/// assert_eq!(format!("{:?} {:?}", Mode::BEST, Mode(7)), "BEST Mode(7)");
///
/// let tries = match Mode(1) {
///     Mode::FAST => 1,
///     Mode::BEST => 9,
///     _ => 0, // without it the compiler does not take it: no list of names is all numbers
/// };
/// assert_eq!(tries, 9);
/// ```
#[macro_export]
macro_rules! enums {
    ($($(#[$note:meta])* $name:ident: $type:ty { $($value:ident = $number:literal),+ $(,)? })*) => {$(
        $(#[$note])*
        #[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(transparent)]
        pub struct $name(
            /// The number itself.
            pub $type,
        );

        impl $name {
            $(#[allow(missing_docs)] pub const $value: $name = $name($number);)+

            /// What the header calls it, without what all names begin with.
            pub fn name(self) -> ::core::option::Option<&'static str> {
                $(if self == $name::$value {
                    return ::core::option::Option::Some(::core::stringify!($value));
                })+
                ::core::option::Option::None
            }
        }

        impl ::core::fmt::Debug for $name {
            fn fmt(&self, out: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                match self.name() {
                    ::core::option::Option::Some(name) => out.write_str(name),
                    ::core::option::Option::None => {
                        ::core::write!(out, "{}({})", ::core::stringify!($name), self.0)
                    }
                }
            }
        }

        $crate::enums!(@traits $name $type);
    )*};
    (@traits $name:ident $type:ty) => {
        // SAFETY: a number, in C too.
        unsafe impl $crate::Item for $name {
            type Lent<'lent> = $name;
        }
        // SAFETY: as above.
        unsafe impl $crate::Argument for $name {
            type Raw = $type;
            type Lent<'lent> = $name;
            #[inline]
            unsafe fn from_raw(raw: $type, _: &$crate::Call<'_>) -> $name {
                $name(raw)
            }
        }
        // SAFETY: as above.
        unsafe impl $crate::Answer for $name {
            type Given<'lent> = $name;
            #[inline]
            unsafe fn put(given: $name, _: &mut $crate::Call<'_>, room: *mut ::core::ffi::c_void) -> $crate::Result {
                room.cast::<$name>().write(given);
                ::core::result::Result::Ok(())
            }
        }
        // SAFETY: as above.
        unsafe impl $crate::Passed for $name {
            type Held = $type;
            #[inline]
            fn hold(self) -> $type {
                self.0
            }
        }
        // SAFETY: as above.
        unsafe impl $crate::Taken for $name {
            type Raw = $type;
            type Taken<'lent> = $name;
            #[inline]
            fn room() -> $type {
                0
            }
            #[inline]
            unsafe fn take<'lent>(raw: $type) -> Self::Taken<'lent> {
                $name(raw)
            }
        }
    };
}
