//! codec_rust: the codec in Rust, from codec.rs, which `loader bindings` wrote. What each function does is in
//! ../README.md.
#![forbid(unsafe_code)]

mod codec;

use std::collections::VecDeque;

use codec::{Codec, Encoder, Mode, Point, Progress, Stats};
use native_plugin::{Array, Call, Error, Result, Status, Tensor, TensorMut, Text};

/// Says why an argument's value is not acceptable.
fn invalid(text: impl Into<Box<str>>) -> Error {
    Error::new(Status::INVALID, text)
}

struct Plugin;

impl Codec for Plugin {
    type Encoder = Delta;

    fn scale(_: &mut Call, value: f64, factor: f32) -> Result<f64> {
        Ok(value * f64::from(factor))
    }

    fn dot(_: &mut Call, a: &[f64], b: &[f64]) -> Result<f64> {
        if a.len() != b.len() {
            return Err(invalid(format!("dot: {} numbers and {}", a.len(), b.len())));
        }
        Ok(a.iter().zip(b).map(|(x, y)| x * y).sum())
    }

    fn gain(_: &mut Call, samples: &mut [f32], factor: f32) -> Result {
        samples.iter_mut().for_each(|sample| *sample *= factor);
        Ok(())
    }

    fn describe(_: &mut Call, values: &[f64]) -> Result<Stats> {
        if values.is_empty() {
            return Err(invalid("describe: no values"));
        }
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
        let mut peak = Point { x: 0.0, y: f64::NAN };
        for (index, value) in values.iter().enumerate() {
            if *value > peak.y || (peak.y.is_nan() && !value.is_nan()) {
                peak = Point { x: index as f64, y: *value };
            }
        }
        Ok(Stats { mean, deviation: (squares / count).sqrt() as f32, count: values.len() as i64, peak })
    }

    fn divide(_: &mut Call, a: i64, b: i64) -> Result<(i64, i64)> {
        if b == 0 {
            return Err(invalid("divide: by zero"));
        }
        let quotient = a.checked_div(b).ok_or_else(|| invalid("divide: overflow"))?;
        Ok((quotient, a % b))
    }

    fn join(call: &mut Call, words: &[Text], separator: &str) -> Result {
        for (index, word) in words.iter().enumerate() {
            if index > 0 {
                call.write_str(separator)?;
            }
            call.write_str(word)?;
        }
        Ok(())
    }

    fn ramp<'call>(call: &mut Call<'call>, count: i64) -> Result<Array<'call, f64>> {
        let count = usize::try_from(count).map_err(|_| invalid("ramp: a negative count"))?;
        Ok(call.alloc_with(count, |index| index as i64 as f64)?.into())
    }

    fn centre(_: &mut Call, points: &[Point]) -> Result<Point> {
        if points.is_empty() {
            return Err(invalid("centre: no points"));
        }
        let count = points.len() as f64;
        let sum = |of: fn(&Point) -> f64| points.iter().map(of).sum::<f64>();
        Ok(Point { x: sum(|point| point.x) / count, y: sum(|point| point.y) / count })
    }

    fn blur(_: &mut Call, image: Tensor, result: TensorMut) -> Result {
        let wanted = |_| invalid("blur: a tensor of two dimensions of double is wanted");
        let (image, mut result) = (image.of::<f64>().map_err(wanted)?, result.of::<f64>().map_err(wanted)?);
        let (&[rows, columns], &[_, _]) = (image.shape(), result.shape()) else {
            return Err(wanted(Status::INVALID.into()));
        };
        if image.shape() != result.shape() {
            return Err(invalid("blur: the shapes differ"));
        }
        let (rows, columns) = (rows as usize, columns as usize);
        for row in 0..rows {
            for column in 0..columns {
                let (mut sum, mut count) = (0.0, 0.0);
                for y in row.saturating_sub(1)..rows.min(row + 2) {
                    for x in column.saturating_sub(1)..columns.min(column + 2) {
                        sum += image.at(&[y, x]);
                        count += 1.0;
                    }
                }
                result.set(&[row, column], sum / count);
            }
        }
        Ok(())
    }

    fn train<'call>(call: &mut Call<'call>, values: &[f64], progress: Progress<'call>) -> Result {
        for index in 0..values.len() {
            progress.at(call, (index + 1) as f64 / values.len() as f64)?;
        }
        Ok(())
    }
}

const MAX_WAITING: usize = 65536;

struct Delta {
    mode: Mode,
    /// The byte before the next one.
    last: u8,
    waiting: VecDeque<u8>,
}

impl Encoder for Delta {
    fn new(_: &mut Call, mode: Mode) -> Result<Self> {
        Ok(Delta { mode, last: 0, waiting: VecDeque::new() })
    }

    fn feed(&mut self, call: &mut Call, chunk: &[u8]) -> Result {
        if chunk.len() > MAX_WAITING - self.waiting.len() {
            return Err(invalid("feed: too much is waiting"));
        }
        let mut last = self.last;
        let code = |&byte: &u8| {
            let before = if self.mode == Mode::BEST { last } else { 0 };
            last = byte;
            byte.wrapping_sub(before)
        };
        let codes: Vec<u8> = chunk.iter().map(code).collect();
        call.write(&codes)?; // first: what fails leaves the encoder as it was
        self.waiting.extend(codes);
        self.last = last;
        Ok(())
    }

    fn next(&mut self, _: &mut Call) -> Result<Option<i64>> {
        Ok(self.waiting.pop_front().map(i64::from))
    }
}

codec::export_codec!(Plugin);
