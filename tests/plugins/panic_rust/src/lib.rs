//! Panics if it is told to, and greets otherwise.

use native_plugin::{Call, Error, Result};

fn greet(call: &mut Call<'_>, name: &str) -> Result {
    call.write_str("half of a greeting")?;
    match name {
        "index" => {
            let none: [u8; 0] = [];
            assert!(none[name.len()] == 0);
            Ok(())
        }
        "panic" => panic!("lost my head over {name}"),
        "error" => Err(Error::from("an ordinary error")),
        _ => write!(call, " for {name}"),
    }
}

native_plugin::export! {
    greeter_abi_1_0;
    fn greet(name: &str);
}
