//! [`Answer`]: the kinds of result that a contract function can have by `LOADER_OUT`, and room of the host's for them.

use core::ffi::c_void;
use core::marker::PhantomData;
use core::mem::{align_of, size_of};
use core::ops::{Deref, DerefMut};
use core::ptr::NonNull;
use std::borrow::Cow;

use crate::abi::{loader_array, loader_bytes, loader_host, loader_text};
use crate::argument::Argument;
use crate::call::Call;
use crate::error::{Error, Result, Status};
use crate::item::{Bytes, Item, Text};
use crate::sized_field;

/// One result: what the plugin gives, and how it is put where the host wants it. Numbers, `bool`, structs and enums
/// are values. A text is a `Cow<str>`, bytes a `Cow<[u8]>`, an array or list an [`Array`].
///
/// # Safety
/// `put` writes what the contract's header declares behind `LOADER_OUT`, and no more.
pub unsafe trait Answer {
    /// What the plugin gives. Holds no borrow that is longer than `'call`.
    type Given<'call>;

    /// Puts it into its place. Error: [`Status::NO_MEMORY`] where it needs room that the host does not have.
    ///
    /// # Safety
    /// `room` is the host's, for one value of what the header declares.
    unsafe fn put<'call>(given: Self::Given<'call>, call: &mut Call<'call>, room: *mut c_void) -> Result;
}

/// The place of a result, a `LOADER_OUT` parameter. In the line of [`export_function!`](crate::export_function!) it
/// stands where the header has it.
pub struct Out<'call, T: Answer> {
    room: *mut c_void,
    lent: PhantomData<&'call mut ()>,
    kind: PhantomData<fn(T)>,
}

impl<'call, T: Answer> Out<'call, T> {
    /// Puts the result into its place.
    #[inline]
    pub fn set(self, call: &mut Call<'call>, given: T::Given<'call>) -> Result {
        // SAFETY: room for what the line declares.
        unsafe { T::put(given, call, self.room) }
    }
}

// SAFETY: a pointer to room for one value.
unsafe impl<T: Answer> Argument for Out<'_, T> {
    type Raw = *mut c_void;
    type Lent<'call> = Out<'call, T>;
    #[inline]
    unsafe fn from_raw<'call>(room: *mut c_void, _: &Call<'call>) -> Out<'call, T> {
        Out { room, lent: PhantomData, kind: PhantomData }
    }
}

macro_rules! numbers {
    ($($type:ty),*) => {$(
        // SAFETY: a value of this type is what the header declares.
        unsafe impl Answer for $type {
            type Given<'call> = $type;
            #[inline]
            unsafe fn put(given: $type, _: &mut Call<'_>, room: *mut c_void) -> Result {
                room.cast::<$type>().write(given);
                Ok(())
            }
        }
    )*};
}

numbers!(i8, i16, i32, i64, isize, u8, u16, u32, u64, usize, f32, f64, bool);

// SAFETY: loader_text, of memory of loader_alloc.
unsafe impl Answer for Cow<'_, str> {
    type Given<'call> = Cow<'call, str>;
    unsafe fn put<'call>(given: Self::Given<'call>, call: &mut Call<'call>, room: *mut c_void) -> Result {
        let (data, size) = call.copied(given.as_bytes())?;
        room.cast::<loader_text>().write(loader_text { data: data.cast(), size });
        Ok(())
    }
}

// SAFETY: loader_bytes, of memory of loader_alloc.
unsafe impl Answer for Cow<'_, [u8]> {
    type Given<'call> = Cow<'call, [u8]>;
    unsafe fn put<'call>(given: Self::Given<'call>, call: &mut Call<'call>, room: *mut c_void) -> Result {
        let (data, size) = call.copied(&given)?;
        room.cast::<loader_bytes>().write(loader_bytes { data, size });
        Ok(())
    }
}

/// An array or list as a result: a `Vec` or a slice, which is copied once into memory of the host, or a [`Room`] of
/// the host's, which is not copied at all. Made of each by `into()`.
pub struct Array<'call, T>(Held<'call, T>);

enum Held<'call, T> {
    Room(Room<'call, T>),
    Own(Vec<T>),
    Lent(&'call [T]),
}

impl<T> From<Vec<T>> for Array<'_, T> {
    fn from(values: Vec<T>) -> Self {
        Array(Held::Own(values))
    }
}

impl<'call, T> From<&'call [T]> for Array<'call, T> {
    fn from(values: &'call [T]) -> Self {
        Array(Held::Lent(values))
    }
}

impl<'call, T> From<Room<'call, T>> for Array<'call, T> {
    fn from(room: Room<'call, T>) -> Self {
        Array(Held::Room(room))
    }
}

