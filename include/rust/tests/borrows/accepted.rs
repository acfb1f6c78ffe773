// Programs that the compiler must accept, for tests/borrows.rs: the twins of refused.rs.

//# arguments:
fn f(call: &mut Call, a: &str, b: &[u8], c: Post, call_: i64) -> Result { call.write_str(a) }
export! { x_abi_1_0; fn f(a: &str, b: &[u8], c: Post<'_>, call: i64); }

//# argument_of_ones_own:
use crate::place::Place;
fn f(call: &mut Call, a: Place) -> Result { call.write_str(a.name()) }
export! { x_abi_1_0; fn f(a: Place<'_>); }

//# text_with_the_calls_lifetime:
fn f<'a>(call: &mut Call<'a>, a: &'a str, post: Post<'a>) -> Result {
    let posts: Posts = call.service().ok_or("none")?;
    let all: Vec<&'a str> = vec![a, post.title(), posts.title(call, 1)?];
    call.write_str(&all.concat())
}
export! { x_abi_1_0; fn f(a: &str, post: Post); }

//# copy_in_a_static:
static KEPT: Mutex<Vec<String>> = Mutex::new(Vec::new());
fn f(call: &mut Call, a: &str) -> Result { KEPT.lock().unwrap().push(a.to_owned()); Ok(()) }
export! { x_abi_1_0; fn f(a: &str); }

//# copy_on_a_thread:
fn f(call: &mut Call, a: &str) -> Result {
    let copy = a.to_owned();
    thread::spawn(move || copy.len());
    Ok(())
}
export! { x_abi_1_0; fn f(a: &str); }

//# text_on_a_thread_that_ends_first:
fn f(call: &mut Call, a: &str, post: Post) -> Result {
    let size = thread::scope(|scope| scope.spawn(|| a.len() + post.title().len()).join().unwrap());
    write!(call, "{size}")
}
export! { x_abi_1_0; fn f(a: &str, post: Post<'_>); }

//# closure:
export_function!(fn f(a: u64) => |call: &mut Call<'_>, a: u64| write!(call, "{a}"));

//# plugin_without_unsafe:
mod plugin {
    #![forbid(unsafe_code)]
    use super::*;
    struct Counts(Mutex<u32>);
    impl Htmlize for Counts {
        fn hooks(&self, call: &mut Call) -> Result { Ok(()) }
        fn process_role<'a>(&self, call: &mut Call<'a>, _: &str, text: &str, post: Post) -> Result {
            *self.0.lock().unwrap() += 1;
            call.write_parts([text, post.title()])
        }
    }
    static COUNTS: Counts = Counts(Mutex::new(0));
    export_htmlize!(COUNTS, roles, contents);
}

//# bindings:
mod plugin {
    #![forbid(unsafe_code)]
    use super::*;
    struct Mine;
    #[derive(Default)]
    struct Names(Vec<String>);
    impl Basket for Names {
        fn new(_: &mut Call, name: &str) -> Result<Self> { Ok(Names(vec![name.to_owned()])) }
        fn add(&mut self, _: &mut Call, name: &str) -> Result { self.0.push(name.to_owned()); Ok(()) }
    }
    impl Shop for Mine {
        type Basket = Names;
        fn join(call: &mut Call, words: &[Text]) -> Result { call.write_str(&words.join("-")) }
        fn sum(_: &mut Call, values: &[f64]) -> Result<f64> { Ok(values.iter().sum()) }
        fn gain(_: &mut Call, values: &mut [f64]) -> Result { values[0] = 1.0; Ok(()) }
        fn greet<'call>(call: &mut Call<'call>, buyer: Buyer<'call>, to: Progress<'call>) -> Result {
            let text = to.at(call, 1.0)?;
            let both: Vec<&'call str> = vec![text, buyer.name.as_str()];
            call.write_str(&both.concat())
        }
        fn ramp<'call>(call: &mut Call<'call>, count: i64) -> Result<Array<'call, f64>> {
            let mut room = call.alloc(count as usize)?;
            room[0] = 1.0;
            call.write_str("")?;
            room[1] = 2.0;
            Ok(room.into())
        }
    }
    shop::export_shop!(Mine);
}

//# tensors:
fn copy<'call>(call: &mut Call<'call>, image: Tensor<'call>, result: TensorMut<'call>) -> Result {
    let (image, mut result) = (image.of::<f64>()?, result.of::<f64>()?);
    let all: Option<&'call [f64]> = image.as_slice();
    result.set(&[0], image.at(&[0]));
    Ok(())
}
export_function!(fn f(call; image: Tensor<'_>, result: TensorMut<'_>) { copy(call, image, result) });
