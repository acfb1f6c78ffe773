//! The contract htmlize, exported with `export_htmlize!` and called by its symbols, as a host does.

use std::ffi::{c_int, c_void};
use std::mem::size_of;
use std::ptr;

use native_plugin::abi::{loader_call, loader_text};
use native_plugin::htmlize::{htmlize_post, htmlize_posts, Htmlize, Post, Posts};
use native_plugin::testing::{lent_text, Host, Outcome, TestPost};
use native_plugin::{Call, Result, Status, EMPTY_TEXT};

struct Crust {
    filling: &'static str,
}

impl Htmlize for Crust {
    fn hooks(&self, call: &mut Call<'_>) -> Result {
        write!(call, "role:{}\ncontents\n", self.filling)
    }

    fn process_role(&self, call: &mut Call<'_>, role: &str, text: &str, post: Post<'_>) -> Result {
        assert_ne!(text, "panic");
        if let Some(id) = text.strip_prefix('#') {
            let posts: Posts<'_> = call.service().ok_or("the application lends no posts")?;
            let title = posts.title(call, id.parse().map_err(native_plugin::Error::display)?)?;
            return call.write_str(title);
        }
        write!(call, "{role} {text} {} {}|{}|{}", post.id(), post.author(), post.title(), post.contents())
    }

    fn process_contents(&self, call: &mut Call<'_>, contents: &str, post: Post<'_>) -> Result {
        write!(call, "{}: {contents}", post.author())
    }
}

static CRUST: Crust = Crust { filling: "pie" };

native_plugin::export_htmlize!(CRUST, roles, contents);

extern "C" {
    static htmlize_abi_1_0: u8;
    fn hooks(call: *mut loader_call) -> c_int;
    fn process_role(
        call: *mut loader_call,
        role: *const loader_text,
        text: *const loader_text,
        post: *const htmlize_post,
    ) -> c_int;
    fn process_contents(
        call: *mut loader_call,
        contents: *const loader_text,
        post: *const htmlize_post,
    ) -> c_int;
}

fn role(host: &mut Host, text: &str, post: &htmlize_post) -> Outcome {
    // SAFETY: called as the contract declares it.
    host.enter(|call| unsafe { process_role(call, &lent_text("pie"), &lent_text(text), post) })
}

/// The trait's functions are exported under the contract's names, with both markers.
#[test]
fn the_plugin_is_exported() {
    let mut host = Host::new();
    let (author, title, contents) = ("Joe".to_owned(), "A <title>".to_owned(), "all of it".to_owned());
    let owned = TestPost { id: 42, author, title, contents };
    let post = owned.to_raw();
    // SAFETY: called as the contract declares it; a constant of this binary.
    unsafe {
        assert_eq!(host.enter(|call| hooks(call)).text(), "role:pie\ncontents\n");
        assert_eq!(host.enter(|call| process_contents(call, &lent_text("<p>"), &post)).text(), "Joe: <p>");
        assert_eq!(htmlize_abi_1_0, 1);
    }
    assert_eq!(role(&mut host, "hot", &post).text(), "pie hot 42 Joe|A <title>|all of it");
}

/// A panic inside an exported function is an error of that call.
#[test]
fn exports_are_guarded() {
    assert_eq!(role(&mut Host::new(), "panic", &TestPost::default().to_raw()).status, Status::PANIC);
}

/// Null with size 0 is the empty text, in parameters and in the post.
#[test]
fn null_texts_are_empty() {
    let post = htmlize_post {
        size: size_of::<htmlize_post>(),
        id: 0,
        author: EMPTY_TEXT,
        title: EMPTY_TEXT,
        contents: EMPTY_TEXT,
    };
    // SAFETY: called as the contract declares it.
    let outcome = Host::new().enter(|call| unsafe { process_role(call, &EMPTY_TEXT, &EMPTY_TEXT, &post) });
    assert_eq!(outcome.text(), "  0 ||");
}

