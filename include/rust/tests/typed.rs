//! Structs, arrays, tensors, results, tables and instances: through exported functions, as a host calls them.

use std::borrow::Cow;
use std::ffi::{c_int, c_void};
use std::mem::MaybeUninit;
use std::ptr::{addr_of, addr_of_mut, null_mut};

use native_plugin::abi::{
    self, loader_array, loader_arrow, loader_call, loader_tensor, loader_text, ArrowSchema,
};
use native_plugin::testing::{lent_text, Host, Outcome};
use native_plugin::{export_free, export_function, Status, EMPTY_TEXT};
use native_plugin::{Array, Arrow, ArrowArray, Instance, New, Out, Tensor, TensorMut, Text};

native_plugin::structs! { plain struct Total { sum: f64 = 0, nulls: i64 = 8 } = 16; }
native_plugin::enums! { Mode: i32 { FAST = 0, BEST = 7 } }
native_plugin::structs! {
    plain struct Point { x: f64 = 0, y: f64 = 8 } = 16;
    sized struct Options<'call> { name: Text<'call> = 8, mode: Mode = 24, weight: f64 = 32 } = 40;
}
native_plugin::table! {
    interface Asks {
        fn ask @ 8 (name: &str, mode: Mode) -> (i64, &'call str) = (count, text);
            [in name, out count: i64, in mode, out text: &str];
        fn newer @ 16 () -> () = (); [];
    }
}

export_function!(fn joined(call; words: &[Text<'_>], result: Out<'_, Cow<'_, str>>) {
    result.set(call, words.join("-").into())
});
export_function!(fn added(call; to: &mut [f64], values: &[f64]) {
    let _ = call;
    to.iter_mut().zip(values).for_each(|(to, value)| *to += value);
    Ok(())
});
export_function!(fn described(call; options: Options<'_>, changed: Out<'_, Options<'_>>) {
    write!(call, "{} {:?} {}", options.name, options.mode, options.weight)?;
    changed.set(call, Options { weight: 2.0, mode: Mode(9), ..options })
});
export_function!(fn counted(call; size: u64, values: Out<'_, Array<'_, u16>>) {
    let room = call.alloc_with(size as usize, |index| index as u16)?;
    values.set(call, room.into())
});
export_function!(fn turned(call; image: Tensor<'_>, result: TensorMut<'_>) {
    let (image, mut result) = (image.of::<f64>()?, result.of::<f64>()?);
    result.set(&[0, 1], image.at(&[1, 0]));
    write!(call, "{:?} {:?}", image.as_slice(), result.as_mut_slice())
});
export_function!(fn asked(call; asks: Asks<'_>) {
    let (count, text) = asks.ask(call, "é", Mode::BEST)?;
    write!(call, "{count} {text}")?;
    asks.newer(call)
});
export_function!(fn arrow_made(call; count: u32, result: Out<'_, ArrowArray>) {
    let values: Vec<_> = (0..count).map(|at| (at % 3 != 0).then_some(i64::from(at))).collect();
    result.set(call, values.into())
});
export_function!(fn arrow_summed(call; array: Arrow<'_>, total: Out<'_, Total>) {
    let numbers = array.numbers::<i64>()?;
    let nulls = numbers.iter().filter(Option::is_none).count() as i64;
    total.set(call, Total { sum: numbers.iter().flatten().sum::<i64>() as f64, nulls })
});
export_function!(fn arrow_added(_call; to: &mut [i64], from: Arrow<'_>) {
    for (to, from) in to.iter_mut().zip(from.numbers::<i64>()?.values()) {
        *to += from;
    }
    Ok(())
});
export_function!(fn counter_new(call; start: i64, counter: Out<'_, New<Counter>>) {
    counter.set(call, Counter(start))
});
export_function!(fn counter_add(call; a: Instance<'_, Counter>, b: Instance<'_, Counter>) {
    let (mut a, b) = (a.lock()?, b.lock()?);
    a.0 += b.0;
    write!(call, "{}", a.0)
});
export_free!(counter_free, Counter);

struct Counter(i64);

impl Drop for Counter {
    fn drop(&mut self) {
        assert!(self.0 != 13, "an unlucky number, on purpose");
    }
}

type Words = loader_array<loader_text>;

extern "C" {
    fn joined(call: *mut loader_call, words: *const Words, result: *mut loader_text) -> c_int;
    fn added(call: *mut loader_call, to: *mut loader_array<f64>, values: *const loader_array<f64>) -> c_int;
    fn described(call: *mut loader_call, options: *const c_void, changed: *mut c_void) -> c_int;
    fn counted(call: *mut loader_call, size: u64, values: *mut loader_array<u16>) -> c_int;
    fn turned(call: *mut loader_call, image: *const loader_tensor, result: *mut loader_tensor) -> c_int;
    fn asked(call: *mut loader_call, asks: *const c_void) -> c_int;
    fn arrow_made(call: *mut loader_call, count: u32, result: *mut loader_arrow) -> c_int;
    fn arrow_summed(call: *mut loader_call, array: *const loader_arrow, total: *mut Total) -> c_int;
    fn arrow_added(call: *mut loader_call, to: *mut loader_array<i64>, from: *const loader_arrow) -> c_int;
    fn counter_new(call: *mut loader_call, start: i64, counter: *mut *mut c_void) -> c_int;
    fn counter_add(call: *mut loader_call, a: *const c_void, b: *const c_void) -> c_int;
    fn counter_free(counter: *mut c_void);
}

fn array_of<T>(values: &mut [T]) -> loader_array<T> {
    loader_array { data: values.as_mut_ptr(), size: values.len() }
}

/// A list of texts is a slice that joins; a text comes out in memory of the host's.
#[test]
fn texts_go_in_and_out() {
    let mut words = [lent_text("a"), EMPTY_TEXT, lent_text("é")];
    for (size, wanted) in [(3, "a--é"), (1, "a"), (0, "")] {
        let (mut host, mut text) = (Host::new(), EMPTY_TEXT);
        let words = array_of(&mut words[..size]);
        // SAFETY: called as declared; the host lives.
        let outcome = host.enter(|call| unsafe { joined(call, &words, &mut text) });
        assert_eq!(outcome.status, Status::OK);
        // SAFETY: memory of the host's.
        assert_eq!(
            unsafe { std::slice::from_raw_parts(text.data.cast::<u8>(), text.size) },
            wanted.as_bytes()
        );
    }
}

/// Arrays in place; the same memory for two, one of them changed, is refused and nothing is touched.
#[test]
fn arrays_that_overlap_are_refused() {
    let mut values = [1.0, 2.0, 3.0, 4.0];
    let whole = array_of(&mut values);
    let part = |at: usize, size| loader_array { data: whole.data.wrapping_add(at), size };
    // SAFETY: called as declared, with memory that lives.
    let add = |mut to, from| Host::new().enter(|call| unsafe { added(call, &mut to, &from) });
    for (to, from) in [(part(0, 4), part(0, 4)), (part(0, 3), part(2, 2)), (part(1, 1), part(0, 4))] {
        let Outcome { status, error, .. } = add(to, from);
        assert_eq!(status, Status::INVALID);
        assert!(error.starts_with("to and values lie in the same memory"), "{error}");
    }
    for (to, from) in [(part(0, 2), part(2, 2)), (part(2, 2), part(0, 2)), (part(0, 4), part(1, 0))] {
        assert_eq!(add(to, from).status, Status::OK);
    }
    assert_eq!(values, [4.0, 6.0, 7.0, 10.0]);
}

/// Of a struct with its size only so much is read and written as both sides know; the rest reads as 0.
#[test]
fn structs_of_an_older_host_end_earlier() {
    let text = lent_text("pie");
    for (size, wanted) in
        [(40usize, "pie BEST 1.5"), (48, "pie BEST 1.5"), (32, "pie BEST 0"), (24, "pie FAST 0")]
    {
        let options: [usize; 6] = [size, text.data as usize, text.size, 7, 1.5f64.to_bits() as usize, 0xAB];
        let mut changed: [usize; 6] = [size, 0, 0, 0xCD, 0xCD, 0xCD];
        // SAFETY: as declared; six words are more than any size here says.
        let outcome = Host::new()
            .enter(|call| unsafe { described(call, addr_of!(options).cast(), addr_of_mut!(changed).cast()) });
        assert_eq!(outcome.text(), wanted);
        assert_eq!(changed[..3], [size, text.data as usize, text.size]);
        assert_eq!(changed[3] as u32, if size > 24 { 9 } else { 0xCD });
        assert_eq!(changed[4], if size > 32 { 2.0f64.to_bits() as usize } else { 0xCD });
        assert_eq!(changed[5], 0xCD);
    }
}

/// Room of the host's is the result itself; more than memory has is an error.
#[test]
fn arrays_come_out_without_a_copy() {
    let (mut host, mut values) = (Host::new(), MaybeUninit::<loader_array<u16>>::uninit());
    // SAFETY: called as declared.
    let mut count = |size| host.enter(|call| unsafe { counted(call, size, values.as_mut_ptr()) }).status;
    for size in [u64::MAX, u64::MAX / 2, 1 << 62] {
        assert_eq!(count(size), Status::NO_MEMORY);
    }
    assert_eq!(count(3), Status::OK);
    // SAFETY: set by the function that succeeded; the host lives.
    let values = unsafe { values.assume_init() };
    // SAFETY: as above.
    assert_eq!(unsafe { std::slice::from_raw_parts(values.data, values.size) }, [0, 1, 2]);
}

fn tensor(data: *mut f64, shape: &[i64; 2], strides: &[i64; 2]) -> loader_tensor {
    loader_tensor {
        data: data.cast(),
        device_type: 1,
        device_id: 0,
        ndim: 2,
        code: 2,
        bits: 64,
        lanes: 1,
        shape: shape.as_ptr(),
        strides: strides.as_ptr(),
        byte_offset: 0,
    }
}

/// Elements are found by strides, also negative ones; other types, other indices and shared memory are errors.
#[test]
fn tensors_have_strides() {
    let (mut from, mut to) = ([1.0, 2.0, 3.0, 4.0], [0.0; 4]);
    let (shape, plain, turned_) = ([2, 2], [2, 1], [1, 2]);
    // SAFETY: called as declared, with memory that lives.
    let turn = |image: loader_tensor, mut result: loader_tensor| {
        Host::new().enter(|call| unsafe { turned(call, &image, &mut result) })
    };
    let to = to.as_mut_ptr();
    let image = tensor(from.as_mut_ptr(), &shape, &plain);
    let outcome = turn(image, tensor(to, &shape, &plain));
    assert_eq!(outcome.text(), "Some([1.0, 2.0, 3.0, 4.0]) Some([0.0, 3.0, 0.0, 0.0])");
    assert_eq!(turn(image, tensor(to, &shape, &turned_)).text(), "Some([1.0, 2.0, 3.0, 4.0]) None");
    let back = tensor(from.as_mut_ptr().wrapping_add(3), &shape, &[-2, -1]);
    assert_eq!(turn(back, tensor(to, &shape, &plain)).text(), "None Some([0.0, 2.0, 3.0, 0.0])");
    let refused = |outcome: Outcome, status, text: &str| {
        assert_eq!(outcome.status, status);
        assert!(outcome.error.contains(text), "{}", outcome.error);
    };
    refused(turn(back, image), Status::INVALID, "image and result lie in the same memory");
    refused(
        turn(loader_tensor { bits: 32, ..image }, tensor(to, &shape, &plain)),
        Status::INVALID,
        "float32",
    );
    refused(turn(tensor(to, &[1, 2], &plain), image), Status::PANIC, "index 1 of 1");
}

#[repr(C)]
struct Table {
    size: usize,
    ask: Option<
        unsafe extern "C" fn(
            *mut loader_call,
            *const Table,
            *const loader_text,
            *mut i64,
            i32,
            *mut loader_text,
        ) -> c_int,
    >,
    newer: Option<unsafe extern "C" fn(*mut loader_call, *const Table) -> c_int>,
}

unsafe extern "C" fn ask(
    _: *mut loader_call,
    _: *const Table,
    name: *const loader_text,
    count: *mut i64,
    mode: i32,
    text: *mut loader_text,
) -> c_int {
    (*count, *text) = ((*name).size as i64 + i64::from(mode), lent_text("known"));
    0
}

unsafe extern "C" fn newer(_: *mut loader_call, _: *const Table) -> c_int {
    5
}

/// A function of a table is called with all that it takes; one that an older host lacks is an error, not a crash.
#[test]
fn tables_are_read_under_their_size() {
    // SAFETY: called as declared, with a table that lives.
    let enter = |table: Table| Host::new().enter(|call| unsafe { asked(call, addr_of!(table).cast()) });
    let failed = enter(Table { size: 24, ask: Some(ask), newer: Some(newer) });
    assert_eq!((failed.status, failed.output.as_slice()), (Status::DEADLINE, "9 known".as_bytes()));
    for table in [
        Table { size: 16, ask: Some(ask), newer: Some(newer) },
        Table { size: 8, ask: Some(ask), newer: None },
        Table { size: 24, ask: None, newer: None },
    ] {
        let failed = enter(table);
        assert!(failed.error.contains("older than the plugin"), "{}", failed.error);
    }
}

/// An instance is entered by one function at a time, and once by each; a panic of its destructor goes no further.
#[test]
fn instances_are_locked() {
    let make = |start| {
        let mut made = null_mut();
        // SAFETY: called as declared.
        let outcome = Host::new().enter(|call| unsafe { counter_new(call, start, &mut made) });
        assert_eq!(outcome.status, Status::OK);
        made
    };
    let (a, b) = (make(3), make(10));
    // SAFETY: called as declared, with instances that live.
    let add = |a, b| Host::new().enter(|call| unsafe { counter_add(call, a, b) });
    let twice = add(a, a);
    assert_eq!(twice.status, Status::INVALID);
    assert!(twice.error.contains("this instance is in use"), "{}", twice.error);
    assert_eq!(add(a, b).text(), "13");
    // SAFETY: once each.
    unsafe {
        counter_free(a);
        counter_free(b);
    }
}

/// An Arrow array that is given is the host's, which releases it; one that is lent is read from its offset on, and what is
/// of another type is refused.
#[test]
fn arrow_arrays_go_in_and_out() {
    // SAFETY: all 0, as a host's are.
    let (mut schema, mut array): (ArrowSchema, abi::ArrowArray) = unsafe { std::mem::zeroed() };
    let mut given = loader_arrow { schema: &mut schema, array: &mut array };
    // SAFETY: called as declared.
    let outcome = Host::new().enter(|call| unsafe { arrow_made(call, 20, &mut given) });
    assert_eq!(outcome.status, Status::OK);
    assert_eq!((array.length, array.null_count, array.n_buffers, schema.flags), (20, 7, 2, 2));
    let sum = |given: &loader_arrow| {
        let mut total = Total::default();
        // SAFETY: called as declared, with an array that lives.
        let outcome = Host::new().enter(|call| unsafe { arrow_summed(call, given, &mut total) });
        (outcome.status, outcome.error, total)
    };
    let wanted = |sum, nulls| (Status::OK, String::new(), Total { sum, nulls });
    assert_eq!(sum(&given), wanted(127.0, 7));
    (array.offset, array.length) = (9, 4); // 9 and 12 are null
    let mut given = loader_arrow { schema: &mut schema, array: &mut array };
    assert_eq!(sum(&given), wanted(21.0, 2));
    array.length = 0;
    given = loader_arrow { schema: &mut schema, array: &mut array };
    assert_eq!(sum(&given), wanted(0.0, 0));
    let format = schema.format;
    schema.format = c"g".as_ptr();
    given = loader_arrow { schema: &mut schema, array: &mut array };
    let (status, error, _) = sum(&given);
    assert_eq!(status, Status::INVALID);
    assert_eq!(error, "this Arrow array has the format \"g\"; wanted are numbers of i64");
    schema.format = format;
    // SAFETY: once each.
    unsafe {
        array.release.unwrap()(&mut array);
        schema.release.unwrap()(&mut schema);
    }
    assert!(array.release.is_none() && schema.release.is_none());
    drop(ArrowArray::from(vec![1.5f32])); // one that is not given is released here
}

/// An Arrow array is read where it lies: its numbers and the bits of its nulls are no array that is changed in place.
#[test]
fn an_arrow_array_that_is_changed_in_place_is_refused() {
    let (mut bits, mut values, mut others) = ([-1i64], [1i64, 2, 3, 4], [10i64, 20]);
    let lent = array_of(&mut values);
    let mut buffers = [bits.as_mut_ptr().cast_const().cast(), lent.data.cast_const().cast::<c_void>()];
    // SAFETY: all 0 is a schema and an array; nobody releases these two.
    let (mut schema, mut array): (ArrowSchema, abi::ArrowArray) = unsafe { std::mem::zeroed() };
    schema.format = c"l".as_ptr();
    (array.offset, array.length, array.n_buffers, array.buffers) = (1, 2, 2, buffers.as_mut_ptr());
    let from = loader_arrow { schema: &mut schema, array: &mut array };
    // SAFETY: called as declared, with memory that lives.
    let add = |mut to| Host::new().enter(|call| unsafe { arrow_added(call, &mut to, &from) });
    let part = |at: usize, size| loader_array { data: lent.data.wrapping_add(at), size };
    for to in [part(0, 4), part(2, 1), part(2, 2), array_of(&mut bits)] {
        let Outcome { status, error, .. } = add(to);
        assert_eq!(status, Status::INVALID);
        assert!(error.starts_with("to and from lie in the same memory"), "{error}");
    }
    for to in [array_of(&mut others), part(3, 1), part(0, 0)] {
        assert_eq!(add(to).status, Status::OK);
    }
    assert_eq!((values, others), ([1, 2, 3, 6], [12, 23]));
}

/// What stands for values of a dictionary, and numbers that are not where numbers can be, are refused.
#[test]
fn an_arrow_array_that_cannot_be_read_is_refused() {
    let mut values = [1i64, 2, 3];
    let mut buffers = [std::ptr::null(), values.as_mut_ptr().cast_const().cast::<c_void>()];
    let place = buffers[1];
    // SAFETY: all 0 is a schema and an array; nobody releases them.
    let (mut schema, mut array, mut dictionary): (ArrowSchema, abi::ArrowArray, ArrowSchema) =
        unsafe { std::mem::zeroed() };
    schema.format = c"l".as_ptr();
    (array.length, array.n_buffers, array.buffers) = (2, 2, buffers.as_mut_ptr());
    let sum = |schema: &mut ArrowSchema, array: &mut abi::ArrowArray| {
        let (given, mut total) = (loader_arrow { schema, array }, Total::default());
        // SAFETY: called as declared, with an array that lives.
        let outcome = Host::new().enter(|call| unsafe { arrow_summed(call, &given, &mut total) });
        (outcome.status, outcome.error)
    };
    assert_eq!(sum(&mut schema, &mut array), (Status::OK, String::new()));
    schema.dictionary = &mut dictionary;
    let (status, error) = sum(&mut schema, &mut array);
    assert_eq!(status, Status::INVALID);
    assert_eq!(error, "this Arrow array has the format \"l\" of a dictionary; wanted are numbers of i64");
    schema.dictionary = null_mut();
    for wrong in [std::ptr::null(), place.wrapping_byte_add(1)] {
        buffers[1] = wrong;
        let (status, error) = sum(&mut schema, &mut array);
        assert_eq!(status, Status::INVALID);
        assert_eq!(error, "the numbers of this Arrow array are not there, or not aligned");
    }
    array.length = 0; // then there are no numbers that could lie anywhere
    assert_eq!(sum(&mut schema, &mut array), (Status::OK, String::new()));
}
