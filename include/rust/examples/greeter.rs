//! A plugin of a contract that the kit does not know: greeter 1.0, whose header declares
//!
//!     int greet(loader_call *call, const loader_text *name);
//!
//!     cargo build --release --example greeter      →  target/release/examples/libgreeter.so

use native_plugin::{Call, Result};

fn greet(call: &mut Call<'_>, name: &str) -> Result {
    write!(call, "Hello, {name}!")
}

native_plugin::export! {
    greeter_abi_1_0;
    fn greet(name: &str);
}
