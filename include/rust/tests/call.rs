//! `Call` against a host of real `extern "C"` functions.

use core::ffi::{c_int, c_void};

use native_plugin::abi::{loader_call, loader_host, loader_text};
use native_plugin::testing::Host;
use native_plugin::{guard, Call, Error, Level, Status};

/// What is written arrives whole and in order, however often the host has to grow and move its room.
#[test]
fn written_bytes_survive_growth() {
    let mut wanted = Vec::new();
    let outcome = Host::new().call(|call| {
        for size in [0, 1, 2, 3, 1000, 0, 70_000, 5] {
            let piece = vec![b'a' + (size % 7) as u8; size];
            wanted.extend_from_slice(&piece);
            call.write(&piece)?;
        }
        Ok(())
    });
    assert_eq!(outcome.status, Status::OK);
    assert_eq!(outcome.output, wanted);
}

unsafe extern "C" fn refuse(_: *mut loader_call, _: *const c_void, _: usize) -> c_int {
    Status::NO_MEMORY.0
}

/// From 1 KiB on the host copies itself, if it has a function for it: not if that is null, nor if its table is older.
#[test]
fn long_writes_are_the_hosts() {
    let size = core::mem::size_of::<loader_host>();
    let older = core::mem::offset_of!(loader_host, write);
    let refusing: Option<unsafe extern "C" fn(*mut loader_call, *const c_void, usize) -> c_int> =
        Some(refuse);
    let (short, long) = ("é".repeat(511), "é".repeat(512));
    for (size, write, status) in
        [(size, refusing, Status::NO_MEMORY), (size, None, Status::OK), (older, refusing, Status::OK)]
    {
        let outcome = Host::new().enter(|raw| {
            // SAFETY: the host's own call, on this thread; the table is the host's, which nobody else uses now.
            unsafe {
                let table = (*raw).host.cast_mut();
                (*table).size = size;
                (*table).write = write;
                guard(raw, |call| {
                    call.write_str(&short)?;
                    call.write_parts([&short, ""])?;
                    let written = call.write_str(&long).and_then(|()| call.write_parts(["", &long]));
                    assert_eq!(written.map_or_else(|error| error.status(), |()| Status::OK), status);
                    Ok(())
                })
            }
        });
        let times = if status == Status::OK { 2 } else { 0 };
        assert_eq!(outcome.text(), short.repeat(2) + &long.repeat(times));
    }
}

/// A function that writes nothing gives nothing, also where the host has given no room yet.
#[test]
fn nothing_written_is_an_empty_result() {
    assert_eq!(Host::new().call(|_| Ok(())).text(), "");
    assert_eq!(Host::new().call(|call| call.write(b"")).text(), "");
    assert_eq!(Host::new().call(|call| call.reserve(0).map(|room| assert!(room.is_empty()))).text(), "");
}

/// write! works without an import, and so does passing the call to what writes to fmt::Write.
#[test]
fn formatting_goes_straight_to_the_output() {
    fn pie(out: &mut dyn std::fmt::Write) -> std::fmt::Result {
        out.write_str("pie ")?;
        out.write_char('π')
    }
    let outcome = Host::new().call(|call| {
        write!(call, "{}-{:>4}-", 1, "é")?;
        write!(call, "plain ")?;
        Ok(pie(call)?)
    });
    assert_eq!(outcome.text(), "1-   é-plain pie π");
}

/// Parts arrive in order as one text, empty ones among them, and are all or nothing.
#[test]
fn parts_are_written_as_one() {
    let mut host = Host::new();
    assert_eq!(host.call(|call| call.write_parts([])).text(), "");
    assert_eq!(host.call(|call| call.write_parts(["", ""])).text(), "");
    let parts = |call: &mut Call<'_>| {
        call.write_parts(["<tt>", "", "pie", "</tt>"])?;
        call.write_parts([&"é".repeat(3000), "!"])
    };
    assert_eq!(host.call(parts).text(), format!("<tt>pie</tt>{}!", "é".repeat(3000)));
    host.max_output(10);
    let outcome = host.call(|call| call.write_parts(["<tt>", "pie", "</tt>"]));
    assert_eq!((outcome.status, outcome.output), (Status::NO_MEMORY, Vec::new()));
}

/// Only what is committed of a reservation becomes output.
#[test]
fn a_reservation_counts_as_far_as_it_is_committed() {
    let outcome = Host::new().call(|call| {
        let room = call.reserve(10)?;
        assert_eq!(room.len(), 10);
        room[0].write(b'o');
        room[1].write(b'k');
        // SAFETY: two bytes were written to the room just given.
        unsafe { call.commit(2) };
        Ok(())
    });
    assert_eq!(outcome.text(), "ok");
}

/// Where the host has no more room, every way to write says NO_MEMORY.
#[test]
fn a_full_host_is_no_memory() {
    let mut host = Host::new();
    host.max_output(4);
    assert_eq!(host.call(|call| call.write_str("pies")).text(), "pies");
    assert_eq!(host.call(|call| call.write_str("apple")).status, Status::NO_MEMORY);
    assert_eq!(host.call(|call| write!(call, "{}", 12345)).status, Status::NO_MEMORY);
    assert_eq!(host.call(|call| call.reserve(usize::MAX).map(drop)).status, Status::NO_MEMORY);
}

