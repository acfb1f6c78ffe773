//! Contract htmlize 1.0 (`htmlize/htmlize.h`): plugins that take part in turning lightly marked text into
//! HTML.
//!
//! Implement [`Htmlize`] and export it with [`export_htmlize!`](crate::export_htmlize). This module stands on
//! the generic rest of the crate, which does not know it.

use core::ffi::{c_int, c_void};
use core::fmt;
use core::marker::PhantomData;
use core::mem::{offset_of, size_of};
use core::ptr::NonNull;

use crate::abi::{loader_call, loader_text};
use crate::argument::Argument;
use crate::call::{Call, Service, EMPTY_TEXT};
use crate::error::{Result, Status};
use crate::sized_field;
use crate::view::text_of;

/// The post as it crosses the ABI; see [`Post`].
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[allow(non_camel_case_types)] // the header's name
pub struct htmlize_post {
    /// Bytes of this struct as the host knows it.
    pub size: usize,
    /// The post's number; 0 if it has none.
    pub id: i64,
    /// Its author's name, not escaped.
    pub author: loader_text,
    /// Its title, not escaped.
    pub title: loader_text,
    /// Its whole source text, as it was before any plugin saw it.
    pub contents: loader_text,
}

/// Table of the service "htmlize.posts/1"; see [`Posts`].
#[repr(C)]
#[derive(Debug)]
#[allow(non_camel_case_types)] // the header's name
pub struct htmlize_posts {
    /// Bytes of this table as the host knows it.
    pub size: usize,
    /// Sets `*title` to the title of post `id`: the host's, valid until the plugin's function returns.
    /// Fails with `LOADER_FAILED` and a text if there is no such post.
    pub title: Option<
        unsafe extern "C" fn(
            call: *mut loader_call,
            posts: *const htmlize_posts,
            id: i64,
            title: *mut loader_text,
        ) -> c_int,
    >,
}

const _: () = {
    assert!(offset_of!(htmlize_post, size) == 0 && offset_of!(htmlize_post, id) == 8);
    assert!(offset_of!(htmlize_post, author) == 16 && offset_of!(htmlize_post, title) == 32);
    assert!(offset_of!(htmlize_post, contents) == 48 && size_of::<htmlize_post>() == 64);
    assert!(offset_of!(htmlize_posts, title) == 8 && size_of::<htmlize_posts>() == 16);
};

/// The post whose text is turned into HTML.
///
/// Owned by the host and borrowed, with all its texts, for `'a`: until the exported function returns. Never
/// written to meanwhile, so other threads may read it too. A field that an older host does not know reads as
/// 0 or as the empty text.
#[derive(Clone, Copy)]
pub struct Post<'a> {
    raw: NonNull<htmlize_post>,
    lent: PhantomData<&'a htmlize_post>,
}

// SAFETY: the header: the same on every thread, never written to.
unsafe impl Send for Post<'_> {}
// SAFETY: as above.
unsafe impl Sync for Post<'_> {}

impl<'a> Post<'a> {
    /// # Safety
    /// The post and its texts are valid, and not written to, during `'a`.
    #[inline]
    pub(crate) unsafe fn lent(raw: *const htmlize_post) -> Self {
        debug_assert!(!raw.is_null(), "the host passes a post");
        Post { raw: NonNull::new_unchecked(raw.cast_mut()), lent: PhantomData }
    }

    /// The post's number; 0 if it has none.
    #[inline]
    pub fn id(self) -> i64 {
        // SAFETY: the post is valid during 'a for as many bytes as its size says.
        unsafe { sized_field!(self.raw.as_ptr(), htmlize_post, id) }.unwrap_or(0)
    }

    /// Its author's name, not escaped.
    #[inline]
    pub fn author(self) -> &'a str {
        // SAFETY: as in id.
        unsafe { Self::text(sized_field!(self.raw.as_ptr(), htmlize_post, author)) }
    }

    /// Its title, not escaped.
    #[inline]
    pub fn title(self) -> &'a str {
        // SAFETY: as in id.
        unsafe { Self::text(sized_field!(self.raw.as_ptr(), htmlize_post, title)) }
    }

    /// Its whole source text, as it was before any plugin saw it.
    #[inline]
    pub fn contents(self) -> &'a str {
        // SAFETY: as in id.
        unsafe { Self::text(sized_field!(self.raw.as_ptr(), htmlize_post, contents)) }
    }

    #[inline]
    unsafe fn text(field: Option<loader_text>) -> &'a str {
        text_of(&field.unwrap_or(EMPTY_TEXT))
    }
}

impl fmt::Debug for Post<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut fields = out.debug_struct("Post");
        fields.field("id", &self.id()).field("author", &self.author()).field("title", &self.title());
        fields.finish_non_exhaustive()
    }
}

// SAFETY: `const htmlize_post *`, borrowed until the function returns.
unsafe impl Argument for Post<'_> {
    type Raw = *const htmlize_post;
    type Lent<'call> = Post<'call>;
    #[inline]
    unsafe fn from_raw<'call>(raw: Self::Raw, _: &Call<'call>) -> Post<'call> {
        Post::lent(raw)
    }
}

/// Service "htmlize.posts/1": the application's posts. `call.service::<Posts>()`; `None` where the
/// application has none.
///
/// Owned by the host; table and results are valid during `'a`, until the exported function returns. Calling
/// thread only.
#[derive(Clone, Copy)]
pub struct Posts<'a> {
    table: NonNull<htmlize_posts>,
    lent: PhantomData<&'a htmlize_posts>,
}

