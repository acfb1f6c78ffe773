//! Measured plugin for polyplug: the role tt. What stands around it is generated, into $BENCH_GENERATED.

use std::cell::RefCell;

use polyplug_abi::{AbiErrorCode, POLYPLUG_ABI_VERSION, StringView};
use polyplug_guest::{GuestError, HostContext, to_str};

mod generated {
    include!(concat!(env!("BENCH_GENERATED"), "/modules.rs"));
}
use generated::contracts::BenchRoleGuestContract;

thread_local! {
    /// The answer, borrowed by the host until this thread's next call: the generated host frees nothing.
    static ANSWER: RefCell<String> = const { RefCell::new(String::new()) };
}

struct Bench;

impl BenchRoleGuestContract for Bench {
    fn process_role(
        &self,
        role: StringView,
        text: StringView,
        id: i64,
        _author: StringView,
    ) -> Result<StringView, GuestError> {
        // SAFETY: the host keeps both alive during the call.
        let (role, text) = unsafe { (to_str(&role)?, to_str(&text)?) };
        if role != "tt" {
            let message = format!("no post {id}").into();
            return Err(GuestError {
                code: AbiErrorCode::Generic,
                message,
            });
        }
        ANSWER.with_borrow_mut(|answer| {
            answer.clear();
            answer.push_str("<tt>");
            answer.push_str(text);
            answer.push_str("</tt>");
            let (ptr, len) = (answer.as_ptr(), answer.len());
            Ok(StringView { ptr, len })
        })
    }
}

/// Called by the generated code for each instance.
#[unsafe(no_mangle)]
pub fn polyplug_create_bench(_host: HostContext) -> Box<dyn BenchRoleGuestContract> {
    Box::new(Bench)
}

/// Called by the loader.
#[unsafe(no_mangle)]
pub extern "C" fn polyplug_abi_version() -> u32 {
    POLYPLUG_ABI_VERSION
}
