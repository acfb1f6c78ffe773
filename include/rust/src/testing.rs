//! [`Host`]: a host in Rust, so that a plugin's unit tests need no application.
//!
//! It lends a real table of `extern "C"` functions, and plugins are called through the ABI. Its output starts
//! with little room and moves each time it grows, as a real host's may, so that faults show. Not for plugins
//! themselves: what they do not call is not linked into them.

use core::ffi::{c_char, c_int, c_void};
use core::mem::size_of;
use core::ptr;
use core::slice;

use crate::abi::{loader_bytes, loader_call, loader_host, loader_text};
use crate::call::{Call, Level, EMPTY_TEXT};
use crate::catch::guard;
use crate::error::{Result, Status};
use crate::htmlize::{htmlize_post, Post};

/// What a call gave. Owned by the test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What the function returned.
    pub status: Status,
    /// What it wrote; after an error, a real host throws it away.
    pub output: Vec<u8>,
    /// The error text; empty if there was none.
    pub error: String,
    /// What it logged.
    pub log: Vec<(Level, String)>,
}

impl Outcome {
    /// The output as text, for calls that are to succeed.
    ///
    /// # Panics
    /// If the call failed, or what it wrote is not UTF-8.
    pub fn text(self) -> String {
        assert_eq!(self.status, Status::OK, "{}", self.error);
        String::from_utf8(self.output).expect("a result that is text is UTF-8")
    }
}

/// What the host keeps behind the call; the call comes first, so that the two pointers are one.
#[repr(C)]
struct State {
    call: loader_call,
    table: loader_host,
    output: Vec<u8>,
    error: String,
    log: Vec<(Level, String)>,
    services: Vec<(String, *const c_void)>,
    stop: Status,
    max_output: usize,
    path: String,
    blocks: Vec<Vec<u128>>,
}

/// A host for tests. Each call of a plugin's function starts with an empty output and no error. Belongs to
/// the thread that made it; make one for each thread.
pub struct Host {
    // From Box::into_raw: plugins and the functions below reach it through the call's pointer.
    state: *mut State,
}

impl Default for Host {
    fn default() -> Self {
        Host::new()
    }
}

impl Host {
    /// A host that lends no services and never asks to stop.
    pub fn new() -> Self {
        let call = loader_call {
            size: size_of::<loader_call>(),
            next: ptr::null_mut(),
            limit: ptr::null_mut(),
            host: ptr::null(),
            error: EMPTY_TEXT,
        };
        let size = size_of::<loader_host>();
        let state = Box::into_raw(Box::new(State {
            call,
            table: loader_host {
                size,
                grow,
                fail,
                log,
                cancelled,
                service,
                path,
                write: Some(write),
                alloc: Some(alloc),
            },
            output: Vec::new(),
            error: String::new(),
            log: Vec::new(),
            services: Vec::new(),
            stop: Status::OK,
            max_output: usize::MAX,
            path: String::new(),
            blocks: Vec::new(),
        }));
        // SAFETY: just made.
        unsafe { (*state).call.host = ptr::addr_of!((*state).table) };
        Host { state }
    }

    /// Lends the table at `table` under `id`.
    ///
    /// # Safety
    /// The table is valid as long as this host, and is what the header of that service declares.
    pub unsafe fn lend(&mut self, id: &str, table: *const c_void) {
        (*self.state).services.push((id.to_owned(), table));
    }

    /// From now on, [`Call::cancelled`] says this.
    pub fn stop(&mut self, status: Status) {
        // SAFETY: ours, and no call is running.
        unsafe { (*self.state).stop = status };
    }

    /// From now on, a call may write this many bytes.
    pub fn max_output(&mut self, size: usize) {
        // SAFETY: ours, and no call is running.
        unsafe { (*self.state).max_output = size };
    }

    /// From now on, [`Call::plugin_path`] says this.
    pub fn plugin_path(&mut self, path: &str) {
        // SAFETY: ours, and no call is running.
        unsafe { (*self.state).path = path.to_owned() };
    }

