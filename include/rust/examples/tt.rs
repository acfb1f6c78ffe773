//! The smallest plugin of the contract htmlize: `` :tt:`pie` `` becomes `<tt>pie</tt>`.
//!
//!     cargo build --release --example tt      →  target/release/examples/libtt.so

use native_plugin::htmlize::{Htmlize, Post};
use native_plugin::{Call, Result};

struct Tt;

impl Htmlize for Tt {
    fn hooks(&self, call: &mut Call<'_>) -> Result {
        call.write_str("role:tt\n")
    }

    fn process_role(&self, call: &mut Call<'_>, _role: &str, text: &str, _post: Post<'_>) -> Result {
        call.write_parts(["<tt>", text, "</tt>"])
    }
}

native_plugin::export_htmlize!(Tt, roles);