/// A post of an older host is read only as far as it goes; of a newer one, what this side knows.
#[test]
fn posts_of_other_sizes_are_read_by_their_size() {
    let given = |size| {
        // Memory of exactly that size, so that valgrind sees a read past it.
        let mut memory = vec![0u64; size / 8].into_boxed_slice();
        let post =
            TestPost { id: 7, author: "Joe".to_owned(), title: "T".to_owned(), contents: String::new() };
        let post = htmlize_post { size, ..post.to_raw() };
        let both = size.min(size_of::<htmlize_post>());
        // SAFETY: `both` bytes of each; the words are aligned as the struct is.
        unsafe {
            let to = memory.as_mut_ptr();
            ptr::copy_nonoverlapping(ptr::addr_of!(post).cast::<u8>(), to.cast(), both);
            let post: *const htmlize_post = to.cast();
            Host::new().enter(|call| process_role(call, &lent_text("r"), &lent_text("t"), post)).text()
        }
    };
    assert_eq!(given(8), "r t 0 ||");
    assert_eq!(given(16), "r t 7 ||");
    assert_eq!(given(32), "r t 7 Joe||");
    assert_eq!(given(40), "r t 7 Joe||");
    assert_eq!(given(48), "r t 7 Joe|T|");
    assert_eq!(given(128), "r t 7 Joe|T|");
}

unsafe extern "C" fn title(
    call: *mut loader_call,
    posts: *const htmlize_posts,
    id: i64,
    title: *mut loader_text,
) -> c_int {
    assert_eq!((*posts).size, size_of::<htmlize_posts>());
    if id != 42 {
        let text = "no post of that number";
        return ((*(*call).host).fail)(call, Status::FAILED.0, text.as_ptr().cast(), text.len());
    }
    *title = lent_text("Pies & more");
    Status::OK.0
}

/// The posts' service answers with a title, and its failure is handed on with the service's own text.
#[test]
fn posts_are_asked_for_titles() {
    let table = htmlize_posts { size: size_of::<htmlize_posts>(), title: Some(title) };
    let mut host = Host::new();
    // SAFETY: the table of that service, alive to the end of this test.
    unsafe { host.lend("htmlize.posts/1", ptr::addr_of!(table).cast::<c_void>()) };
    let post = TestPost::default().to_raw();
    assert_eq!(role(&mut host, "#42", &post).text(), "Pies & more");
    let missing = role(&mut host, "#41", &post);
    assert_eq!((missing.status, missing.error.as_str()), (Status::FAILED, "no post of that number"));
}

/// Without the service, or with a table too old to have its function, there is an error and no crash.
#[test]
fn absent_services_are_errors() {
    let post = TestPost::default().to_raw();
    assert_eq!(role(&mut Host::new(), "#42", &post).error, "the application lends no posts");
    let old = size_of::<usize>();
    let mut host = Host::new();
    // SAFETY: a table that ends after its size, alive to the end of this test.
    unsafe { host.lend("htmlize.posts/1", ptr::addr_of!(old).cast()) };
    assert_eq!(role(&mut host, "#42", &post).error, "the application's posts have no title function");
}

/// A plugin that exports more than it implements answers with an error that says so.
#[test]
fn what_is_not_implemented_is_an_error() {
    struct Nothing;
    impl Htmlize for Nothing {
        fn hooks(&self, _call: &mut Call<'_>) -> Result {
            Ok(())
        }
    }
    native_plugin::export_function!(
        fn nothing_role(post: Post<'_>) =>
        |call: &mut Call<'_>, post: Post<'_>| Nothing.process_role(call, "a", "b", post)
    );
    native_plugin::export_function!(
        fn nothing_contents(post: Post<'_>) =>
        |call: &mut Call<'_>, post: Post<'_>| Nothing.process_contents(call, "b", post)
    );
    extern "C" {
        fn nothing_role(call: *mut loader_call, post: *const htmlize_post) -> c_int;
        fn nothing_contents(call: *mut loader_call, post: *const htmlize_post) -> c_int;
    }
    let post = TestPost::default().to_raw();
    let mut host = Host::new();
    // SAFETY: called as declared just above.
    let roles = host.enter(|call| unsafe { nothing_role(call, &post) });
    assert_eq!((roles.status, roles.error.contains("\"a\"")), (Status::FAILED, true));
    // SAFETY: as above.
    let contents = host.enter(|call| unsafe { nothing_contents(call, &post) });
    assert_eq!((contents.status, contents.error.is_empty()), (Status::FAILED, false));
}
