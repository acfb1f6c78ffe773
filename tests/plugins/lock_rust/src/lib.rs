//! Holds a `Mutex` while it writes, logs and asks whether to go on, as a thread-safe plugin does.

use std::sync::Mutex;

use native_plugin::{Call, Level, Result};

static COUNT: Mutex<u64> = Mutex::new(0);

fn greet(call: &mut Call<'_>, name: &str) -> Result {
    let mut count = COUNT.lock().unwrap_or_else(|error| error.into_inner());
    *count += 1;
    for _ in 0..8 {
        call.write_str(name)?;
    }
    call.log(Level::INFO, "counted");
    call.cancelled()
}

native_plugin::export! {
    greeter_abi_1_0;
    fn greet(name: &str);
}
