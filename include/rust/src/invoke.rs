//! Calling a function of a table of the host's with whatever it takes: for [`table!`](crate::table!).

use core::ffi::{c_int, c_void};
use core::mem::{size_of, transmute};
use core::ptr::NonNull;

use crate::abi::loader_call;
use crate::call::Call;
use crate::error::{Error, Result, Status};

/// What a function is passed behind the call and its table.
///
/// # Safety
/// `call` calls the function with these parameters, in order.
#[doc(hidden)]
pub unsafe trait Parameters {
    /// # Safety
    /// `function` takes them.
    unsafe fn call(
        self,
        function: unsafe extern "C" fn(),
        call: *mut loader_call,
        table: *const c_void,
    ) -> c_int;
}

macro_rules! parameters {
    ($($name:ident)*) => {
        // SAFETY: in order.
        unsafe impl<$($name: Copy),*> Parameters for ($($name,)*) {
            #[inline]
            #[allow(non_snake_case)] // one name for type and value
            unsafe fn call(
                self,
                function: unsafe extern "C" fn(),
                call: *mut loader_call,
                table: *const c_void,
            ) -> c_int {
                type Typed<$($name),*> =
                    unsafe extern "C" fn(*mut loader_call, *const c_void $(, $name)*) -> c_int;
                let ($($name,)*) = self;
                let function = transmute::<unsafe extern "C" fn(), Typed<$($name),*>>(function);
                function(call, table $(, $name)*)
            }
        }
    };
}

parameters!();
parameters!(A);
parameters!(A B);
parameters!(A B C);
parameters!(A B C D);
parameters!(A B C D E);
parameters!(A B C D E F);
parameters!(A B C D E F G);
parameters!(A B C D E F G H);
parameters!(A B C D E F G H I);
parameters!(A B C D E F G H I J);
parameters!(A B C D E F G H I J K);
parameters!(A B C D E F G H I J K L);
parameters!(A B C D E F G H I J K L M);
parameters!(A B C D E F G H I J K L M N);
parameters!(A B C D E F G H I J K L M N O);
parameters!(A B C D E F G H I J K L M N O P);

/// For [`table!`](crate::table!): calls the function at an offset of the table.
///
/// # Safety
/// The table is valid for as many bytes as it says, and has a function there that takes these parameters.
#[doc(hidden)]
pub unsafe fn invoke(
    call: &mut Call<'_>,
    table: NonNull<c_void>,
    offset: usize,
    parameters: impl Parameters,
) -> Result {
    let table = table.as_ptr().cast_const();
    let mut function = None;
    if table.cast::<usize>().read() >= offset + size_of::<usize>() {
        function = table.cast::<u8>().add(offset).cast::<Option<unsafe extern "C" fn()>>().read();
    }
    let Some(function) = function else {
        return Err(Error::new(
            Status::FAILED,
            "this application has no such function: it is older than the plugin",
        ));
    };
    Status(parameters.call(function, call.as_raw(), table)).ok()
}
