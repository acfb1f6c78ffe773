//! The macros that export: marker symbols, and a contract's functions with a guard around each.

/// Exports the two marker symbols of the handshake: `loader_abi_1` and the contract's own, which is given
/// whole, `<contract>_abi_<major>_<minor>`. The host reads these names from the file before any of its code
/// runs; their value is never read. Once in a plugin; [`export!`](crate::export!) and
/// [`export_htmlize!`](crate::export_htmlize) do it already.
///
/// ```
/// native_plugin::markers!(greeter_abi_1_0);
/// ```
#[macro_export]
macro_rules! markers {
    ($contract:ident) => {
        const _: () = {
            #[no_mangle]
            #[allow(non_upper_case_globals)]
            pub static loader_abi_1: u8 = $crate::abi::LOADER_ABI;
            #[no_mangle]
            #[allow(non_upper_case_globals)]
            pub static $contract: u8 = $crate::abi::LOADER_ABI;
        };
    };
}

/// Promises that functions of this plugin never block: no lock, no I/O, no service, and back within a millisecond or
/// two. The host then does not let other threads run meanwhile, which costs as much as a short call. What it means
/// not to keep the promise stands at `LOADER_NEVER_BLOCKS` in `loader/plugin.h`.
///
/// ```
/// native_plugin::never_blocks!(hooks, process_role);
/// ```
#[macro_export]
macro_rules! never_blocks {
    ($($function:ident),+ $(,)?) => {
        $(const _: () = {
            #[export_name = ::core::concat!(::core::stringify!($function), "_never_blocks")]
            pub static PROMISE: u8 = $crate::abi::LOADER_ABI;
        };)+
    };
}

/// Exports the functions of a contract by their plain names, and its markers.
///
/// After the marker stands a line for each function, with the parameters that follow `call` in the contract's
/// header: `&str` for `const loader_text *`, `&[u8]` for `const loader_bytes *`, integers, `bool`, and any type that
/// implements [`Argument`](crate::Argument). In the same module is a function of that name, which takes
/// `&mut Call` first and returns [`Result`](crate::Result): an ordinary safe function, which tests can call.
///
/// The lines must say what the contract's header declares: that one thing the compiler cannot check, and a wrong
/// line reads what is not there.
///
/// What the functions receive is owned by the host and borrowed until they return; a function that keeps it, or
/// asks for a longer lifetime, does not compile. They may be entered from several threads at once. An `Err` or a
/// panic is an error of that call, with its text.
///
/// ```
/// use native_plugin::{Call, Result};
///
/// fn greet(call: &mut Call, name: &str) -> Result {
///     write!(call, "Hello, {name}!")
/// }
///
/// native_plugin::export! {
///     greeter_abi_1_0;
///     fn greet(name: &str);
/// }
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! export {
    ($marker:ident; $(fn $name:ident($($parameter:ident: $type:ty),* $(,)?);)+) => {
        $crate::markers!($marker);
        $($crate::export_function!(fn $name($($parameter: $type),*) => self::$name);)+
    };
}

/// Exports one function under a name: guarded, it calls `$inner` with the [`Call`](crate::Call) and the
/// parameters. No markers: for contracts that bring a macro of their own, as
/// [`export_htmlize!`](crate::export_htmlize) is. The rules of [`export!`](crate::export!) hold. `$inner` is
/// a path, or a closure that says its types.
///
/// ```
/// use native_plugin::{export_function, Call};
/// export_function!(fn double(number: i64) => |call: &mut Call<'_>, number: i64| {
///     write!(call, "{}", 2 * number)
/// });
/// ```
#[macro_export]
macro_rules! export_function {
    (fn $name:ident($($parameter:ident: $type:ty),* $(,)?) => $inner:expr) => {
        // The block keeps the exported name apart from a function of the same name beside the macro's call.
        const _: () = {
            #[no_mangle]
            unsafe extern "C" fn $name(
                call: *mut $crate::abi::loader_call,
                $($parameter: <$type as $crate::Argument>::Raw),*
            ) -> ::core::ffi::c_int {
                // SAFETY: the host calls this function as the contract's header declares it.
                unsafe {
                    $crate::guard(call, |call: &mut $crate::Call<'_>| -> $crate::Result {
                        $(let $parameter = <$type as $crate::Argument>::from_raw($parameter, call);)*
                        __native_plugin_body(call, $($parameter),*)
                    })
                }
            }

            // Apart, and safe: what the macro was given is the plugin's own code, for which nobody vouches.
            #[inline]
            fn __native_plugin_body<'call>(
                call: &mut $crate::Call<'call>,
                $($parameter: <$type as $crate::Argument>::Lent<'call>),*
            ) -> $crate::Result {
                $(let $parameter: $type = $parameter;)*
                $inner(call, $($parameter),*)
            }
        };
    };
}