// SAFETY: htmlize_posts is the table of this service, and its one function is read under its size.
unsafe impl<'a> Service<'a> for Posts<'a> {
    const ID: &'static str = "htmlize.posts/1";

    unsafe fn from_table(table: NonNull<c_void>) -> Self {
        Posts { table: table.cast(), lent: PhantomData }
    }
}

impl<'a> Posts<'a> {
    /// The title of post `id`, not escaped, owned by the host. Error: [`Status::FAILED`] if there is no such
    /// post; the text is in the call already, so `?` hands it on.
    pub fn title(&self, call: &mut Call<'a>, id: i64) -> Result<&'a str> {
        let table = self.table.as_ptr();
        // SAFETY: the table is valid during 'a for as many bytes as its size says; its functions are called
        // with the call that lent it, on the same thread; the result is the host's, valid during 'a.
        unsafe {
            let title = sized_field!(table, htmlize_posts, title).flatten();
            let title = title.ok_or("the application's posts have no title function")?;
            let mut text = EMPTY_TEXT;
            Status(title(call.as_raw(), table, id, &mut text)).ok()?;
            Ok(text_of(&text))
        }
    }
}

/// A plugin of the contract htmlize. One value of it is shared by all threads, several of which may be inside
/// at once: hence `Sync`, and `&self`. It lives as long as the process.
///
/// All that a function receives is owned by the host and borrowed until it returns. What it writes to `call`
/// is its result. An `Err` (or a panic) fails the document or, if the application asked for that, leaves the
/// text as it stood.
pub trait Htmlize: Sync {
    /// Writes what the plugin takes part in, a line each: `role:NAME\n` (NAME: 1 to 100 of `[0-9A-Za-z_]`)
    /// and `contents\n`. Called once, after loading, on the thread that loads. An error refuses the plugin.
    fn hooks(&self, call: &mut Call<'_>) -> Result;

    /// Writes the HTML that replaces one `` :role:`text` ``. `role` is a name that `hooks` wrote; `text`
    /// stands between the backticks and is not escaped. The result is not scanned for roles again. Any
    /// thread.
    ///
    /// Without an implementation: an error.
    fn process_role(&self, call: &mut Call<'_>, role: &str, text: &str, post: Post<'_>) -> Result {
        let _ = (text, post);
        Err(call
            .fail(Status::FAILED, &format!("this plugin does not handle roles, and was asked for {role:?}")))
    }

    /// Writes the whole contents anew. `contents` is HTML in which roles are not yet replaced. Any thread.
    ///
    /// Without an implementation: an error.
    fn process_contents(&self, call: &mut Call<'_>, contents: &str, post: Post<'_>) -> Result {
        let _ = (contents, post);
        Err(call.fail(Status::FAILED, "this plugin does not handle contents"))
    }
}

/// Exports a plugin of the contract htmlize: `hooks`, the functions that are named after the plugin, and both
/// marker symbols. Once in a `cdylib` crate.
///
/// The plugin is a constant expression (`Tt`, `Tt { strict: true }`) or the name of a `static`, of a type
/// that implements [`Htmlize`]. After it stands what it takes part in, so that
/// nothing is exported that it does not do: `roles`, `contents`, or `roles, contents`.
///
/// Every exported function is guarded: a panic is an error of that call, with the panic's text.
///
/// ```
/// use native_plugin::{htmlize::{Htmlize, Post}, Call, Result};
///
/// struct Tt;
///
/// impl Htmlize for Tt {
///     fn hooks(&self, call: &mut Call) -> Result {
///         call.write_str("role:tt\n")
///     }
///     fn process_role(&self, call: &mut Call, _role: &str, text: &str, _post: Post) -> Result {
///         write!(call, "<tt>{text}</tt>")
///     }
/// }
///
/// native_plugin::export_htmlize!(Tt, roles);
/// ```
#[macro_export]
macro_rules! export_htmlize {
    ($plugin:expr, roles $(,)?) => {
        $crate::export_htmlize!(@hooks $plugin);
        $crate::export_htmlize!(@roles $plugin);
    };
    ($plugin:expr, contents $(,)?) => {
        $crate::export_htmlize!(@hooks $plugin);
        $crate::export_htmlize!(@contents $plugin);
    };
    ($plugin:expr, roles, contents $(,)?) => {
        $crate::export_htmlize!(@hooks $plugin);
        $crate::export_htmlize!(@roles $plugin);
        $crate::export_htmlize!(@contents $plugin);
    };
    ($plugin:expr $(,)?) => {
        ::core::compile_error!("say what the plugin takes part in: roles, contents, or roles, contents");
    };
    (@hooks $plugin:expr) => {
        $crate::markers!(htmlize_abi_1_0, 0x289833ee10589802); // as htmlize.h says: a test compares
        $crate::export_function!(fn hooks() => |call| $crate::htmlize::Htmlize::hooks(&$plugin, call));
    };
    (@roles $plugin:expr) => {
        $crate::export_function!(
            fn process_role(role: &str, text: &str, post: $crate::htmlize::Post<'_>) =>
            |call, role, text, post| $crate::htmlize::Htmlize::process_role(&$plugin, call, role, text, post)
        );
    };
    (@contents $plugin:expr) => {
        $crate::export_function!(
            fn process_contents(contents: &str, post: $crate::htmlize::Post<'_>) =>
            |call, contents, post| $crate::htmlize::Htmlize::process_contents(&$plugin, call, contents, post)
        );
    };
}