    /// Calls a body under the guard, as an exported function would.
    ///
    /// ```
    /// # use native_plugin::testing::Host;
    /// assert_eq!(Host::new().call(|call| call.write_str("pie")).text(), "pie");
    /// ```
    pub fn call(&mut self, body: impl FnOnce(&mut Call<'_>) -> Result) -> Outcome {
        // SAFETY: the pointer is this host's own call.
        self.enter(|call| unsafe { guard(call, body) })
    }

    /// Calls an exported function by its pointer: `host.enter(|call| unsafe { hooks(call) })`. The pointer is
    /// the host's, valid inside the closure.
    pub fn enter(&mut self, function: impl FnOnce(*mut loader_call) -> c_int) -> Outcome {
        let state = self.state;
        // SAFETY: ours; while the function runs we hold no reference to it.
        unsafe {
            (*state).output = Vec::new();
            (*state).call.next = ptr::null_mut();
            (*state).call.limit = ptr::null_mut();
            (*state).call.error = EMPTY_TEXT;
            let status = Status(function(state.cast()));
            let state = &mut *state;
            let used = written(state);
            state.output.truncate(used);
            state.call.error = EMPTY_TEXT;
            Outcome {
                status,
                output: core::mem::take(&mut state.output),
                error: core::mem::take(&mut state.error),
                log: core::mem::take(&mut state.log),
            }
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // SAFETY: from Box::into_raw, once.
        drop(unsafe { Box::from_raw(self.state) });
    }
}

/// A text as it crosses the ABI; borrows `text` without saying so, and is valid as long.
pub fn lent_text(text: &str) -> loader_text {
    loader_text { data: text.as_ptr().cast(), size: text.len() }
}

/// Bytes as they cross the ABI; borrows `bytes` without saying so, and is valid as long.
pub fn lent_bytes(bytes: &[u8]) -> loader_bytes {
    loader_bytes { data: bytes.as_ptr(), size: bytes.len() }
}

/// A post for tests of plugins of the contract htmlize; it owns its texts.
#[derive(Clone, Debug, Default)]
pub struct TestPost {
    /// The post's number.
    pub id: i64,
    /// Its author's name.
    pub author: String,
    /// Its title.
    pub title: String,
    /// Its whole source text.
    pub contents: String,
}

impl TestPost {
    /// The post as it crosses the ABI; borrows the texts without saying so, and is valid as long as they are.
    pub fn to_raw(&self) -> htmlize_post {
        htmlize_post {
            size: size_of::<htmlize_post>(),
            id: self.id,
            author: lent_text(&self.author),
            title: lent_text(&self.title),
            contents: lent_text(&self.contents),
        }
    }

    /// Calls a body with the post as a plugin sees it.
    pub fn lend<R>(&self, body: impl FnOnce(Post<'_>) -> R) -> R {
        let raw = self.to_raw();
        // SAFETY: the post and its texts outlive the body, which cannot keep what it is lent.
        body(unsafe { Post::lent(&raw) })
    }
}

// ---- The host's functions. Each `call` is the first field of a State. ----

fn written(state: &State) -> usize {
    if state.call.next.is_null() {
        0
    } else {
        state.call.next as usize - state.output.as_ptr() as usize
    }
}

unsafe extern "C" fn grow(call: *mut loader_call, more: usize) -> c_int {
    let state = &mut *call.cast::<State>();
    let used = written(state);
    match used.checked_add(more) {
        Some(size) if size <= state.max_output => {
            let mut moved = Vec::new(); // a new place each time, and no byte more than was asked for
            if moved.try_reserve_exact(size).is_err() {
                return Status::NO_MEMORY.0;
            }
            moved.extend_from_slice(&state.output[..used]);
            moved.resize(size, 0);
            state.output = moved;
        }
        _ => return Status::NO_MEMORY.0,
    }
    let range = state.output.as_mut_ptr_range();
    state.call.next = range.start.add(used).cast();
    state.call.limit = range.end.cast();
    Status::OK.0
}

unsafe extern "C" fn write(call: *mut loader_call, data: *const c_void, size: usize) -> c_int {
    let used = written(&*call.cast::<State>());
    let status = grow(call, size);
    if status == Status::OK.0 {
        let state = &mut *call.cast::<State>();
        state.output[used..].copy_from_slice(slice::from_raw_parts(data.cast(), size));
        state.call.next = state.call.limit;
    }
    status
}

unsafe extern "C" fn fail(call: *mut loader_call, status: c_int, text: *const c_char, size: usize) -> c_int {
    let state = &mut *call.cast::<State>();
    state.error = string(text, size);
    state.call.error = lent_text(&state.error);
    if status == Status::OK.0 {
        Status::FAILED.0
    } else {
        status
    }
}

unsafe extern "C" fn log(call: *mut loader_call, level: c_int, text: *const c_char, size: usize) {
    let text = string(text, size);
    (*call.cast::<State>()).log.push((Level(level), text));
}

unsafe extern "C" fn cancelled(call: *mut loader_call) -> c_int {
    (*call.cast::<State>()).stop.0
}

unsafe extern "C" fn service(call: *mut loader_call, id: *const c_char, size: usize) -> *const c_void {
    let id = string(id, size);
    let services = &(*call.cast::<State>()).services;
    services.iter().find(|(name, _)| *name == id).map_or(ptr::null(), |&(_, table)| table)
}

unsafe extern "C" fn path(call: *mut loader_call) -> loader_text {
    lent_text(&(*call.cast::<State>()).path)
}

unsafe extern "C" fn alloc(call: *mut loader_call, size: usize) -> *mut c_void {
    let state = &mut *call.cast::<State>();
    let mut block: Vec<u128> = Vec::new();
    if block.try_reserve_exact(size.div_ceil(16).max(1)).is_err() {
        return ptr::null_mut();
    }
    let memory = block.as_mut_ptr(); // stays where it is when the vector is moved
    state.blocks.push(block);
    memory.cast()
}

unsafe fn string(text: *const c_char, size: usize) -> String {
    if size == 0 {
        return String::new();
    }
    let bytes = slice::from_raw_parts(text.cast::<u8>(), size);
    String::from_utf8(bytes.to_vec()).unwrap_or_else(|error| format!("not UTF-8: {error}"))
}
