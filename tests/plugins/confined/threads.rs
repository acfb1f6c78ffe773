//! Panics, threads, channels, maps and time in a confined plugin. run(): 0 if all is well.

use std::collections::HashMap;
use std::sync::{mpsc, Arc, Mutex};
use std::{panic, thread, time};

#[no_mangle]
pub extern "C" fn run() -> i32 {
    let caught = panic::catch_unwind(|| panic!("caught"));
    let (sender, receiver) = mpsc::channel();
    let total = Arc::new(Mutex::new(0));
    let threads: Vec<_> = (0..8)
        .map(|number| {
            let (sender, total) = (sender.clone(), Arc::clone(&total));
            let job = move || {
                let map: HashMap<i32, i32> = (0..100).map(|key| (key, number)).collect();
                thread::sleep(time::Duration::from_millis(1));
                *total.lock().unwrap() += map.len() as i32;
                sender.send(number).unwrap();
            };
            thread::Builder::new()
                .name(format!("thread {number}"))
                .spawn(job)
                .unwrap()
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    drop(sender);
    let sum: i32 = receiver.iter().sum();
    println!(
        "a line, {} processors",
        thread::available_parallelism().unwrap()
    );
    let elapsed = time::Instant::now().elapsed();
    let total = *total.lock().unwrap();
    i32::from(caught.is_ok()) + (sum - 28) + (total - 800) + i32::from(elapsed.as_secs() > 1)
}
