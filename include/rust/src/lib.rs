//! The Rust kit for native plugins: what `loader/plugin.h` is to C.
//!
//! A plugin is a `cdylib` that exports the functions of a contract by their plain names, and two marker
//! symbols that say which contract it was built against. Contracts are C headers; this crate brings the
//! generic part and the contract [`htmlize`].
//!
//! | for | see |
//! |---|---|
//! | a plugin of the contract htmlize | [`htmlize::Htmlize`], [`export_htmlize!`] |
//! | a plugin of another contract | `loader bindings HEADER --lang rust`, which writes a trait to implement |
//! | arrays, texts in structs, tensors, results | [`Array`], [`Room`], [`Text`], [`Tensor`] |
//! | what that is made of | [`export_function!`], [`structs!`], [`enums!`], [`table!`], [`Argument`], [`Answer`] |
//! | a contract's functions by hand | [`export!`] |
//! | output, errors, the log, services | [`Call`], [`Error`], [`Service`] |
//! | unit tests of a plugin | [`testing::Host`] |
//! | the ABI, field by field | [`abi`] |
//!
//! ```
//! use native_plugin::{htmlize::{Htmlize, Post}, Call, Result};
//!
//! struct Tt;
//!
//! impl Htmlize for Tt {
//!     fn hooks(&self, call: &mut Call) -> Result {
//!         call.write_str("role:tt\n")
//!     }
//!     fn process_role(&self, call: &mut Call, _role: &str, text: &str, _post: Post) -> Result {
//!         call.write_parts(["<tt>", text, "</tt>"])
//!     }
//! }
//!
//! native_plugin::export_htmlize!(Tt, roles);
//! ```
//!
//! with this in `Cargo.toml`:
//!
//! ```toml
//! [lib]
//! crate-type = ["cdylib"]
//!
//! [profile.release]
//! panic = "unwind"
//! lto = true
//! codegen-units = 1
//! ```
//!
//! # Rules
//!
//! They are the header's, and hold for every function unless its own text says otherwise.
//!
//! - **Owner.** Whoever allocates frees. All that a function receives, and all that it reaches through it,
//!   is the host's. What it writes is copied.
//! - **Lifetime.** It is borrowed until the exported function returns. The lifetimes of this crate say so.
//! - **Thread.** A [`Call`] stays on the thread that the function was entered on. The host may enter a plugin
//!   from several threads at once, each with a call of its own.
//! - **Return.** `Ok(())` is success; an [`Error`] becomes a status and a text. A panic is caught at the edge
//!   and becomes [`Status::PANIC`] with its text and place; see [`guard`].
//! - **Text** is UTF-8. The host promises it of what it lends, so it is not checked again here (debug builds
//!   check), and `&str` promises it of what the plugin writes.

#![deny(missing_docs)]
#![warn(clippy::undocumented_unsafe_blocks)]

pub mod abi;
mod answer;
mod argument;
mod arrow;
mod call;
mod catch;
mod error;
mod export;
pub mod htmlize;
mod instance;
mod invoke;
mod item;
mod structs;
mod table;
mod tensor;
pub mod testing;
mod view;

pub use answer::{Answer, Array, Out, Room};
#[doc(hidden)]
pub use argument::check_apart;
pub use argument::Argument;
pub use arrow::{Arrow, ArrowArray, Numbers};
pub use call::{Call, Level, Service, EMPTY_TEXT};
pub use catch::guard;
pub use error::{Error, Result, Status};
#[doc(hidden)]
pub use export::is_fingerprint;
#[doc(hidden)]
pub use instance::free_instance;
pub use instance::{Instance, Lock, New, Shared};
#[doc(hidden)]
pub use invoke::{invoke, Parameters};
pub use item::{zeroed, Bool, Bytes, Item, Text};
pub use structs::WithSize;
#[doc(hidden)]
pub use structs::{read_sized, write_sized, SIZE};
pub use table::{Held, Passed, Taken};
#[doc(hidden)]
pub use table::{HeldTexts, HeldValue, Slot};
pub use tensor::{Element, Tensor, TensorMut, View, ViewMut};
