//! Tensors, arrays of any shape and stride: [`Tensor`] to read, [`TensorMut`] to change.

use core::ffi::CStr;
use core::marker::PhantomData;
use core::ops::Range;
use core::ptr::NonNull;

use crate::abi::loader_tensor;
use crate::argument::Argument;
use crate::call::Call;
use crate::error::{Error, Result, Status};
use crate::view::{slice_of, slice_of_mut};

/// What the elements of a tensor or Arrow array can be: a number of Rust's, by what DLPack and Arrow call it.
///
/// # Safety
/// `CODE` is the number in `enum loader_tensor_code` of what this type is, `FORMAT` Arrow's letter; any bytes are a value
/// of it.
pub unsafe trait Element: Copy {
    /// 0: signed, 1: unsigned, 2: floating-point.
    const CODE: u8;
    /// What NumPy calls it.
    const NAME: &'static str;
    /// What Arrow calls it.
    const FORMAT: &'static CStr;
}

macro_rules! elements {
    ($($type:ty = $code:literal $format:literal),*) => {$(
        // SAFETY: DLPack's number of this kind.
        unsafe impl Element for $type {
            const CODE: u8 = $code;
            const NAME: &'static str = stringify!($type);
            const FORMAT: &'static CStr = $format;
        }
    )*};
}

elements!(i8 = 0 c"c", i16 = 0 c"s", i32 = 0 c"i", i64 = 0 c"l", f32 = 2 c"f", f64 = 2 c"g");
elements!(u8 = 1 c"C", u16 = 1 c"S", u32 = 1 c"I", u64 = 1 c"L");

/// A tensor that the host lends to read. Its elements have a type after [`of`](Self::of).
#[derive(Clone, Copy)]
pub struct Tensor<'call> {
    raw: NonNull<loader_tensor>,
    lent: PhantomData<&'call loader_tensor>,
}

/// A tensor that the host lends to be changed in place. Its elements have a type after [`of`](Self::of).
pub struct TensorMut<'call> {
    raw: NonNull<loader_tensor>,
    lent: PhantomData<&'call mut loader_tensor>,
}

/// A tensor whose elements are known. `at` wants an index for each dimension.
#[derive(Clone, Copy)]
pub struct View<'call, T> {
    place: Place<'call, T>,
}

/// A tensor whose elements are known, and may be changed.
pub struct ViewMut<'call, T> {
    place: Place<'call, T>,
}

#[derive(Clone, Copy)]
struct Place<'call, T> {
    first: *mut T,
    shape: &'call [i64],
    strides: &'call [i64],
}

impl<'call, T: Element> Place<'call, T> {
    /// # Safety
    /// `raw` is a tensor that the host lent for `'call`.
    unsafe fn of(raw: *const loader_tensor) -> Result<Self> {
        let tensor = &*raw;
        let bits = 8 * core::mem::size_of::<T>();
        if (tensor.code, usize::from(tensor.bits), tensor.lanes) != (T::CODE, bits, 1) {
            let kind = match tensor.code {
                0 => "int",
                1 => "uint",
                2 => "float",
                4 => "bfloat",
                5 => "complex",
                6 => "bool",
                _ => "unknown",
            };
            let text =
                format!("this tensor has elements of {kind}{}; wanted are those of {}", tensor.bits, T::NAME);
            return Err(Error::new(Status::INVALID, text));
        }
        let first = tensor.data.cast::<u8>().wrapping_add(tensor.byte_offset as usize);
        let (shape, strides) = lengths(raw);
        Ok(Place { first: first.cast(), shape, strides })
    }

    /// The address of an element.
    #[inline]
    fn address(&self, index: &[usize]) -> *mut T {
        assert!(
            index.len() == self.shape.len(),
            "{} indices for {} dimensions",
            index.len(),
            self.shape.len()
        );
        let mut offset = 0isize;
        for (at, (size, stride)) in index.iter().zip(self.shape.iter().zip(self.strides)) {
            assert!((*at as i64) < *size && *at <= i64::MAX as usize, "index {at} of {size}");
            offset += *at as isize * *stride as isize;
        }
        self.first.wrapping_offset(offset)
    }

    /// The number of elements, if they lie one behind the other.
    fn contiguous(&self) -> Option<usize> {
        let mut expected = 1i64;
        for (size, stride) in self.shape.iter().zip(self.strides).rev() {
            if *size != 1 && *stride != expected {
                return if self.shape.contains(&0) { Some(0) } else { None };
            }
            expected *= *size;
        }
        Some(expected as usize)
    }
}

/// # Safety
/// `raw` is a tensor that the host lent for `'call`.
unsafe fn lengths<'call>(raw: *const loader_tensor) -> (&'call [i64], &'call [i64]) {
    let size = (*raw).ndim as usize;
    (slice_of((*raw).shape, size), slice_of((*raw).strides, size))
}

