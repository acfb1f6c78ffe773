//! Measured plugin in Rust, written with the kit: the roles tt, fail and callback.

use native_plugin::htmlize::{Htmlize, Post, Posts};
use native_plugin::{Call, Result, Status};

struct Bench;

impl Htmlize for Bench {
    fn hooks(&self, call: &mut Call<'_>) -> Result {
        call.write_str("role:tt\nrole:fail\nrole:callback\n")
    }

    fn process_role(&self, call: &mut Call<'_>, role: &str, text: &str, post: Post<'_>) -> Result {
        if role == "tt" {
            return call.write_parts(["<tt>", text, "</tt>"]);
        }
        if role == "callback" {
            return call_back(call, text);
        }
        Err(call.fail(Status::FAILED, &format!("no post {}", post.id())))
    }
}

/// Asks the host as often as the text says for the title of post 42.
fn call_back(call: &mut Call<'_>, text: &str) -> Result {
    let posts: Posts<'_> = call.service().ok_or("no service")?;
    let mut title = "";
    for _ in 0..text.parse().unwrap_or(0) {
        title = posts.title(call, 42)?;
    }
    call.write_str(title)
}

native_plugin::export_htmlize!(Bench, roles);
