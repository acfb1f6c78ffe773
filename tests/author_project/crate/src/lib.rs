//! The smallest plugin of htmlize, in Rust.
use native_plugin::htmlize::Htmlize;
use native_plugin::{Call, Result};

struct Plugin;

impl Htmlize for Plugin {
    fn hooks(&self, call: &mut Call<'_>) -> Result {
        call.write_str("role:crate\n")
    }
}

native_plugin::export_htmlize!(Plugin, roles);
