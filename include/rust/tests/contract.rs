//! A contract that the kit does not know, exported with `export!` and called by its symbols, as a host does.

use std::ffi::c_int;

use native_plugin::abi::{loader_bytes, loader_call, loader_text, LOADER_ABI};
use native_plugin::testing::{lent_bytes, lent_text, Host};
use native_plugin::{Call, Result, Status, EMPTY_TEXT};

fn greet(call: &mut Call<'_>, name: &str) -> Result {
    if name == "nobody" {
        return Err("nobody is there".into());
    }
    assert_ne!(name, "panic", "asked to");
    write!(call, "Hello, {name}!")
}

fn mixed(call: &mut Call<'_>, data: &[u8], byte: u8, offset: i64, name: &str) -> Result {
    write!(call, "{} {byte} {offset} {name}", data.len())
}

fn choose(call: &mut Call<'_>, flag: bool) -> Result {
    call.write_str(if flag { "true" } else { "false" })
}

native_plugin::export! {
    greeter_abi_1_0, 0x0123456789abcdef;
    fn greet(name: &str);
    fn mixed(data: &[u8], byte: u8, offset: i64, name: &str);
    fn choose(flag: bool);
}

mod symbols {
    use super::*;
    extern "C" {
        pub static loader_abi_1: u8;
        pub static greeter_abi_1_0: u8;
        pub static greeter_abi_1_0_is_0x0123456789abcdef: u8;
        pub fn greet(call: *mut loader_call, name: *const loader_text) -> c_int;
        pub fn mixed(
            call: *mut loader_call,
            data: *const loader_bytes,
            byte: u8,
            offset: i64,
            name: *const loader_text,
        ) -> c_int;
        pub fn choose(call: *mut loader_call, flag: u8) -> c_int;
    }
}

/// An exported function is reachable by its plain name, and gives what the Rust function wrote.
#[test]
fn exported_functions_have_plain_names() {
    let name = lent_text("World");
    // SAFETY: called as the contract declares it.
    let outcome = Host::new().enter(|call| unsafe { symbols::greet(call, &name) });
    assert_eq!(outcome.text(), "Hello, World!");
}

/// Errors and panics of an exported function are statuses with text, never unwinding.
#[test]
fn exported_functions_are_guarded() {
    let mut host = Host::new();
    // SAFETY: called as the contract declares it.
    let failed = host.enter(|call| unsafe { symbols::greet(call, &lent_text("nobody")) });
    assert_eq!((failed.status, failed.error.as_str()), (Status::FAILED, "nobody is there"));
    // SAFETY: as above.
    let panicked = host.enter(|call| unsafe { symbols::greet(call, &lent_text("panic")) });
    assert_eq!(panicked.status, Status::PANIC);
    assert!(panicked.error.contains("asked to"), "{}", panicked.error);
}

/// Each kind of parameter arrives; null with size 0 is the empty text and the empty bytes.
#[test]
fn parameters_of_all_kinds_arrive() {
    let mut host = Host::new();
    let (data, name) = (lent_bytes(&[1, 2, 255]), lent_text("é"));
    // SAFETY: called as the contract declares it.
    let outcome = host.enter(|call| unsafe { symbols::mixed(call, &data, 255, i64::MIN, &name) });
    assert_eq!(outcome.text(), "3 255 -9223372036854775808 é");
    let nothing = loader_bytes { data: std::ptr::null(), size: 0 };
    // SAFETY: as above.
    let outcome = host.enter(|call| unsafe { symbols::mixed(call, &nothing, 0, 0, &EMPTY_TEXT) });
    assert_eq!(outcome.text(), "0 0 0 ");
}

/// A byte that C code calls a bool, and is neither 0 nor 1, is true, not undefined behaviour.
#[test]
fn a_bool_is_any_byte() {
    for (byte, text) in [(0, "false"), (1, "true"), (2, "true"), (255, "true")] {
        // SAFETY: called as the contract declares it.
        assert_eq!(Host::new().enter(|call| unsafe { symbols::choose(call, byte) }).text(), text);
    }
}

/// Both markers of the handshake are symbols, and so is the fingerprint.
#[test]
fn markers_are_exported() {
    // SAFETY: constants of this binary.
    unsafe { assert_eq!((symbols::loader_abi_1, symbols::greeter_abi_1_0), (LOADER_ABI, LOADER_ABI)) };
    // SAFETY: as above.
    unsafe { assert_eq!(symbols::greeter_abi_1_0_is_0x0123456789abcdef, LOADER_ABI) };
}

/// A fingerprint is a part of a name, so it is written in one way.
#[test]
fn fingerprints_are_written_in_one_way() {
    assert!(native_plugin::is_fingerprint("0x0123456789abcdef"));
    let wrong =
        ["", "0x", "0123456789abcdef", "0x0123456789abcde", "0x0123456789abcdef0", "0x0123456789ABCDEF"];
    for text in [&wrong[..], &["0x0123_456789abcde", "0X0123456789abcdef", "1x0123456789abcdef"]].concat() {
        assert!(!native_plugin::is_fingerprint(text), "{text}");
    }
}
