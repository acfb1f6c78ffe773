//! The edge: what a panic becomes, and what it prints.

use std::panic::{catch_unwind, panic_any, resume_unwind, AssertUnwindSafe};
use std::process::Command;
use std::thread;

use native_plugin::testing::Host;
use native_plugin::Status;

/// A panic's text is kept, literal or formatted, with the place where it happened.
#[test]
fn a_panic_becomes_an_error_with_text_and_place() {
    let literal = Host::new().call(|_| panic!("burnt"));
    assert_eq!(literal.status, Status::PANIC);
    assert!(literal.error.starts_with("burnt (tests/edge.rs:"), "{}", literal.error);

    let formatted = Host::new().call(|_| panic!("pie {} – é", 3));
    assert_eq!(formatted.status, Status::PANIC);
    assert!(formatted.error.starts_with("pie 3 – é (tests/edge.rs:"), "{}", formatted.error);
}

/// Panics that Rust itself raises are kept like those of the plugin.
#[test]
fn a_failed_unwrap_is_kept_too() {
    let outcome = Host::new().call(|call| call.write_str(&"x".parse::<u8>().unwrap().to_string()));
    assert_eq!(outcome.status, Status::PANIC);
    assert!(outcome.error.contains("InvalidDigit"), "{}", outcome.error);
}

/// A payload that is no text is an error without the panic's words, and its destructor may panic.
#[test]
fn any_payload_stays_inside() {
    struct Grenade;
    impl Drop for Grenade {
        fn drop(&mut self) {
            panic!("dropped");
        }
    }
    let number = Host::new().call(|_| panic_any(7));
    assert_eq!(number.status, Status::PANIC);
    assert!(number.error.starts_with("panic without a text"), "{}", number.error);
    assert_eq!(Host::new().call(|_| panic_any(Grenade)).status, Status::PANIC);
}

/// After a panic the same host and thread go on as if nothing had been.
#[test]
fn a_panic_leaves_nothing_behind() {
    let mut host = Host::new();
    assert_eq!(host.call(|_| panic!("once")).status, Status::PANIC);
    let next = host.call(|call| call.write_str("pie"));
    assert_eq!((next.status, next.error.as_str()), (Status::OK, ""));
}

/// A panic that a plugin caught itself does not lend its place to a later one that passed no hook.
#[test]
fn the_place_is_that_of_the_same_panic() {
    let outcome = Host::new().call(|_| {
        let _ = catch_unwind(|| panic!("handled"));
        let carried = thread::spawn(|| {
            let inner = Host::new().call(|_| panic!("quiet"));
            assert_eq!(inner.status, Status::PANIC);
            String::from("carried")
        });
        resume_unwind(Box::new(carried.join().unwrap()))
    });
    assert_eq!((outcome.status, outcome.error.as_str()), (Status::PANIC, "carried"));
}

/// A plugin entered again through a service: the inner panic is the inner call's, the outer call goes on.
#[test]
fn guards_nest() {
    let mut inner = Host::new();
    let outcome = Host::new().call(|call| {
        let outcome = inner.call(|_| panic!("inner"));
        assert!(outcome.error.starts_with("inner ("));
        call.write_str("outer goes on")
    });
    assert_eq!(outcome.text(), "outer goes on");
}

/// Threads in guards at once each get their own panic's text.
#[test]
fn panics_of_several_threads_do_not_mix() {
    thread::scope(|scope| {
        for number in 0..8 {
            scope.spawn(move || {
                let mut host = Host::new();
                for round in 0..200 {
                    let outcome = host.call(|_| panic!("thread {number} round {round}."));
                    let wanted = format!("thread {number} round {round}. (");
                    assert!(outcome.error.starts_with(&wanted), "{}", outcome.error);
                }
            });
        }
    });
}

/// Standard error stays the application's: a guarded panic prints nothing, unless RUST_BACKTRACE asks; a
/// panic outside of guards, on a thread of the plugin's own, prints as usual.
#[test]
fn only_unguarded_panics_print() {
    if std::env::var_os("EDGE_CHILD").is_some() {
        let _ = thread::spawn(|| {
            let outcome = Host::new().call(|_| panic!("guarded words"));
            assert_eq!(outcome.status, Status::PANIC);
            let _ = catch_unwind(AssertUnwindSafe(|| panic!("own words")));
        })
        .join();
        return;
    }
    let said = |backtrace: &str| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "only_unguarded_panics_print", "--nocapture", "--test-threads=1"]);
        let child = command.env("EDGE_CHILD", "1").env("RUST_BACKTRACE", backtrace).output().unwrap();
        assert!(child.status.success());
        String::from_utf8_lossy(&child.stderr).into_owned()
    };
    let quiet = said("0");
    assert!(quiet.contains("own words") && !quiet.contains("guarded words"), "{quiet}");
    let loud = said("1");
    assert!(loud.contains("own words") && loud.contains("guarded words"), "{loud}");
}
