//! Each function gives back what it was given, changed in a way that tells whether it arrived.
#![forbid(unsafe_code)]

mod every;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Mutex;

use every::{Cell, Colour, Every, Kind, Lookup, Name, Options, Store};
use native_plugin::{Array, Arrow, ArrowArray, Bool, Call, Result};

struct Plugin;

impl Every for Plugin {
    type Counter = Counter;
    type Set = Set;

    fn numbers(
        _: &mut Call, a: i8, b: f32, c: u16, d: f64, e: i32, f: bool, g: u64, h: Colour,
    ) -> Result<(u64, f32)> {
        let sum = i64::from(a) + i64::from(c) + i64::from(e) + i64::from(f) + i64::from(h.0);
        Ok((g.wrapping_add_signed(sum), b + d as f32))
    }

    fn colours(_: &mut Call, colour: Colour, kind: Kind) -> Result<(Colour, bool)> {
        let other = if colour == Colour::RED { Colour::GREEN } else { Colour::RED };
        Ok((other, kind == Kind::TYPE))
    }

    fn options<'call>(call: &mut Call<'call>, options: Options<'call>) -> Result<Options<'call>> {
        let mut changed = options;
        changed.strict = Bool::from(!options.strict.get());
        changed.name.first = call.text(&options.name.first.to_uppercase())?;
        changed.cells[1].r#match[39] += 1.0;
        changed.weight *= 2.0;
        Ok(changed)
    }

    fn names<'call>(
        call: &mut Call<'call>,
        names: &'call [Name<'call>],
        r#type: &'call [u8],
    ) -> Result<(Name<'call>, Cow<'call, str>, Cow<'call, [u8]>)> {
        let last = names.last().ok_or("no names")?;
        let all: Vec<&str> = names.iter().map(|name| name.first.as_str()).collect();
        let marks: Vec<&[u8]> = names.iter().map(|name| name.mark.as_slice()).collect();
        let marks = if names.len() == 1 { r#type.into() } else { marks.concat().into() };
        Ok((Name { mark: call.bytes(b"last")?, ..*last }, all.join("/").into(), marks))
    }

    fn cells<'call>(_: &mut Call<'call>, cells: &'call mut [Cell]) -> Result<Array<'call, Cell>> {
        let before = cells.to_vec();
        cells.iter_mut().for_each(|cell| cell.counts[2] += 1);
        Ok(before.into())
    }

    fn integers<'call>(
        _: &mut Call<'call>,
        a: &'call [i8],
        b: &'call [u8],
        c: &'call mut [u16],
        d: &'call mut [i64],
    ) -> Result<Array<'call, u32>> {
        c.reverse();
        d.iter_mut().for_each(|value| *value = -*value);
        Ok(a.iter().zip(b).map(|(a, b)| a.unsigned_abs() as u32 + u32::from(*b)).collect::<Vec<_>>().into())
    }

    fn both(call: &mut Call, text: &str) -> Result<i32> {
        call.write_str(text)?;
        Ok(text.len() as i32)
    }

    fn lookup<'call>(call: &mut Call<'call>, lookup: Lookup<'call>, key: &'call str) -> Result {
        let (number, text) = lookup.find(call, key, true)?;
        let sum = lookup.sum(call, &[1.5, 2.0])?;
        let options = Options { kind: Kind::TYPE, weight: 0.5, ..Default::default() };
        let changed = lookup.options(call, options, &["a", "", "é"])?;
        let cells = [Cell { r#type: -3, ..Default::default() }, Cell::default()];
        let (counts, any, colour) = lookup.cells(call, &cells)?;
        lookup.say(call, 0.25, 255)?;
        write!(call, "|{number} {text} {sum} {} {:?} ", changed.name.first, changed.kind)?;
        write!(call, "{} {counts:?} {any} {colour:?}", changed.weight)
    }

    fn stored<'call>(call: &mut Call<'call>, key: &'call [u8]) -> Result<Cow<'call, [u8]>> {
        let store: Store = call.service().ok_or("the application has no store")?;
        Ok(store.get(call, key)?.into())
    }

    fn extra(_: &mut Call, number: i64) -> Result<i64> {
        number.checked_mul(2).ok_or_else(|| "too large".into())
    }

    fn counted(_: &mut Call, count: i64) -> Result<ArrowArray> {
        // Every third is null, unless there are few.
        Ok(match count {
            ..=2 => (0..count).map(|at| at as f64).collect::<Vec<_>>().into(),
            _ => (0..count).map(|at| (at % 3 != 0).then_some(at as f64)).collect::<Vec<_>>().into(),
        })
    }

    fn summed<'call>(_: &mut Call<'call>, numbers: Arrow<'call>) -> Result<(f64, i64)> {
        let numbers = numbers.numbers::<f64>()?;
        let nulls = numbers.iter().filter(|value| value.is_none()).count();
        Ok((numbers.iter().flatten().sum(), nulls as i64))
    }

    fn panics(_: &mut Call, text: &str) -> Result {
        panic!("on purpose: {text}");
    }

    fn larger(call: &mut Call, a: &mut Counter, b: &mut Counter) -> Result<i64> {
        let _ = call;
        Ok(a.at.max(b.at))
    }
}

struct Counter {
    at: i64,
}

impl every::Counter<Plugin> for Counter {
    fn new(_: &mut Call, start: i64) -> Result<Self> {
        match start {
            i64::MIN => Err("start: too small".into()),
            at => Ok(Counter { at }),
        }
    }

    fn add(&mut self, _: &mut Call, other: &mut Counter) -> Result {
        self.at += other.at;
        Ok(())
    }

    fn value(&mut self, _: &mut Call) -> Result<i64> {
        Ok(self.at)
    }

    fn copy(&mut self, _: &mut Call) -> Result<Counter> {
        Ok(Counter { at: self.at })
    }

    fn next<'call>(&mut self, _: &mut Call<'call>) -> Result<Option<(i64, Cow<'call, str>)>> {
        self.at -= 1;
        Ok((self.at >= 0).then(|| (self.at, format!("<{}>", self.at).into())))
    }

    fn ask<'call>(&mut self, call: &mut Call<'call>, lookup: Lookup<'call>) -> Result {
        let (number, _) = lookup.find(call, "again", false)?;
        self.at += number;
        Ok(())
    }
}

#[derive(Default)]
struct Set(Mutex<BTreeSet<String>>);

impl every::Set for Set {
    fn new(_: &mut Call) -> Result<Self> {
        Ok(Set::default())
    }

    fn put(&self, _: &mut Call, text: &str) -> Result {
        self.0.lock().unwrap().insert(text.to_owned());
        Ok(())
    }

    fn size(&self, _: &mut Call) -> Result<u64> {
        Ok(self.0.lock().unwrap().len() as u64)
    }
}

every::export_every!(Plugin; extra);
