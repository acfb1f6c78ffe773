// Programs that the compiler must refuse, for tests/borrows.rs. Above each stands its name, and a part of the error
// that it must be refused with; where there are several, one of them. An `impl` of shop's traits has the one function
// that counts: the others are there already.

//# static_text: borrowed data escapes outside of|lifetime may not live long enough
fn f(call: &mut Call, a: &'static str) -> Result { Ok(()) }
export! { x_abi_1_0; fn f(a: &'static str); }

//# static_text_in_the_line_only: borrowed data escapes outside of|lifetime may not live long enough
fn f(call: &mut Call, a: &str) -> Result { Ok(()) }
export! { x_abi_1_0; fn f(a: &'static str); }

//# static_text_in_the_function_only: borrowed data escapes outside of|lifetime may not live long enough
fn f(call: &mut Call, a: &'static str) -> Result { Ok(()) }
export! { x_abi_1_0; fn f(a: &str); }

//# static_text_by_another_name: borrowed data escapes outside of|lifetime may not live long enough
type Words = &'static str;
fn f(call: &mut Call, a: Words) -> Result { Ok(()) }
export! { x_abi_1_0; fn f(a: Words); }

//# static_text_by_a_bound: borrowed data escapes outside of|lifetime may not live long enough
fn f<T: AsRef<str> + 'static>(call: &mut Call, a: T) -> Result { Ok(()) }
export! { x_abi_1_0; fn f(a: &str); }

//# static_bytes: borrowed data escapes outside of|lifetime may not live long enough
fn f(call: &mut Call, a: &'static [u8]) -> Result { Ok(()) }
export! { x_abi_1_0; fn f(a: &'static [u8]); }

//# static_post: borrowed data escapes outside of|lifetime may not live long enough
fn f(call: &mut Call, a: Post<'static>) -> Result { Ok(()) }
export! { x_abi_1_0; fn f(a: Post<'static>); }

//# static_call: borrowed data escapes outside of|lifetime may not live long enough
fn f(call: &mut Call<'static>) -> Result { Ok(()) }
export! { x_abi_1_0; fn f(); }

//# static_closure_argument: borrowed data escapes outside of|lifetime may not live long enough
export_function!(fn f(a: &str) => |call: &mut Call<'_>, a: &'static str| -> Result { Ok(()) });

//# text_in_a_static: borrowed data escapes outside of|lifetime may not live long enough
static KEPT: Mutex<Vec<&str>> = Mutex::new(Vec::new());
fn f(call: &mut Call, a: &str) -> Result { KEPT.lock().unwrap().push(a); Ok(()) }
export! { x_abi_1_0; fn f(a: &str); }

//# text_in_a_thread_local: borrowed data escapes outside of|lifetime may not live long enough
thread_local! { static KEPT: RefCell<HashMap<&'static str, i32>> = RefCell::default(); }
fn f(call: &mut Call, a: &str) -> Result { KEPT.with_borrow_mut(|kept| kept.insert(a, 1)); Ok(()) }
export! { x_abi_1_0; fn f(a: &str); }

//# text_in_the_plugin: borrowed data escapes outside of|lifetime may not live long enough
struct Keeps(Mutex<Vec<&'static str>>);
impl Htmlize for Keeps {
    fn hooks(&self, call: &mut Call) -> Result { Ok(()) }
    fn process_role(&self, call: &mut Call, _: &str, text: &str, _: Post) -> Result {
        self.0.lock().unwrap().push(text);
        Ok(())
    }
}
static KEEPS: Keeps = Keeps(Mutex::new(Vec::new()));
export_htmlize!(KEEPS, roles);

//# static_text_of_a_trait: method not compatible with trait
struct Keeps;
impl Htmlize for Keeps {
    fn hooks(&self, call: &mut Call) -> Result { Ok(()) }
    fn process_role(&self, call: &mut Call, _: &str, text: &'static str, _: Post) -> Result { Ok(()) }
}

//# text_on_a_thread: borrowed data escapes outside of|lifetime may not live long enough
fn f(call: &mut Call, a: &str) -> Result { thread::spawn(move || a.len()); Ok(()) }
export! { x_abi_1_0; fn f(a: &str); }

//# text_as_a_payload: borrowed data escapes outside of|lifetime may not live long enough
fn f(call: &mut Call, a: &str) -> Result { std::panic::panic_any(a) }
export! { x_abi_1_0; fn f(a: &str); }

//# text_of_a_post: borrowed data escapes outside of|lifetime may not live long enough
static KEPT: Mutex<&str> = Mutex::new("");
fn f(call: &mut Call, a: Post) -> Result { *KEPT.lock().unwrap() = a.title(); Ok(()) }
export! { x_abi_1_0; fn f(a: Post); }

//# text_of_a_service: borrowed data escapes outside of|lifetime may not live long enough
static KEPT: Mutex<&str> = Mutex::new("");
fn f(call: &mut Call) -> Result {
    let posts: Posts = call.service().ok_or("none")?;
    *KEPT.lock().unwrap() = posts.title(call, 1)?;
    Ok(())
}
export! { x_abi_1_0; fn f(); }

//# a_service: borrowed data escapes outside of|lifetime may not live long enough
thread_local! { static KEPT: RefCell<Option<Posts<'static>>> = RefCell::default(); }
fn f(call: &mut Call) -> Result { KEPT.set(call.service()); Ok(()) }
export! { x_abi_1_0; fn f(); }

//# a_service_of_another_call: borrowed data escapes outside of|lifetime may not live long enough
fn f(call: &mut Call) -> Result {
    let posts: Posts = call.service().ok_or("none")?;
    Host::new().call(|inner| posts.title(inner, 1).map(drop));
    Ok(())
}

//# two_calls_swapped: borrowed data escapes outside of|lifetime may not live long enough
fn f(call: &mut Call) -> Result {
    Host::new().call(|inner| { std::mem::swap(call, inner); Ok(()) });
    Ok(())
}

//# a_service_on_a_thread: cannot be shared between threads safely
fn f(call: &mut Call) -> Result {
    let posts: Posts = call.service().ok_or("none")?;
    thread::scope(|scope| { scope.spawn(|| { let _ = &posts; }); });
    Ok(())
}

//# the_call: borrowed data escapes outside of|lifetime may not live long enough
thread_local! { static KEPT: RefCell<Vec<&'static mut Call<'static>>> = RefCell::default(); }
fn f(call: &mut Call) -> Result { KEPT.with_borrow_mut(|kept| kept.push(call)); Ok(()) }

//# the_call_on_a_thread: cannot be sent between threads safely
fn f(call: &mut Call) -> Result {
    thread::scope(|scope| { scope.spawn(move || { call.write_str("b") }); });
    Ok(())
}

//# the_call_shared_with_a_thread: cannot be shared between threads safely
fn f(call: &mut Call) -> Result {
    let shared = &*call;
    thread::scope(|scope| { scope.spawn(move || shared.error_text().len()); });
    Ok(())
}

//# room_after_a_write: cannot borrow `*call` as mutable more than once
fn f(call: &mut Call) -> Result {
    let room = call.reserve(8)?;
    call.write_str("moves it")?;
    room[0].write(1);
    Ok(())
}

//# room_uninitialised: operator has incompatible types
fn f(call: &mut Call) -> Result { let room: &mut [u8] = call.reserve(8)?; Ok(()) }

//# room_not_written: is unsafe and requires unsafe
fn f(call: &mut Call) -> Result { call.commit(8); Ok(()) }

//# error_text_after_another: cannot borrow `*call` as mutable because
fn f(call: &mut Call) -> Result {
    let text = call.error_text();
    call.log(native_plugin::Level::INFO, "frees it, perhaps");
    Err(text.into())
}

//# an_unsafe_function: is unsafe and requires unsafe
unsafe fn f(call: &mut Call) -> Result { Ok(()) }
export! { x_abi_1_0; fn f(); }

//# an_unsafe_closure: is unsafe and requires unsafe
export_function!(fn f(a: u64) => |call: &mut Call<'_>, a: u64| call.write(&[*(a as *const u8)]));

//# an_unsafe_plugin: is unsafe and requires unsafe
struct Tt;
impl Htmlize for Tt { fn hooks(&self, call: &mut Call) -> Result { Ok(()) } }
static mut TT: Tt = Tt;
export_htmlize!(TT, roles);

//# a_plugin_that_is_not_sync: cannot be shared between threads safely
struct Counts(std::cell::Cell<u32>);
impl Htmlize for Counts { fn hooks(&self, call: &mut Call) -> Result { Ok(()) } }

//# an_argument_of_ones_own_kept: borrowed data escapes outside of|lifetime may not live long enough
use crate::place::Place;
static KEPT: Mutex<&str> = Mutex::new("");
fn f(call: &mut Call, a: Place) -> Result { *KEPT.lock().unwrap() = a.name(); Ok(()) }
export! { x_abi_1_0; fn f(a: Place<'_>); }

//# a_static_argument_of_ones_own: borrowed data escapes outside of|lifetime may not live long enough
use crate::place::Place;
fn f(call: &mut Call, a: Place<'static>) -> Result { Ok(()) }
export! { x_abi_1_0; fn f(a: Place<'static>); }

//# a_safe_argument: requires an `unsafe impl` declaration
struct Any;
impl Argument for Any {
    type Raw = u64;
    type Lent<'call> = Any;
    unsafe fn from_raw<'call>(raw: u64, _: &Call<'call>) -> Any { Any }
}

//# a_safe_service: requires an `unsafe impl` declaration
struct Any;
impl<'a> native_plugin::Service<'a> for Any {
    const ID: &'static str = "any/1";
    unsafe fn from_table(table: std::ptr::NonNull<std::ffi::c_void>) -> Any { Any }
}

//# text_by_a_trait_of_ones_own: borrowed data escapes outside of|lifetime may not live long enough
static KEPT: Mutex<Vec<&str>> = Mutex::new(Vec::new());
trait Keep { fn keep(self); }
impl Keep for &'static str { fn keep(self) { KEPT.lock().unwrap().push(self) } }
fn f(call: &mut Call, a: &str) -> Result { a.keep(); Ok(()) }
export! { x_abi_1_0; fn f(a: &str); }

//# text_in_a_plugin_with_a_lifetime: borrowed data escapes outside of|lifetime may not live long enough
struct Keeps<'a>(Mutex<Vec<&'a str>>);
impl<'a> Htmlize for Keeps<'a> {
    fn hooks(&self, call: &mut Call) -> Result { Ok(()) }
    fn process_contents(&self, call: &mut Call, contents: &str, _: Post) -> Result {
        self.0.lock().unwrap().push(contents);
        Ok(())
    }
}
static KEEPS: Keeps = Keeps(Mutex::new(Vec::new()));
export_htmlize!(KEEPS, contents);

//# a_post_in_the_plugin: borrowed data escapes outside of|lifetime may not live long enough
struct Keeps(Mutex<Option<Post<'static>>>);
impl Htmlize for Keeps {
    fn hooks(&self, call: &mut Call) -> Result { Ok(()) }
    fn process_contents(&self, call: &mut Call, _: &str, post: Post) -> Result {
        *self.0.lock().unwrap() = Some(post);
        Ok(())
    }
}

//# room_in_a_static: borrowed data escapes outside of|lifetime may not live long enough
static KEPT: Mutex<Option<&mut [std::mem::MaybeUninit<u8>]>> = Mutex::new(None);
fn f(call: &mut Call) -> Result { *KEPT.lock().unwrap() = Some(call.reserve(8)?); Ok(()) }

//# the_exported_function_called: is unsafe and requires unsafe
export_function!(fn f() => |call: &mut Call<'_>| { f(std::ptr::null_mut()); Ok(()) });

//# a_call_made_up: is unsafe and requires unsafe
fn f() -> Call<'static> { Call::from_raw(std::ptr::null_mut()) }

//# a_call_copied: borrow of moved value|cannot move out of
fn f(call: &mut Call) -> Result { let copy = *call; Ok(()) }

//# a_test_host_on_a_thread: cannot be sent between threads safely
fn f() { let mut host = Host::new(); thread::spawn(move || host.call(|_| Ok(()))); }

//# a_post_of_a_test_kept: borrowed data escapes outside of|lifetime may not live long enough
fn f() {
    let mut kept = None;
    native_plugin::testing::TestPost::default().lend(|post| kept = Some(post));
}

//# a_field_without_unsafe: is unsafe and requires unsafe
fn f(post: *const native_plugin::htmlize::htmlize_post) -> Option<i64> {
    native_plugin::sized_field!(post, native_plugin::htmlize::htmlize_post, id)
}

//# a_text_of_a_list_kept: borrowed data escapes outside of|lifetime may not live long enough
static KEPT: Mutex<&str> = Mutex::new("");
impl Shop for Mine {
    type Basket = Sack;
    fn join(call: &mut Call, words: &[Text]) -> Result { *KEPT.lock().unwrap() = words[0].as_str(); Ok(()) }
}

//# a_static_list: method not compatible with trait
impl Shop for Mine {
    type Basket = Sack;
    fn join(call: &mut Call, words: &'static [Text<'static>]) -> Result { Ok(()) }
}

//# an_array_kept: borrowed data escapes outside of|lifetime may not live long enough
static KEPT: Mutex<&[f64]> = Mutex::new(&[]);
impl Shop for Mine {
    type Basket = Sack;
    fn sum(_: &mut Call, values: &[f64]) -> Result<f64> { *KEPT.lock().unwrap() = values; Ok(0.0) }
}

//# an_array_changed_that_is_lent_to_read: cannot assign to `values[_]`
impl Shop for Mine {
    type Basket = Sack;
    fn sum(_: &mut Call, values: &[f64]) -> Result<f64> { values[0] = 1.0; Ok(0.0) }
}

//# an_array_in_place_kept: borrowed data escapes outside of|lifetime may not live long enough
static KEPT: Mutex<&mut [f64]> = Mutex::new(&mut []);
impl Shop for Mine {
    type Basket = Sack;
    fn gain(_: &mut Call, values: &mut [f64]) -> Result { *KEPT.lock().unwrap() = values; Ok(()) }
}

//# a_text_of_a_struct_kept: borrowed data escapes outside of|lifetime may not live long enough
static KEPT: Mutex<&str> = Mutex::new("");
impl Shop for Mine {
    type Basket = Sack;
    fn greet<'call>(call: &mut Call<'call>, buyer: Buyer<'call>, to: Progress<'call>) -> Result {
        *KEPT.lock().unwrap() = buyer.name.as_str();
        Ok(())
    }
}

//# a_text_of_an_interface_kept: borrowed data escapes outside of|lifetime may not live long enough
static KEPT: Mutex<&str> = Mutex::new("");
impl Shop for Mine {
    type Basket = Sack;
    fn greet<'call>(call: &mut Call<'call>, buyer: Buyer<'call>, to: Progress<'call>) -> Result {
        *KEPT.lock().unwrap() = to.at(call, 1.0)?;
        Ok(())
    }
}

//# an_interface_kept: borrowed data escapes outside of|lifetime may not live long enough
thread_local! { static KEPT: RefCell<Option<Progress<'static>>> = RefCell::default(); }
impl Shop for Mine {
    type Basket = Sack;
    fn greet<'call>(call: &mut Call<'call>, buyer: Buyer<'call>, to: Progress<'call>) -> Result {
        KEPT.set(Some(to));
        Ok(())
    }
}

//# an_interface_of_another_call: borrowed data escapes outside of|lifetime may not live long enough
impl Shop for Mine {
    type Basket = Sack;
    fn greet<'call>(call: &mut Call<'call>, buyer: Buyer<'call>, to: Progress<'call>) -> Result {
        Host::new().call(|inner| to.at(inner, 1.0).map(drop));
        Ok(())
    }
}

//# an_interface_on_a_thread: cannot be shared between threads safely
impl Shop for Mine {
    type Basket = Sack;
    fn greet<'call>(call: &mut Call<'call>, buyer: Buyer<'call>, to: Progress<'call>) -> Result {
        thread::scope(|scope| { scope.spawn(|| { let _ = &to; }); });
        Ok(())
    }
}

//# room_kept: borrowed data escapes outside of|lifetime may not live long enough
thread_local! { static KEPT: RefCell<Option<Room<'static, f64>>> = RefCell::default(); }
impl Shop for Mine {
    type Basket = Sack;
    fn ramp<'call>(call: &mut Call<'call>, count: i64) -> Result<Array<'call, f64>> {
        KEPT.set(Some(call.alloc(1)?));
        Ok(vec![].into())
    }
}

//# a_result_of_its_own_memory: cannot return value referencing local variable
impl Shop for Mine {
    type Basket = Sack;
    fn ramp<'call>(call: &mut Call<'call>, count: i64) -> Result<Array<'call, f64>> {
        let own = vec![1.0];
        Ok(own.as_slice().into())
    }
}

//# a_text_in_an_instance: borrowed data escapes outside of|lifetime may not live long enough
struct Names(Vec<&'static str>);
impl Basket for Names {
    fn new(_: &mut Call, name: &str) -> Result<Self> { Ok(Names(vec![name])) }
}

//# a_text_in_an_instance_later: borrowed data escapes outside of|lifetime may not live long enough
struct Names(Vec<&'static str>);
impl Basket for Names {
    fn add(&mut self, _: &mut Call, name: &str) -> Result { self.0.push(name); Ok(()) }
}

//# an_instance_for_one_thread: cannot be sent between threads safely
struct Names(std::rc::Rc<str>);
impl Basket for Names {
    fn new(_: &mut Call, name: &str) -> Result<Self> { Ok(Names(name.into())) }
}

//# a_tensor_kept: borrowed data escapes outside of|lifetime may not live long enough
thread_local! { static KEPT: RefCell<Option<Tensor<'static>>> = RefCell::default(); }
fn f<'call>(call: &mut Call<'call>, image: Tensor<'call>) -> Result { KEPT.set(Some(image)); Ok(()) }

//# elements_kept: borrowed data escapes outside of|lifetime may not live long enough
static KEPT: Mutex<&[f64]> = Mutex::new(&[]);
fn f<'call>(call: &mut Call<'call>, image: Tensor<'call>) -> Result {
    *KEPT.lock().unwrap() = image.of::<f64>()?.as_slice().unwrap();
    Ok(())
}

//# elements_that_change_twice: cannot borrow `view` as mutable more than once
fn f<'call>(call: &mut Call<'call>, image: TensorMut<'call>) -> Result {
    let mut view = image.of::<f64>()?;
    let (a, b) = (view.as_mut_slice(), view.as_mut_slice());
    a.unwrap()[0] = b.unwrap()[0];
    Ok(())
}

//# a_reference_in_a_struct: the trait bound `&'call str: native_plugin::Item` is not satisfied|is not satisfied
native_plugin::structs! { plain struct Wrong<'call> { name: &'call str = 0 } = 16; }

//# an_arrow_array_kept: borrowed data escapes outside of|lifetime may not live long enough
static KEPT: Mutex<&[f64]> = Mutex::new(&[]);
fn f<'call>(call: &mut Call<'call>, array: native_plugin::Arrow<'call>) -> Result {
    *KEPT.lock().unwrap() = array.numbers::<f64>()?.values();
    Ok(())
}
