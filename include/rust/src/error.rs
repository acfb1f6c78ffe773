//! What a function answers when it did not work: a status, and a text that says why.

use core::ffi::c_int;
use core::fmt;

/// `Ok` is success: what was written is the result. `Err` becomes the status and the error text of the call.
pub type Result<T = ()> = core::result::Result<T, Error>;

/// What a contract function returns, as a number: `loader_status` of the header. A plain value, `Send` and
/// `Copy`. Numbers beyond the named ones are errors without a meaning of their own.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct Status(
    /// The number itself.
    pub c_int,
);

impl Status {
    /// It worked.
    pub const OK: Status = Status(0);
    /// It did not; the error text says why.
    pub const FAILED: Status = Status(1);
    /// An allocation failed, or the host's limit of output was reached.
    pub const NO_MEMORY: Status = Status(2);
    /// An argument's value is not acceptable.
    pub const INVALID: Status = Status(3);
    /// Stopped because the host asked.
    pub const CANCELLED: Status = Status(4);
    /// Stopped because time was up.
    pub const DEADLINE: Status = Status(5);
    /// A panic was caught at the plugin's edge. For [`guard`](crate::guard), not for plugins.
    pub const PANIC: Status = Status(6);
    /// An exception was caught at the plugin's edge: what the C++ kit answers, never this one.
    pub const EXCEPTION: Status = Status(7);
    /// There is nothing more: of the function `next` of a class, which gives `None` for it.
    pub const DONE: Status = Status(8);

    /// `Ok(())` for [`Status::OK`], an [`Error`] without a text for all others.
    #[inline]
    pub fn ok(self) -> Result {
        if self == Status::OK {
            Ok(())
        } else {
            Err(Error::from(self))
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match *self {
            Status::OK => "ok",
            Status::FAILED => "failed",
            Status::NO_MEMORY => "out of memory or room for output",
            Status::INVALID => "invalid argument",
            Status::CANCELLED => "cancelled",
            Status::DEADLINE => "deadline passed",
            Status::PANIC => "panicked",
            Status::EXCEPTION => "threw an exception",
            Status::DONE => "done",
            Status(number) => return write!(out, "status {number}"),
        })
    }
}

impl fmt::Debug for Status {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Status({}: {self})", self.0)
    }
}

/// Why a function did not work. Owned by the plugin; its text is copied by the host when the exported
/// function returns. `Send` and `Sync`: it may come from a thread of the plugin's own.
///
/// Made of a text (`Err("no such post".into())`, status [`Status::FAILED`]), of a status with
/// [`Error::new`], or by [`Call::fail`](crate::Call::fail), which allocates nothing.
#[derive(Debug)]
pub struct Error {
    status: Status,
    /// Empty: the error text of the call stays as it is, so that what a service of the host said is kept.
    text: Box<str>,
}

impl Error {
    /// An error with a status and a text. [`Status::OK`] is no error; the host will see [`Status::FAILED`].
    #[cold]
    pub fn new(status: Status, text: impl Into<Box<str>>) -> Self {
        Error { status, text: text.into() }
    }

    /// Any error as text, for `map_err(Error::display)`; its status is [`Status::FAILED`].
    #[cold]
    pub fn display(error: impl fmt::Display) -> Self {
        Error::new(Status::FAILED, error.to_string())
    }

    /// The status that the exported function will return.
    pub fn status(&self) -> Status {
        self.status
    }

    /// The text, borrowed from this value. Empty if the text is in the call already or there is none.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.text.is_empty() {
            self.status.fmt(out)
        } else {
            out.write_str(&self.text)
        }
    }
}

impl std::error::Error for Error {}

/// Without a text of its own.
impl From<Status> for Error {
    #[inline]
    fn from(status: Status) -> Self {
        Error { status, text: Box::default() }
    }
}

impl From<String> for Error {
    fn from(text: String) -> Self {
        Error::new(Status::FAILED, text)
    }
}

impl From<&str> for Error {
    fn from(text: &str) -> Self {
        Error::new(Status::FAILED, text)
    }
}

/// Formatting into a [`Call`](crate::Call) fails only where the host has no room to give.
impl From<fmt::Error> for Error {
    fn from(_: fmt::Error) -> Self {
        Error::from(Status::NO_MEMORY)
    }
}

impl From<Box<dyn std::error::Error>> for Error {
    fn from(error: Box<dyn std::error::Error>) -> Self {
        Error::display(error)
    }
}

impl From<Box<dyn std::error::Error + Send + Sync>> for Error {
    fn from(error: Box<dyn std::error::Error + Send + Sync>) -> Self {
        Error::display(error)
    }
}
