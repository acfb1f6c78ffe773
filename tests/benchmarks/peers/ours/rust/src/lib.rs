//! Measured plugin in Rust, written with the kit: the roles tt and fail.

use native_plugin::htmlize::{Htmlize, Post};
use native_plugin::{Call, Result, Status};

struct Bench;

impl Htmlize for Bench {
    fn hooks(&self, call: &mut Call<'_>) -> Result {
        call.write_str("role:tt\nrole:fail\n")
    }

    fn process_role(&self, call: &mut Call<'_>, role: &str, text: &str, _post: Post<'_>) -> Result {
        if role == "tt" {
            return call.write_parts(["<tt>", text, "</tt>"]);
        }
        Err(call.fail(Status::FAILED, "no post 42"))
    }
}

native_plugin::export_htmlize!(Bench, roles);
