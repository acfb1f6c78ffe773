//! [`Call`]: one call's context. Where output goes, who to ask, where an error's text goes.

use core::ffi::{c_int, c_void};
use core::fmt;
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::ptr::NonNull;
use core::slice;
use core::str;
use std::path::Path;

use crate::abi::{loader_call, loader_host, loader_text};
use crate::error::{Error, Result, Status};
use crate::sized_field;
use crate::view::bytes_of;

/// Bytes that are worth a call of the host's own copy: `LOADER_LONG` of the header.
const LONG: usize = 1024;

/// How grave a line of the log is: `loader_level` of the header, the numbers of Python's logging.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(transparent)]
pub struct Level(
    /// The number itself.
    pub c_int,
);

impl Level {
    /// For those who look for a fault.
    pub const DEBUG: Level = Level(10);
    /// Worth knowing.
    pub const INFO: Level = Level(20);
    /// Probably not as meant.
    pub const WARNING: Level = Level(30);
    /// Something did not work.
    pub const ERROR: Level = Level(40);
}

/// One call's context, made by the host and lent to one function.
///
/// Owner: the host. Lifetime: `'a`, which ends when the exported function returns; what the host lends
/// through the call (service tables, their results) ends with it. Thread: the one that entered the function,
/// so `Call` is neither `Send` nor `Sync`. Return rule: methods that can fail return [`Result`]; hand their
/// error on with `?`.
pub struct Call<'a> {
    // A pointer, not a reference: the host writes to the struct, and to what it keeps behind it, while we
    // hold it.
    raw: NonNull<loader_call>,
    lent: PhantomData<&'a mut loader_call>,
}

impl<'a> Call<'a> {
    /// The safe form of the pointer that an exported function receives. [`guard`](crate::guard) does this.
    ///
    /// # Safety
    /// `raw` is the pointer that the host passed to the function that runs now, on this thread, and `'a` ends
    /// before that function returns. No second `Call` of it is used at the same time.
    #[inline]
    pub unsafe fn from_raw(raw: *mut loader_call) -> Self {
        debug_assert!(!raw.is_null(), "the host passes a call");
        Call { raw: NonNull::new_unchecked(raw), lent: PhantomData }
    }

    /// The pointer itself, for functions of service tables. The host's; valid during `'a`, on this thread.
    #[inline]
    pub fn as_raw(&mut self) -> *mut loader_call {
        self.raw.as_ptr()
    }

    #[inline]
    pub(crate) fn host(&self) -> *const loader_host {
        // A pointer, not a reference: an older host's table ends before the newest entries.
        // SAFETY: the header: the call is valid; `host` is set before the call and stays.
        unsafe { (*self.raw.as_ptr()).host }
    }

    /// The address of room for `size` bytes; null perhaps if `size` is 0.
    #[inline]
    fn room(&mut self, size: usize) -> Result<*mut u8> {
        let call = self.raw.as_ptr();
        // SAFETY: the header: [next, limit) is room of the host's, and ours until the next call of the host.
        // The subtraction is of addresses, as both may be null before the first growth.
        unsafe {
            if ((*call).limit as usize).wrapping_sub((*call).next as usize) < size {
                self.grow(size)?;
            }
            Ok((*call).next.cast())
        }
    }

    /// Room for `size` bytes of output, owned by the host and lost at the next use of this call. Say with
    /// [`commit`](Self::commit) how many were used. Error: [`Status::NO_MEMORY`].
    #[inline]
    pub fn reserve(&mut self, size: usize) -> Result<&mut [MaybeUninit<u8>]> {
        let room = self.room(size)?;
        if room.is_null() {
            return Ok(&mut []);
        }
        // SAFETY: room gave as many bytes, which stay ours as long as the call is borrowed.
        Ok(unsafe { slice::from_raw_parts_mut(room.cast(), size) })
    }

    /// The first `size` bytes of what [`reserve`](Self::reserve) gave are output now.
    ///
    /// # Safety
    /// `size` is at most what was asked for, nothing else was called between, and those bytes were written.
    #[inline]
    pub unsafe fn commit(&mut self, size: usize) {
        let call = self.raw.as_ptr();
        (*call).next = (*call).next.add(size);
    }

    /// Appends raw bytes to the result; they are copied. A function whose result is text (all but those that
    /// the contract marks otherwise) must write UTF-8, or the host refuses the whole result: [`write_str`]
    /// does. Error: [`Status::NO_MEMORY`].
    ///
    /// [`write_str`]: Self::write_str
    #[inline]
    pub fn write(&mut self, bytes: &[u8]) -> Result {
        if bytes.is_empty() {
            return Ok(()); // there may be no room yet, and a copy to null is undefined even of nothing
        }
        if bytes.len() >= LONG {
            return self.write_long(bytes);
        }
        self.copy(bytes)
    }

