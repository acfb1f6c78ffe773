//! [`guard`]: the edge of a plugin, which no panic passes.
//!
//! A panic ends as status [`Status::PANIC`] with the panic's own text and place as the error text of
//! the call.
//!
//! Rust prints each panic to standard error before it unwinds. In a plugin that output is the application's,
//! and the host has the same text in its error: so, inside a guard, nothing is printed, unless RUST_BACKTRACE
//! is set. A panic on a thread that the plugin started itself is printed as usual, as no guard will see it.
//! That difference costs a thread-local counter, about a nanosecond a call.
//!
//! Nothing catches a panic inside a destructor that runs because of a panic, a stack overflow, a failed
//! allocation of Rust's own, or `panic = "abort"`: those end the process.

use core::any::Any;
use core::cell::Cell;
use core::ffi::c_int;
use std::panic::{catch_unwind, set_hook, take_hook, AssertUnwindSafe, Location};
use std::sync::Once;

use crate::abi::loader_call;
use crate::call::Call;
use crate::error::{Error, Result, Status};

#[cfg(panic = "abort")]
compile_error!("a plugin needs panic = \"unwind\" in its profile: a panic would end the host otherwise");

thread_local! {
    /// Guards that this thread is inside of. More than one if a service of the host called a plugin again.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
    /// The last panic of this thread as the hook saw it, with its place. Touched when there is one only.
    static REPORT: Cell<String> = const { Cell::new(String::new()) };
}

static HOOK: Once = Once::new();

/// Runs the body of an exported function: makes the [`Call`], turns an [`Error`] into status and text, and a
/// panic into [`Status::PANIC`] and its text. Returns what the exported function must return. The macros
/// [`export!`](crate::export!) and [`export_htmlize!`](crate::export_htmlize) put it around everything.
///
/// # Safety
/// `call` is the pointer that the host passed to the exported function that runs now, on this thread.
#[inline]
pub unsafe fn guard<F>(call: *mut loader_call, body: F) -> c_int
where
    F: FnOnce(&mut Call<'_>) -> Result,
{
    if !HOOK.is_completed() {
        install_hook();
    }
    DEPTH.set(DEPTH.get() + 1);
    // Whatever state the body leaves half changed is its own to guard (a Mutex does, by poisoning); the
    // host's part, the output, is thrown away by the host after an error.
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let mut call = Call::from_raw(call);
        match body(&mut call) {
            Ok(()) => Status::OK.0,
            Err(error) => call.tell(error),
        }
    }));
    let status = match outcome {
        Ok(status) => status,
        Err(payload) => panicked(Call::from_raw(call), payload),
    };
    DEPTH.set(DEPTH.get() - 1);
    status
}

/// Only this plugin's: each has a standard library, and so a hook, of its own.
#[cold]
#[inline(never)]
fn install_hook() {
    HOOK.call_once(|| {
        let usual = take_hook();
        set_hook(Box::new(move |info| {
            if DEPTH.get() == 0 {
                return usual(info);
            }
            // try_with: the thread may be on its way out already; then the place is lost, not the text.
            let _ = REPORT.try_with(|report| report.set(describe(info.payload(), info.location())));
            if std::env::var_os("RUST_BACKTRACE").is_some_and(|value| value != "0") {
                usual(info);
            }
        }));
    });
}

fn describe(payload: &(dyn Any + Send), place: Option<&Location<'_>>) -> String {
    let text = text_of_payload(payload);
    match place {
        Some(place) => format!("{text} ({place})"),
        None => text.to_owned(),
    }
}

fn text_of_payload(payload: &(dyn Any + Send)) -> &str {
    if let Some(text) = payload.downcast_ref::<&'static str>() {
        text
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text
    } else {
        "panic without a text"
    }
}

#[cold]
#[inline(never)]
fn panicked(mut call: Call<'_>, payload: Box<dyn Any + Send>) -> c_int {
    let report = REPORT.try_with(Cell::take).unwrap_or_default();
    let text = text_of_payload(&*payload);
    // The report is another panic's if this one was carried here by resume_unwind, past the hook.
    let status = call.tell(Error::new(Status::PANIC, if report.starts_with(text) { &*report } else { text }));
    // A payload is a value like any other, and its destructor can panic too, with a payload of its own. That
    // one is dropped only if it cannot go on like this.
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        if !second.is::<&'static str>() && !second.is::<String>() {
            core::mem::forget(second);
        }
    }
    status
}
