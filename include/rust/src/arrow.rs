//! Arrow's C data interface: [`Arrow`], an array that the host lends, and [`ArrowArray`](crate::ArrowArray), one that a
//! plugin gives. Arrays of numbers are read and made here; any other by a crate that knows the interface.

use core::ffi::{c_void, CStr};
use core::marker::PhantomData;
use core::mem::zeroed;
use core::ops::Range;
use core::ptr::{null_mut, NonNull};

use crate::abi::{self, loader_arrow};
use crate::answer::Answer;
use crate::argument::Argument;
use crate::call::Call;
use crate::error::{Error, Result, Status};
use crate::tensor::Element;
use crate::view::slice_of;

/// An Arrow array of any type that the host lends.
#[derive(Clone, Copy)]
pub struct Arrow<'call> {
    raw: NonNull<loader_arrow>,
    lent: PhantomData<&'call loader_arrow>,
}

// SAFETY: `const loader_arrow *`, borrowed until the function returns, and nobody writes to it.
unsafe impl Argument for Arrow<'_> {
    type Raw = *const loader_arrow;
    type Lent<'call> = Arrow<'call>;
    unsafe fn spans(raw: &Self::Raw) -> [Range<usize>; 2] {
        spans_of(&*(**raw).schema, &*(**raw).array)
    }
    #[inline]
    unsafe fn from_raw<'call>(raw: Self::Raw, _: &Call<'call>) -> Arrow<'call> {
        Arrow { raw: NonNull::new_unchecked(raw.cast_mut()), lent: PhantomData }
    }
}

/// What [`Arrow::numbers`] makes slices of: the numbers, and the bits that say which are null. Nothing else of an array
/// is read without unsafe code.
///
/// # Safety
/// The host lends both.
unsafe fn spans_of(schema: &abi::ArrowSchema, array: &abi::ArrowArray) -> [Range<usize>; 2] {
    let size = match CStr::from_ptr(schema.format).to_bytes() {
        b"c" | b"C" => 1,
        b"s" | b"S" => 2,
        b"i" | b"I" | b"f" => 4,
        b"l" | b"L" | b"g" => 8,
        _ => return [0..0, 0..0],
    };
    if array.n_buffers != 2 || array.length == 0 {
        return [0..0, 0..0];
    }
    let count = (array.offset + array.length) as usize;
    let place = |buffer: *const c_void, bytes| match buffer as usize {
        0 => 0..0,
        start => start..start.saturating_add(bytes),
    };
    [place(*array.buffers.add(1), count.saturating_mul(size)), place(*array.buffers, count.div_ceil(8))]
}

impl<'call> Arrow<'call> {
    /// The schema, for a crate that reads the C data interface. Borrowed: not to be changed or released.
    pub fn schema(self) -> *const abi::ArrowSchema {
        // SAFETY: lent for 'call.
        unsafe { (*self.raw.as_ptr()).schema }
    }

    /// The array, as the schema is.
    pub fn array(self) -> *const abi::ArrowArray {
        // SAFETY: lent for 'call.
        unsafe { (*self.raw.as_ptr()).array }
    }

    /// The type as Arrow writes it: "l" for numbers of 64 bits.
    pub fn format(self) -> &'call str {
        // SAFETY: never null, and ends with a NUL.
        unsafe { CStr::from_ptr((*self.schema()).format) }.to_str().unwrap_or("")
    }

    /// The numbers, if they are of this type. Error: [`Status::INVALID`], which says what the array is of.
    pub fn numbers<T: Element>(self) -> Result<Numbers<'call, T>> {
        // SAFETY: lent for 'call; an array of numbers has two buffers, the first of which may be null.
        unsafe {
            let array = &*self.array();
            let dictionary = !(*self.schema()).dictionary.is_null();
            if CStr::from_ptr((*self.schema()).format) != T::FORMAT || array.n_buffers != 2 || dictionary {
                let found = self.format();
                let of = if dictionary { " of a dictionary" } else { "" };
                let text = format!(
                    "this Arrow array has the format {found:?}{of}; wanted are numbers of {}",
                    T::NAME
                );
                return Err(Error::new(Status::INVALID, text));
            }
            let (size, offset) = (array.length as usize, array.offset as usize);
            let (valid, first) = (*array.buffers, *array.buffers.add(1));
            if size > 0 && (first.is_null() || first as usize % core::mem::align_of::<T>() != 0) {
                let text = "the numbers of this Arrow array are not there, or not aligned";
                return Err(Error::new(Status::INVALID, text));
            }
            let bits = if valid.is_null() || size == 0 { 0 } else { (offset + size).div_ceil(8) };
            let all = slice_of(first.cast::<T>(), if size == 0 { 0 } else { offset + size });
            Ok(Numbers { values: &all[all.len() - size..], valid: slice_of(valid.cast(), bits), offset })
        }
    }
}