    /// The bytes are some.
    #[inline]
    fn copy(&mut self, bytes: &[u8]) -> Result {
        let room = self.room(bytes.len())?;
        // SAFETY: room gave as many bytes, and the plugin cannot hold a reference into them.
        unsafe {
            room.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
            self.commit(bytes.len());
        }
        Ok(())
    }

    /// Appends a text to the result; it is copied. Error: [`Status::NO_MEMORY`].
    #[inline]
    pub fn write_str(&mut self, text: &str) -> Result {
        self.write(text.as_bytes())
    }

    /// Appends several texts with one look at the room: the fast way for short answers made of pieces,
    /// `call.write_parts(["<tt>", text, "</tt>"])`. Error: [`Status::NO_MEMORY`], and then none is written.
    #[inline]
    pub fn write_parts<const N: usize>(&mut self, parts: [&str; N]) -> Result {
        let mut size = 0usize;
        for part in parts {
            // A sum beyond all memory is room that no host has; parts may be the same text many times.
            size = size.saturating_add(part.len());
        }
        let mut room = self.room(size)?;
        if size >= LONG {
            return parts.iter().try_for_each(|part| self.write_str(part)); // there is room: none can fail
        }
        for part in parts {
            // SAFETY: room gave as many bytes as all parts have; nothing is copied to null.
            unsafe {
                if !part.is_empty() {
                    room.copy_from_nonoverlapping(part.as_ptr(), part.len());
                }
                room = room.add(part.len());
            }
        }
        // SAFETY: just written.
        unsafe { self.commit(size) };
        Ok(())
    }

    /// What `write!(call, …)` calls: formats straight into the host's room, without a string between.
    /// Error: [`Status::NO_MEMORY`].
    #[inline]
    pub fn write_fmt(&mut self, arguments: fmt::Arguments<'_>) -> Result {
        match arguments.as_str() {
            Some(text) => self.write_str(text),
            None => fmt::Write::write_fmt(self, arguments).map_err(Error::from),
        }
    }

    /// Has the host copy, which then need not look at the bytes once more. An older host cannot.
    #[inline(never)]
    fn write_long(&mut self, bytes: &[u8]) -> Result {
        // SAFETY: the header: the table is valid for as many bytes as it says; else as in grow.
        unsafe {
            match sized_field!(self.host(), loader_host, write) {
                Some(Some(write)) => {
                    Status(write(self.raw.as_ptr(), bytes.as_ptr().cast(), bytes.len())).ok()
                }
                _ => self.copy(bytes),
            }
        }
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self, size: usize) -> Result {
        // SAFETY: the host's own function, with the call that it lent us, on the thread that it was lent to.
        let status = Status(unsafe { ((*self.host()).grow)(self.raw.as_ptr(), size) });
        if status == Status::OK {
            Ok(())
        } else {
            Err(Error::from(Status::NO_MEMORY))
        }
    }

    /// Sets the error text of this call (copied by the host; cut at 64 KiB) and gives the error to return:
    /// `return Err(call.fail(Status::INVALID, "no such role"))`. Allocates nothing on this side.
    #[cold]
    pub fn fail(&mut self, status: Status, text: &str) -> Error {
        // SAFETY: as in grow; the text is borrowed for this one call of the host.
        let said =
            unsafe { ((*self.host()).fail)(self.raw.as_ptr(), status.0, text.as_ptr().cast(), text.len()) };
        Error::from(Status(said))
    }

    /// What the exported function returns for this error; its text, if it has one, goes to the host.
    #[cold]
    #[inline(never)]
    pub(crate) fn tell(&mut self, error: Error) -> c_int {
        if !error.text().is_empty() {
            return self.fail(error.status(), error.text()).status().0;
        }
        match error.status() {
            Status::OK => Status::FAILED.0, // an error is never a success
            Status(number) => number,
        }
    }

    /// The text of the last failure on this call, of the plugin's own or of a service of the host; empty if
    /// there was none; as far as it is UTF-8. Owned by the host, and replaced by the next failure: so it borrows
    /// the call.
    pub fn error_text(&self) -> &str {
        // SAFETY: the header: a loader_text in a valid call, changed by the host's functions only, and all
        // that call them borrow `self` as mutable.
        let text = unsafe { bytes_of(&(*self.raw.as_ptr()).error) };
        // Whoever failed set it, perhaps in C and in Latin-1: so it is not taken for UTF-8 without a look.
        str::from_utf8(text)
            .unwrap_or_else(|error| str::from_utf8(&text[..error.valid_up_to()]).unwrap_or(""))
    }

