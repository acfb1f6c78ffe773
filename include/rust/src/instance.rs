//! Instances of a contract's classes: values of the plugin's that the host holds by a pointer.

use core::cell::UnsafeCell;
use core::ffi::c_void;
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};
use core::sync::atomic::{AtomicBool, Ordering};
use std::panic::{catch_unwind, AssertUnwindSafe};

use crate::answer::Answer;
use crate::argument::Argument;
use crate::call::Call;
use crate::error::{Error, Result, Status};

/// What the host's pointer points to.
struct Kept<T> {
    /// A function has it. A host enters functions with one instance one at a time; but what a function calls may come
    /// back to the same instance, and a function that takes two may be given one twice.
    entered: AtomicBool,
    value: UnsafeCell<T>,
}

/// An instance as a parameter: [`lock`](Self::lock) it.
pub struct Instance<'call, T> {
    kept: &'call Kept<T>,
}

impl<'call, T> Instance<'call, T> {
    /// The value, for this function alone. Error: [`Status::INVALID`] if a function has it already, which called what
    /// called this one, or was given the same instance twice.
    #[inline]
    pub fn lock(self) -> Result<Lock<'call, T>> {
        if self.kept.entered.swap(true, Ordering::Acquire) {
            let text = "this instance is in use: by a function that called this one, or as another argument";
            return Err(Error::new(Status::INVALID, text));
        }
        Ok(Lock { kept: self.kept })
    }
}

/// The value of an instance, until it is dropped.
pub struct Lock<'call, T> {
    kept: &'call Kept<T>,
}

impl<T> Deref for Lock<'_, T> {
    type Target = T;
    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: `entered` is ours.
        unsafe { &*self.kept.value.get() }
    }
}

impl<T> DerefMut for Lock<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: `entered` is ours.
        unsafe { &mut *self.kept.value.get() }
    }
}

impl<T> Drop for Lock<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.kept.entered.store(false, Ordering::Release);
    }
}

// SAFETY: `T *` or `const T *`, an instance that `New` made and free_instance did not yet have.
unsafe impl<T> Argument for Instance<'_, T>
where
    T: 'static,
{
    type Raw = *const c_void;
    type Lent<'call> = Instance<'call, T>;
    #[inline]
    unsafe fn from_raw<'call>(raw: Self::Raw, _: &Call<'call>) -> Instance<'call, T> {
        Instance { kept: &*raw.cast::<Kept<T>>() }
    }
}

/// An instance of a class that several threads enter at once (`LOADER_SHARED_CLASS`) as a parameter: its value.
pub struct Shared<'call, T> {
    value: &'call T,
}

impl<'call, T> Shared<'call, T> {
    /// The value, as all threads have it. It never fails, and is a result as that of [`Instance::lock`] is.
    #[inline]
    pub fn lock(self) -> Result<&'call T> {
        Ok(self.value)
    }
}

// SAFETY: as of Instance; nobody has the value for himself.
unsafe impl<T> Argument for Shared<'_, T>
where
    T: Sync + 'static,
{
    type Raw = *const c_void;
    type Lent<'call> = Shared<'call, T>;
    #[inline]
    unsafe fn from_raw<'call>(raw: Self::Raw, _: &Call<'call>) -> Shared<'call, T> {
        Shared { value: &*(*raw.cast::<Kept<T>>()).value.get() }
    }
}

/// A new instance as a result, `LOADER_OUT T **`: the value is moved to memory of the plugin's, which the class's
/// function `free` gives back. Any thread may enter its functions.
pub struct New<T>(PhantomData<fn(T)>);

// SAFETY: a pointer that Instance and free_instance know.
unsafe impl<T: Send + 'static> Answer for New<T> {
    type Given<'call> = T;
    unsafe fn put(given: T, _: &mut Call<'_>, room: *mut c_void) -> Result {
        let kept = Kept { entered: AtomicBool::new(false), value: UnsafeCell::new(given) };
        room.cast::<*mut Kept<T>>().write(Box::into_raw(Box::new(kept)));
        Ok(())
    }
}

/// For [`export_free!`](crate::export_free!): drops an instance. A panic while it is dropped is printed, and goes no
/// further.
///
/// # Safety
/// `instance` is one that [`New`] made, of the same type, and is not used any more.
#[doc(hidden)]
pub unsafe fn free_instance<T: Send + 'static>(instance: *mut c_void) {
    let dropped = catch_unwind(AssertUnwindSafe(|| drop(Box::from_raw(instance.cast::<Kept<T>>()))));
    if let Err(payload) = dropped {
        core::mem::forget(payload); // its destructor could panic too
    }
}

/// Exports the function `free` of a class under its name: `export_free!(codec_encoder_free, MyEncoder);`.
#[macro_export]
macro_rules! export_free {
    ($name:ident, $type:ty) => {
        const _: () = {
            #[no_mangle]
            unsafe extern "C" fn $name(instance: *mut ::core::ffi::c_void) {
                // SAFETY: the host gives an instance back that the class made, once.
                unsafe { $crate::free_instance::<$type>(instance) }
            }
        };
    };
}
