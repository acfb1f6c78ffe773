//! HTML, written straight to the call: escaped text, elements, and the pieces of links.

use native_plugin::{Call, Result};

/// `text` with `& < > "` escaped, fit for contents and for attributes in double quotes.
pub fn escaped(call: &mut Call<'_>, text: &str) -> Result {
    let mut rest = text.as_bytes();
    while let Some(at) = first_special(rest) {
        let entity: &[u8] = match rest[at] {
            b'&' => b"&amp;",
            b'<' => b"&lt;",
            b'>' => b"&gt;",
            _ => b"&quot;",
        };
        call.write(&rest[..at])?;
        call.write(entity)?;
        rest = &rest[at + 1..];
    }
    call.write(rest)
}

fn first_special(text: &[u8]) -> Option<usize> {
    let is_special = |byte: &u8| matches!(byte, b'&' | b'<' | b'>' | b'"');
    // Most text has none. Without an early end inside a chunk, the compiler looks at its 16 bytes at once.
    let chunks = text.chunks_exact(16);
    let clean = chunks.take_while(|chunk| !chunk.iter().fold(false, |found, byte| found | is_special(byte)));
    let start = 16 * clean.count();
    text[start..].iter().position(is_special).map(|at| start + at)
}

/// `before`, the escaped text, `after`.
pub fn wrapped(call: &mut Call<'_>, before: &str, text: &str, after: &str) -> Result {
    call.write_str(before)?;
    escaped(call, text)?;
    call.write_str(after)
}

/// `<tag class="class">`, for tags and classes that need no escaping: role names do not.
pub fn open(call: &mut Call<'_>, tag: &str, class: &str) -> Result {
    call.write_parts(["<", tag, " class=\"", class, "\">"])
}

/// `</tag>`.
pub fn close(call: &mut Call<'_>, tag: &str) -> Result {
    call.write_parts(["</", tag, ">"])
}

/// An element with a class around escaped text.
pub fn element(call: &mut Call<'_>, tag: &str, class: &str, text: &str) -> Result {
    open(call, tag, class)?;
    escaped(call, text)?;
    close(call, tag)
}

/// `name` as the id of an element, as Sphinx makes them: letters, digits, `.` and `_` stay, what stands
/// between becomes one `-`, and none at the ends. Letters beyond ASCII are percent-encoded, as this is for
/// `href`.
pub fn id(call: &mut Call<'_>, name: &str, lower_case: bool) -> Result {
    for (at, word) in words(name).enumerate() {
        if at > 0 {
            call.write_str("-")?;
        }
        if !word.is_ascii() {
            let mut letters = word.chars();
            letters.try_for_each(|letter| match lower_case {
                true => letter.to_lowercase().try_for_each(|letter| encoded(call, letter)),
                false => encoded(call, letter),
            })?;
        } else if lower_case {
            for part in word.as_bytes().chunks(64) {
                let mut lower = [0; 64];
                lower[..part.len()].copy_from_slice(part);
                lower.make_ascii_lowercase();
                call.write(&lower[..part.len()])?;
            }
        } else {
            call.write_str(word)?;
        }
    }
    Ok(())
}

/// Whether [`id`] would write anything.
pub fn has_id(name: &str) -> bool {
    words(name).next().is_some()
}

fn words(name: &str) -> impl Iterator<Item = &str> {
    let of_word = |letter: char| letter.is_alphanumeric() || letter == '.' || letter == '_';
    name.split(move |letter| !of_word(letter)).filter(|word| !word.is_empty())
}

/// `url` with everything percent-encoded that is neither unreserved nor in `kept`.
pub fn url(call: &mut Call<'_>, url: &str, kept: &[char]) -> Result {
    for letter in url.chars() {
        if kept.contains(&letter) {
            call.write(&[letter as u8])?; // all kept ones are ASCII
        } else {
            encoded(call, letter)?;
        }
    }
    Ok(())
}

fn encoded(call: &mut Call<'_>, letter: char) -> Result {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    if letter.is_ascii_alphanumeric() || matches!(letter, '-' | '.' | '_' | '~') {
        return call.write(&[letter as u8]);
    }
    for byte in letter.encode_utf8(&mut [0; 4]).bytes() {
        call.write(&[b'%', DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]])?;
    }
    Ok(())
}
