// What each program of tests/borrows.rs begins with.
#![allow(dead_code, unused)]

use native_plugin::htmlize::{Htmlize, Post, Posts};
use native_plugin::{export, export_function, export_htmlize, testing::Host, Argument, Call, Result, Service};
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