/// Numbers of an Arrow array, some of which may be null.
#[derive(Clone, Copy)]
pub struct Numbers<'call, T> {
    values: &'call [T],
    valid: &'call [u8],
    offset: usize,
}

impl<'call, T: Copy> Numbers<'call, T> {
    /// All of them; where one is null stands any number.
    pub fn values(&self) -> &'call [T] {
        self.values
    }

    /// One of them, or None if it is null. Panics if there are not as many.
    pub fn get(&self, index: usize) -> Option<T> {
        let bit = self.offset + index;
        let value = self.values[index];
        (self.valid.is_empty() || self.valid[bit / 8] >> (bit % 8) & 1 == 1).then_some(value)
    }

    /// Each of them, or None where it is null.
    pub fn iter(&self) -> impl Iterator<Item = Option<T>> + 'call
    where
        T: 'call,
    {
        let this = *self;
        (0..self.values.len()).map(move |index| this.get(index))
    }
}

/// An Arrow array as a result: made of numbers, `vec.into()`, some of which may be null, or of what another crate made.
/// It is the host's from then on.
pub struct ArrowArray {
    schema: abi::ArrowSchema,
    array: abi::ArrowArray,
}

impl ArrowArray {
    /// What a crate that knows the C data interface made.
    ///
    /// # Safety
    /// Both are valid, with release functions that may be called on any thread, and are nobody else's from now on.
    pub unsafe fn from_raw(schema: abi::ArrowSchema, array: abi::ArrowArray) -> Self {
        ArrowArray { schema, array }
    }
}

impl Drop for ArrowArray {
    fn drop(&mut self) {
        // SAFETY: ours, and not given to the host.
        unsafe {
            if let Some(release) = self.array.release {
                release(&mut self.array);
            }
            if let Some(release) = self.schema.release {
                release(&mut self.schema);
            }
        }
    }
}

/// What an array of numbers points into.
struct Memory<T> {
    _values: Vec<T>,
    _valid: Vec<u8>,
    buffers: [*const c_void; 2],
}

fn made<T: Element>(values: Vec<T>, valid: Vec<u8>, nulls: usize) -> ArrowArray {
    let first = if valid.is_empty() { core::ptr::null() } else { valid.as_ptr().cast() };
    let (length, buffers) = (values.len() as i64, [first, values.as_ptr().cast()]);
    let memory = Box::into_raw(Box::new(Memory { _values: values, _valid: valid, buffers }));
    // SAFETY: all 0 is a schema and an array without anything. The memory is freed by the release function alone.
    unsafe {
        let mut given = ArrowArray { schema: zeroed(), array: zeroed() };
        given.schema.format = T::FORMAT.as_ptr();
        given.schema.flags = 2; // may have nulls
        given.schema.release = Some(release_schema);
        given.array.length = length;
        given.array.null_count = nulls as i64;
        given.array.n_buffers = 2;
        given.array.buffers = (*memory).buffers.as_mut_ptr();
        given.array.release = Some(release_array::<T>);
        given.array.private_data = memory.cast();
        given
    }
}

unsafe extern "C" fn release_schema(schema: *mut abi::ArrowSchema) {
    (*schema).release = None;
}

unsafe extern "C" fn release_array<T>(array: *mut abi::ArrowArray) {
    drop(Box::from_raw((*array).private_data.cast::<Memory<T>>()));
    (*array).private_data = null_mut();
    (*array).release = None;
}

impl<T: Element> From<Vec<T>> for ArrowArray {
    fn from(values: Vec<T>) -> Self {
        made(values, Vec::new(), 0)
    }
}

impl<T: Element + Default> From<Vec<Option<T>>> for ArrowArray {
    fn from(values: Vec<Option<T>>) -> Self {
        let mut valid = vec![0u8; values.len().div_ceil(8)];
        for (index, _) in values.iter().enumerate().filter(|(_, value)| value.is_some()) {
            valid[index / 8] |= 1 << (index % 8);
        }
        let nulls = values.iter().filter(|value| value.is_none()).count();
        made(values.into_iter().map(Option::unwrap_or_default).collect(), valid, nulls)
    }
}

// SAFETY: loader_arrow with the host's two structs, which are filled, and then released by the host.
unsafe impl Answer for ArrowArray {
    type Given<'call> = ArrowArray;
    unsafe fn put(given: ArrowArray, _: &mut Call<'_>, room: *mut c_void) -> Result {
        let given = core::mem::ManuallyDrop::new(given);
        let room = room.cast::<loader_arrow>();
        (*room).schema.write(core::ptr::read(&given.schema));
        (*room).array.write(core::ptr::read(&given.array));
        Ok(())
    }
}