macro_rules! shape {
    () => {
        /// The size of each dimension.
        pub fn shape(&self) -> &'call [i64] {
            // SAFETY: lent for 'call.
            unsafe { lengths(self.raw.as_ptr()).0 }
        }
    };
}

impl<'call> Tensor<'call> {
    shape!();

    /// The tensor, if its elements are of this type. Error: [`Status::INVALID`], which says what they are.
    pub fn of<T: Element>(self) -> Result<View<'call, T>> {
        // SAFETY: lent for 'call.
        Ok(View { place: unsafe { Place::of(self.raw.as_ptr()) }? })
    }
}

impl<'call> TensorMut<'call> {
    shape!();

    /// The tensor, if its elements are of this type. Error: [`Status::INVALID`], which says what they are.
    pub fn of<T: Element>(self) -> Result<ViewMut<'call, T>> {
        // SAFETY: lent for 'call.
        Ok(ViewMut { place: unsafe { Place::of(self.raw.as_ptr()) }? })
    }
}

impl<'call, T: Element> View<'call, T> {
    /// The size of each dimension.
    pub fn shape(&self) -> &'call [i64] {
        self.place.shape
    }

    /// An element. Panics if an index is beyond its dimension, or there are not as many as dimensions.
    #[inline]
    pub fn at(&self, index: &[usize]) -> T {
        // SAFETY: the index is inside, and nobody writes during 'call.
        unsafe { self.place.address(index).read() }
    }

    /// All elements in order, the last dimension first, if they lie so in memory.
    pub fn as_slice(&self) -> Option<&'call [T]> {
        // SAFETY: so many lie behind the first, and nobody writes during 'call.
        self.place.contiguous().map(|size| unsafe { slice_of(self.place.first, size) })
    }
}

impl<T: Element> ViewMut<'_, T> {
    /// The size of each dimension.
    pub fn shape(&self) -> &[i64] {
        self.place.shape
    }

    /// An element. Panics as [`View::at`] does.
    #[inline]
    pub fn at(&self, index: &[usize]) -> T {
        // SAFETY: the index is inside, and the tensor ours during 'call.
        unsafe { self.place.address(index).read() }
    }

    /// Changes an element. Panics as [`View::at`] does.
    #[inline]
    pub fn set(&mut self, index: &[usize], value: T) {
        // SAFETY: as above.
        unsafe { self.place.address(index).write(value) }
    }

    /// All elements in order, the last dimension first, if they lie so in memory.
    pub fn as_mut_slice(&mut self) -> Option<&mut [T]> {
        // SAFETY: so many lie behind the first, and are borrowed from self.
        self.place.contiguous().map(|size| unsafe { slice_of_mut(self.place.first, size) })
    }
}

/// Where the elements lie. Those of a tensor without any lie nowhere.
///
/// # Safety
/// `raw` is a tensor that the host lends.
unsafe fn span_of(raw: *const loader_tensor) -> Range<usize> {
    let (shape, strides) = lengths(raw);
    let size = usize::from((*raw).bits).div_ceil(8) * usize::from((*raw).lanes);
    let (mut low, mut high) = (0isize, 0isize);
    for (count, stride) in shape.iter().zip(strides) {
        if *count == 0 {
            return 0..0;
        }
        let far = (*count as isize - 1) * *stride as isize * size as isize;
        low += far.min(0);
        high += far.max(0);
    }
    let first = ((*raw).data as usize).wrapping_add((*raw).byte_offset as usize);
    first.wrapping_add_signed(low)..first.wrapping_add_signed(high) + size
}

// SAFETY: `const loader_tensor *`, borrowed until the function returns, and nobody writes to it.
unsafe impl Argument for Tensor<'_> {
    type Raw = *const loader_tensor;
    type Lent<'call> = Tensor<'call>;
    unsafe fn spans(raw: &Self::Raw) -> [Range<usize>; 2] {
        [span_of(*raw), 0..0]
    }
    #[inline]
    unsafe fn from_raw<'call>(raw: Self::Raw, _: &Call<'call>) -> Tensor<'call> {
        Tensor { raw: NonNull::new_unchecked(raw.cast_mut()), lent: PhantomData }
    }
}

// SAFETY: `loader_tensor *`, borrowed until the function returns, and the caller's own to lend for changes; see
// `check_apart`.
unsafe impl Argument for TensorMut<'_> {
    type Raw = *mut loader_tensor;
    type Lent<'call> = TensorMut<'call>;
    const CHANGED: bool = true;
    unsafe fn spans(raw: &Self::Raw) -> [Range<usize>; 2] {
        [span_of(*raw), 0..0]
    }
    #[inline]
    unsafe fn from_raw<'call>(raw: Self::Raw, _: &Call<'call>) -> TensorMut<'call> {
        TensorMut { raw: NonNull::new_unchecked(raw), lent: PhantomData }
    }
}