/// fail sets the text at once and gives the error to return; the last one counts.
#[test]
fn fail_keeps_status_and_text() {
    let outcome = Host::new().call(|call| {
        let _ = call.fail(Status::FAILED, "first");
        assert_eq!(call.error_text(), "first");
        Err(call.fail(Status::INVALID, "no post 42 – é"))
    });
    assert_eq!((outcome.status, outcome.error.as_str()), (Status::INVALID, "no post 42 – é"));
}

/// An error text that somebody set in another encoding is read as far as it is UTF-8.
#[test]
fn an_error_text_that_is_not_utf8_is_cut() {
    for (bytes, text) in [(&b"caf\xe9 closed"[..], "caf"), (b"\xff", ""), (b"caf\xc3\xa9", "café")] {
        let outcome = Host::new().enter(|call| {
            // SAFETY: the host's own call, and bytes that outlive it.
            unsafe {
                (*call).error = loader_text { data: bytes.as_ptr().cast(), size: bytes.len() };
                guard(call, |call| {
                    let read = call.error_text().to_owned();
                    call.write_str(&read)
                })
            }
        });
        assert_eq!(outcome.text(), text);
    }
}

/// Errors made of texts, statuses and other errors reach the host with status and text.
#[test]
fn errors_of_all_kinds_become_status_and_text() {
    let told = |error: Error| {
        let outcome = Host::new().call(|_| Err(error));
        (outcome.status.0, outcome.error)
    };
    assert_eq!(told("no".into()), (1, "no".to_owned()));
    assert_eq!(told(format!("no {}", 1).into()), (1, "no 1".to_owned()));
    assert_eq!(told(Error::new(Status::INVALID, "bad")), (3, "bad".to_owned()));
    assert_eq!(
        told(Error::display("x".parse::<u8>().unwrap_err())),
        (1, "invalid digit found in string".into())
    );
    assert_eq!(told(Status::DEADLINE.into()), (5, String::new()));
    assert_eq!(told(Error::new(Status(99), "odd")), (99, "odd".to_owned()));
    let boxed: Box<dyn std::error::Error + Send + Sync> = "boxed".into();
    assert_eq!(told(boxed.into()), (1, "boxed".to_owned()));
}

/// An error whose status claims success is a failure all the same.
#[test]
fn an_error_is_never_ok() {
    assert_eq!(Host::new().call(|_| Err(Status::OK.into())).status, Status::FAILED);
    assert_eq!(Host::new().call(|_| Err(Error::new(Status::OK, "text"))).status, Status::FAILED);
}

/// Log lines reach the host with their level, in order, empty ones too.
#[test]
fn log_lines_arrive() {
    let outcome = Host::new().call(|call| {
        call.log(Level::WARNING, "crust");
        call.log(Level(35), "");
        Ok(())
    });
    assert_eq!(outcome.log, [(Level::WARNING, "crust".to_owned()), (Level(35), String::new())]);
}

/// cancelled is Ok until the host asks to stop, and then carries the status to return.
#[test]
fn cancellation_is_an_error_to_hand_on() {
    let mut host = Host::new();
    assert_eq!(host.call(|call| call.cancelled()).status, Status::OK);
    host.stop(Status::DEADLINE);
    let outcome = host.call(|call| {
        call.cancelled()?;
        call.write_str("not reached")
    });
    assert_eq!((outcome.status, outcome.output), (Status::DEADLINE, Vec::new()));
}

/// A service that the host does not lend is None; one that it lends is its table's address.
#[test]
fn services_are_found_by_their_whole_id() {
    let table = 7u64;
    let mut host = Host::new();
    // SAFETY: the table outlives the host's use of it, and is never read as anything else.
    unsafe { host.lend("app.db/1", raw_const(&table).cast()) };
    host.call(|call| {
        assert!(call.service_table("app.db/2").is_none());
        assert!(call.service_table("app.db").is_none());
        assert!(call.service_table("").is_none());
        let found = call.service_table("app.db/1").expect("lent above");
        assert_eq!(found.as_ptr().cast_const(), raw_const(&table).cast());
        Ok(())
    })
    .text();
}

/// The plugin's path is the host's; a host whose table ends before the entry gives none.
#[test]
fn the_path_of_an_older_host_is_empty() {
    let mut host = Host::new();
    host.plugin_path("/plugins/é.so");
    host.enter(|raw| {
        // SAFETY: the host's own call, on this thread; the table is the host's, which nobody else uses now.
        unsafe {
            let mut call = native_plugin::Call::from_raw(raw);
            assert_eq!(call.plugin_path(), std::path::Path::new("/plugins/é.so"));
            let table = (*raw).host.cast_mut();
            (*table).size = core::mem::offset_of!(native_plugin::abi::loader_host, path);
            assert_eq!(call.plugin_path(), std::path::Path::new(""));
            (*table).size = core::mem::size_of::<native_plugin::abi::loader_host>();
        }
        0
    });
}

fn raw_const<T>(value: &T) -> *const T {
    value
}