    /// Sends one line to the application's log, under the plugin's name; copied.
    pub fn log(&mut self, level: Level, text: &str) {
        // SAFETY: as in fail.
        unsafe { ((*self.host()).log)(self.raw.as_ptr(), level.0, text.as_ptr().cast(), text.len()) }
    }

    /// `Ok` to go on; otherwise the error to return with ([`Status::CANCELLED`] or [`Status::DEADLINE`]), so
    /// that long work says `call.cancelled()?` every few thousand steps. Costs about as much as reading a
    /// clock.
    pub fn cancelled(&mut self) -> Result {
        // SAFETY: as in grow.
        Status(unsafe { ((*self.host()).cancelled)(self.raw.as_ptr()) }).ok()
    }

    /// The absolute path of the plugin's file as it was named to the host, links not replaced: what lies beside
    /// the plugin is found by it. Borrowed until the exported function returns. Empty if the host is older than
    /// this function. (What is mapped is a copy in memory, so `dladdr` does not tell.)
    pub fn plugin_path(&mut self) -> &'a Path {
        // SAFETY: the header: the table is valid for as many bytes as it says, and what `path` gives is lent until
        // the function returns.
        let text = unsafe {
            match sized_field!(self.host(), loader_host, path) {
                Some(path) => path(self.raw.as_ptr()),
                None => EMPTY_TEXT,
            }
        };
        if text.size == 0 {
            return Path::new("");
        }
        // SAFETY: as above; `data` is not null if there is a size.
        let bytes: &'a [u8] = unsafe { slice::from_raw_parts(text.data.cast(), text.size) };
        path_of(bytes)
    }

    /// The table of the service that the host lends under `id` (`"app.db/1"`), or `None` if it lends none.
    /// Owned by the host; valid during `'a`, on this thread. To read it needs `unsafe` and the service's own
    /// header: a type that implements [`Service`] does that once, for [`service`](Self::service).
    pub fn service_table(&mut self, id: &str) -> Option<NonNull<c_void>> {
        // SAFETY: as in fail.
        let table = unsafe { ((*self.host()).service)(self.raw.as_ptr(), id.as_ptr().cast(), id.len()) };
        NonNull::new(table.cast_mut())
    }

    /// The service of type `S`, or `None` if the host lends none: check. Owned by the host; `S` keeps `'a`.
    ///
    /// ```
    /// # use native_plugin::{htmlize::Posts, Call, Result};
    /// fn title(call: &mut Call<'_>, id: i64) -> Result {
    ///     let posts: Posts<'_> = call.service().ok_or("the application lends no posts")?;
    ///     let title = posts.title(call, id)?;
    ///     call.write_str(title)
    /// }
    /// ```
    pub fn service<S: Service<'a>>(&mut self) -> Option<S> {
        let table = self.service_table(S::ID)?;
        // SAFETY: the host lends this table under S::ID, and S says that it is the type which belongs to it.
        Some(unsafe { S::from_table(table) })
    }
}

/// Bytes of a path as the system has them.
#[cfg(unix)]
fn path_of(bytes: &[u8]) -> &Path {
    Path::new(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(bytes))
}

/// UTF-8, where paths are not bytes; what is none is no path that could be opened.
#[cfg(not(unix))]
fn path_of(bytes: &[u8]) -> &Path {
    Path::new(core::str::from_utf8(bytes).unwrap_or(""))
}

/// So that a call can be passed to whatever writes to [`fmt::Write`]. Its error says only that the host had
/// no room left.
impl fmt::Write for Call<'_> {
    #[inline]
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.write(text.as_bytes()).map_err(|_| fmt::Error)
    }
}

/// A service of the host as a type: its id and how its table is read. `'a` is the lifetime of the call it was
/// got from. [`htmlize::Posts`](crate::htmlize::Posts) is one.
///
/// # Safety
/// `from_table` reads the table as the header of the service `ID` declares it, and its functions only as far
/// as the table's own `size` says (see [`sized_field!`](crate::sized_field)).
pub unsafe trait Service<'a>: Sized {
    /// The id with its version, as in `LOADER_SERVICE`: `"app.db/1"`.
    const ID: &'static str;

    /// The typed form of the table.
    ///
    /// # Safety
    /// `table` is what the host lends under [`Self::ID`](Service::ID) to a call that lives for `'a`.
    unsafe fn from_table(table: NonNull<c_void>) -> Self;
}

/// An empty result for the functions of service tables to fill: `let mut title = EMPTY_TEXT;`. A plain value.
pub const EMPTY_TEXT: loader_text = loader_text { data: core::ptr::null(), size: 0 };