// SAFETY: loader_f64s, T_list and their like, of memory of loader_alloc.
unsafe impl<T: Item> Answer for Array<'_, T> {
    type Given<'call> = Array<'call, T::Lent<'call>>;
    unsafe fn put<'call>(given: Self::Given<'call>, call: &mut Call<'call>, room: *mut c_void) -> Result {
        let (data, size) = match given.0 {
            Held::Room(room) => (room.data.as_ptr(), room.size),
            Held::Own(values) => call.copied(&values)?,
            Held::Lent(values) => call.copied(values)?,
        };
        room.cast::<loader_array<T::Lent<'call>>>().write(loader_array { data, size });
        Ok(())
    }
}

/// Memory of the host's for an array, from [`Call::alloc`] or [`Call::alloc_with`]: a slice to fill. As a result it is
/// wrapped for the caller, not copied; what is no result goes when the function returns.
pub struct Room<'call, T> {
    data: NonNull<T>,
    size: usize,
    lent: PhantomData<&'call mut [T]>,
}

impl<T> Room<'_, T> {
    /// Leaves out what is beyond the first `size` items.
    pub fn truncate(&mut self, size: usize) {
        self.size = self.size.min(size);
    }
}

impl<T> Deref for Room<'_, T> {
    type Target = [T];
    #[inline]
    fn deref(&self) -> &[T] {
        // SAFETY: the host's memory, with as many items, and ours alone.
        unsafe { core::slice::from_raw_parts(self.data.as_ptr(), self.size) }
    }
}

impl<T> DerefMut for Room<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as above.
        unsafe { core::slice::from_raw_parts_mut(self.data.as_ptr(), self.size) }
    }
}

impl<'a> Call<'a> {
    /// Room of the host's for `size` items, all 0, for a result that is an array. Error: [`Status::NO_MEMORY`].
    ///
    /// ```
    /// # use native_plugin::{testing::Host, Call, Result, Array};
    /// fn squares<'call>(call: &mut Call<'call>, count: usize) -> Result<Array<'call, f64>> {
    ///     let mut room = call.alloc(count)?;
    ///     for (index, place) in room.iter_mut().enumerate() {
    ///         *place = (index * index) as f64;
    ///     }
    ///     Ok(room.into())
    /// }
    /// ```
    pub fn alloc<T: Item>(&mut self, size: usize) -> Result<Room<'a, T>> {
        let data = self.memory::<T>(size)?;
        // SAFETY: memory gave as many bytes; all 0 is an Item.
        unsafe { data.as_ptr().write_bytes(0, size) };
        Ok(Room { data, size, lent: PhantomData })
    }

    /// The same, filled with what a function gives for each index, without setting it to 0 before.
    #[inline]
    pub fn alloc_with<T: Item>(
        &mut self,
        size: usize,
        mut value: impl FnMut(usize) -> T,
    ) -> Result<Room<'a, T>> {
        let data = self.memory::<T>(size)?;
        for index in 0..size {
            // SAFETY: memory gave room for as many items.
            unsafe { data.as_ptr().add(index).write(value(index)) };
        }
        Ok(Room { data, size, lent: PhantomData })
    }

    /// A copy of the text in memory of the host, for a struct that is a result. Error: [`Status::NO_MEMORY`].
    pub fn text(&mut self, text: &str) -> Result<Text<'a>> {
        let (data, size) = self.copied(text.as_bytes())?;
        // SAFETY: a copy of a text, in memory that stays until the function returns and its results are read.
        let text: &'a str =
            unsafe { core::str::from_utf8_unchecked(core::slice::from_raw_parts(data.cast_const(), size)) };
        Ok(text.into())
    }

    /// A copy of the bytes in memory of the host, for a struct that is a result. Error: [`Status::NO_MEMORY`].
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<Bytes<'a>> {
        let (data, size) = self.copied(bytes)?;
        // SAFETY: as in text.
        let bytes: &'a [u8] = unsafe { core::slice::from_raw_parts(data.cast_const(), size) };
        Ok(bytes.into())
    }

    /// Address and number of copies of the items in memory of the host.
    fn copied<T: Copy>(&mut self, items: &[T]) -> Result<(*mut T, usize)> {
        let data = self.memory::<T>(items.len())?.as_ptr();
        // SAFETY: memory gave room for as many, and it is nobody else's.
        unsafe { data.copy_from_nonoverlapping(items.as_ptr(), items.len()) };
        Ok((data, items.len()))
    }

    /// Memory for `size` items, with anything in it.
    fn memory<T>(&mut self, size: usize) -> Result<NonNull<T>> {
        assert!(align_of::<T>() <= 8, "the host aligns for numbers");
        let Some(bytes) = size.checked_mul(size_of::<T>()) else {
            return Err(Status::NO_MEMORY.into());
        };
        if bytes == 0 {
            return Ok(NonNull::dangling());
        }
        // SAFETY: the header: the table is valid for as many bytes as it says; the call is the one that we were lent.
        let memory = unsafe {
            let Some(Some(alloc)) = sized_field!(self.host(), loader_host, alloc) else {
                return Err(Error::new(
                    Status::FAILED,
                    "this application is too old for results that are arrays",
                ));
            };
            alloc(self.as_raw(), bytes)
        };
        NonNull::new(memory.cast()).ok_or(Status::NO_MEMORY.into())
    }
}
