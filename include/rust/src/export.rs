//! The macros that export: marker symbols, and a contract's functions with a guard around each.

/// Exports the two marker symbols of the handshake: `loader_abi_1` and the contract's own, which is given
/// whole, `<contract>_abi_<major>_<minor>`. The host reads these names from the file before any of its code
/// runs; their value is never read. Once in a plugin; [`export!`](crate::export!) and
/// [`export_htmlize!`](crate::export_htmlize) do it already.
///
/// Where the contract's header has a line `LOADER_FINGERPRINT`, its number stands behind the marker, and a third
/// name says it: a host whose header has another number for that version refuses the plugin, since what it was
/// built for is something else. Write the number anew whenever the functions here follow a changed header.
///
/// ```
/// native_plugin::markers!(greeter_abi_1_0, 0x0123456789abcdef);
/// ```
#[macro_export]
macro_rules! markers {
    ($contract:ident, $fingerprint:literal) => {
        $crate::markers!($contract);
        const _: () = {
            // A part of a name: other ways to write the same number would be other names.
            ::core::assert!(
                $crate::is_fingerprint(::core::stringify!($fingerprint)),
                "write the fingerprint as LOADER_FINGERPRINT does: 0x and 16 lower-case digits"
            );
            #[export_name = ::core::concat!(::core::stringify!($contract), "_is_", ::core::stringify!($fingerprint))]
            pub static FINGERPRINT: u8 = $crate::abi::LOADER_ABI;
        };
    };
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

/// Says the least minor of the loader ABI that this plugin cannot do without: `LOADER_NEEDS` in `loader/plugin.h`. A host
/// that is older refuses the plugin before any of its code runs.
///
/// ```
/// native_plugin::needs!(3);
/// ```
#[macro_export]
macro_rules! needs {
    ($minor:literal) => {
        const _: () = {
            #[export_name = ::core::concat!("loader_abi_1_", ::core::stringify!($minor))]
            pub static NEED: u8 = $crate::abi::LOADER_ABI;
        };
    };
}

/// Exports the functions of a contract by their plain names, and its markers.
///
/// Behind the marker stands the fingerprint, if the contract's header says one; see [`markers!`](crate::markers!).
/// After that stands a line for each function, with the parameters that follow `call` in the contract's
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
    ($marker:ident $(, $fingerprint:literal)?; $(fn $name:ident($($parameter:ident: $type:ty),* $(,)?);)+) => {
        $crate::markers!($marker $(, $fingerprint)?);
        $($crate::export_function!(fn $name($($parameter: $type),*) => self::$name);)+
    };
}

/// Exports one function under a name: guarded, it calls `$inner` with the [`Call`](crate::Call) and the
/// parameters. No markers: for contracts that bring a macro of their own, as
/// [`export_htmlize!`](crate::export_htmlize) is, and for what `loader bindings` writes. The rules of
/// [`export!`](crate::export!) hold. `$inner` is a path, or a closure that says its types. Instead of it there may be a
/// body; then a name for the call stands before the parameters.
///
/// ```
/// use native_plugin::{export_function, Call};
/// export_function!(fn double(number: i64) => |call: &mut Call<'_>, number: i64| {
///     write!(call, "{}", 2 * number)
/// });
/// export_function!(fn half(call; number: f64, result: native_plugin::Out<'_, f64>) {
///     result.set(call, number / 2.0)
/// });
/// ```
#[macro_export]
macro_rules! export_function {
    (fn $name:ident($($parameter:ident: $type:ty),* $(,)?) => $inner:expr) => {
        $crate::export_function!(fn $name(call; $($parameter: $type),*) {
            $(let $parameter: $type = $parameter;)*
            $inner(call, $($parameter),*)
        });
    };
    (fn $name:ident($call:ident; $($parameter:ident: $type:ty),* $(,)?) $body:block) => {
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
                        if false $(|| <$type as $crate::Argument>::CHANGED)* {
                            $crate::check_apart(&[$((
                                ::core::stringify!($parameter),
                                <$type as $crate::Argument>::spans(&$parameter),
                                <$type as $crate::Argument>::CHANGED,
                            )),*])?;
                        }
                        $(let $parameter = <$type as $crate::Argument>::from_raw($parameter, call);)*
                        __native_plugin_body(call, $($parameter),*)
                    })
                }
            }

            // Apart, and safe: what the macro was given is the plugin's own code, for which nobody vouches.
            #[inline]
            fn __native_plugin_body<'call>(
                $call: &mut $crate::Call<'call>,
                $($parameter: <$type as $crate::Argument>::Lent<'call>),*
            ) -> $crate::Result $body
        };
    };
}

/// For [`markers!`](crate::markers!): whether this is 0x and 16 lower-case hexadecimal digits.
#[doc(hidden)]
pub const fn is_fingerprint(text: &str) -> bool {
    let text = text.as_bytes();
    let mut at = 2;
    while at < text.len() {
        if !matches!(text[at], b'0'..=b'9' | b'a'..=b'f') {
            return false;
        }
        at += 1;
    }
    text.len() == 18 && text[0] == b'0' && text[1] == b'x'
}
