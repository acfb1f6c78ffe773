// What each program of tests/borrows.rs begins with.
#![allow(dead_code, unused)]

use native_plugin::htmlize::{Htmlize, Post, Posts};
use native_plugin::{export, export_function, export_htmlize, testing::Host, Argument, Call, Result, Service};
use native_plugin::{Array, Room, Tensor, TensorMut, Text};
use std::{cell::RefCell, collections::HashMap, sync::Mutex, thread};

fn main() {}

/// An argument that the kit does not know, as a plugin's author writes it.
mod place {
    use native_plugin::{abi::loader_text, sized_field, Argument, Call};
    use std::marker::PhantomData;

    #[repr(C)]
    pub struct place {
        size: usize,
        name: loader_text,
    }

    #[derive(Clone, Copy)]
    pub struct Place<'a> {
        raw: *const place,
        lent: PhantomData<&'a place>,
    }

    impl<'a> Place<'a> {
        pub fn name(self) -> &'a str {
            let text = unsafe { sized_field!(self.raw, place, name) }.expect("an old place");
            let bytes: &'a [u8] = unsafe { std::slice::from_raw_parts(text.data.cast(), text.size) };
            std::str::from_utf8(bytes).expect("not UTF-8")
        }
    }

    unsafe impl Argument for Place<'_> {
        type Raw = *const place;
        type Lent<'call> = Place<'call>;
        unsafe fn from_raw<'call>(raw: *const place, _: &Call<'call>) -> Place<'call> {
            Place { raw, lent: PhantomData }
        }
    }
}

/// What `loader bindings` writes for a contract, in short: its types, its trait, and how a function is handed on.
/// Here the functions have bodies, so that a program writes only the one that counts.
mod shop {
    use native_plugin as kit;
    kit::structs! {
        plain struct Buyer<'call> { name: kit::Text<'call> = 0, age: i32 = 16 } = 24;
    }
    kit::table! {
        interface Progress { fn at @ 8 (done: f64) -> &'call str = text; [in done, out text: &str]; }
    }
    pub trait Basket: Send + Sized + 'static {
        fn new<'call>(call: &mut kit::Call<'call>, name: &'call str) -> kit::Result<Self> { Err("".into()) }
        fn add<'call>(&mut self, call: &mut kit::Call<'call>, name: &'call str) -> kit::Result { Err("".into()) }
    }
    pub trait Shop: Sized + 'static {
        type Basket: Basket;
        fn join<'call>(call: &mut kit::Call<'call>, words: &'call [kit::Text<'call>]) -> kit::Result {
            Err("".into())
        }
        fn sum<'call>(call: &mut kit::Call<'call>, values: &'call [f64]) -> kit::Result<f64> { Err("".into()) }
        fn gain<'call>(call: &mut kit::Call<'call>, values: &'call mut [f64]) -> kit::Result { Err("".into()) }
        fn greet<'call>(call: &mut kit::Call<'call>, buyer: Buyer<'call>, to: Progress<'call>) -> kit::Result {
            Err("".into())
        }
        fn ramp<'call>(call: &mut kit::Call<'call>, count: i64) -> kit::Result<kit::Array<'call, f64>> {
            Err("".into())
        }
    }
    macro_rules! export_shop {
        ($plugin:ty) => {
            const _: () = {
                use $crate::shop as contract;
                use native_plugin as kit;
                kit::export_function!(fn join(call; words: &[kit::Text<'_>]) {
                    <$plugin as contract::Shop>::join(call, words)
                });
                kit::export_function!(fn ramp(call; count: i64, values: kit::Out<'_, kit::Array<'_, f64>>) {
                    let given = <$plugin as contract::Shop>::ramp(call, count)?;
                    values.set(call, given)
                });
                kit::export_function!(fn add(call; basket: kit::Instance<'_, <$plugin as contract::Shop>::Basket>, name: &str) {
                    let mut basket = basket.lock()?;
                    <<$plugin as contract::Shop>::Basket as contract::Basket>::add(&mut basket, call, name)
                });
                kit::export_free!(free, <$plugin as contract::Shop>::Basket);
            };
        };
    }
    pub(crate) use export_shop;
}
use shop::{Basket, Buyer, Progress, Shop};

struct Mine;
struct Sack;
impl Basket for Sack {}
