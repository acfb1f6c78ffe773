//! Roles that do not link: placeholders, keys, menus, abbreviations.

use native_plugin::{Call, Result};

use crate::html;

/// Code in which `{name}` stands for something variable: `/etc/{name}`. A brace after a backslash, an empty
/// pair and one without its partner are themselves.
pub fn with_variables(call: &mut Call<'_>, role: &str, text: &str) -> Result {
    html::open(call, "code", role)?;
    let mut rest = text;
    while let Some(at) = rest.find(['{', '\\']) {
        html::escaped(call, &rest[..at])?;
        rest = &rest[at..];
        if let Some(escaped) = rest.strip_prefix('\\') {
            let size = usize::from(escaped.starts_with(['{', '}', '\\']));
            html::escaped(call, if size == 1 { &escaped[..1] } else { "\\" })?;
            rest = &escaped[size..];
            continue;
        }
        match rest[1..].find(['{', '}']) {
            Some(end) if end > 0 && rest[1 + end..].starts_with('}') => {
                html::wrapped(call, "<em>", &rest[1..1 + end], "</em>")?;
                rest = &rest[end + 2..];
            }
            _ => {
                call.write_str("{")?;
                rest = &rest[1..];
            }
        }
    }
    html::escaped(call, rest)?;
    call.write_str("</code>")
}

/// Names of keys that have a blank in them, which would part two keys otherwise.
const TWO_WORDS: &[(&str, &str)] = &[
    ("back", "space"),
    ("caps", "lock"),
    ("num", "lock"),
    ("page", "down"),
    ("page", "up"),
    ("print", "screen"),
    ("scroll", "lock"),
    ("sys", "rq"),
];

/// Keys pressed together or one after the other: `Ctrl+X`, `C-x C-f`, `Alt+Page Up`, `Ctrl++`.
pub fn keys(call: &mut Call<'_>, text: &str) -> Result {
    let mut rest = text.trim();
    let (mut key, mut separator) = first_key(rest);
    if key == rest.len() {
        return html::wrapped(call, "<kbd>", rest, "</kbd>");
    }
    call.write_str("<kbd>")?;
    while !rest.is_empty() {
        html::wrapped(call, "<kbd>", &rest[..key], "</kbd>")?;
        call.write_str(&rest[key..key + separator])?; // blanks and + - ^ need no escaping
        rest = &rest[key + separator..];
        (key, separator) = first_key(rest);
    }
    call.write_str("</kbd>")
}

/// The sizes of the key that `text` begins with and of what parts it from the next one. The first letter is
/// of the key, whatever it is (`+` is a key too), and so is a separator after which nothing follows.
fn first_key(text: &str) -> (usize, usize) {
    let first = text.chars().next().map_or(0, char::len_utf8);
    let mut key = word_end(text, first);
    let second = text.len() - text[key..].trim_start().len();
    let second = second..word_end(text, second);
    if TWO_WORDS.iter().any(|(one, two)| {
        text[..key].eq_ignore_ascii_case(one) && text[second.clone()].eq_ignore_ascii_case(two)
    }) {
        key = second.end;
    }

    let after_blank = text[key..].trim_start();
    let blank = text.len() - key - after_blank.len();
    let next = after_blank.strip_prefix(['+', '-', '^']).unwrap_or(after_blank).trim_start();
    if !next.is_empty() {
        (key, text.len() - key - next.len())
    } else if blank > 0 {
        (key, blank) // "C-x +": the sign is the next key
    } else {
        (text.len(), 0)
    }
}

fn word_end(text: &str, start: usize) -> usize {
    let is_separator = |letter: char| matches!(letter, '+' | '-' | '^') || letter.is_whitespace();
    text[start..].find(is_separator).map_or(text.len(), |size| start + size)
}

/// A label of a button or menu: `&` marks the letter that is its accelerator, `&&` is an ampersand.
pub fn label(call: &mut Call<'_>, text: &str) -> Result {
    html::open(call, "span", "guilabel")?;
    accelerated(call, text)?;
    call.write_str("</span>")
}

/// A way through menus: `File --> Open`.
pub fn menu(call: &mut Call<'_>, text: &str) -> Result {
    html::open(call, "span", "menuselection")?;
    for (at, item) in text.split("-->").enumerate() {
        if at > 0 {
            call.write_str(" \u{2023} ")?;
        }
        accelerated(call, item.trim())?;
    }
    call.write_str("</span>")
}

fn accelerated(call: &mut Call<'_>, text: &str) -> Result {
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        html::escaped(call, before)?;
        rest = after;
        match after.chars().next() {
            Some('&') => {
                call.write_str("&amp;")?;
                rest = &after[1..];
            }
            Some(letter) if letter.is_alphanumeric() => {
                let (letter, after) = after.split_at(letter.len_utf8());
                html::element(call, "span", "accelerator", letter)?;
                rest = after;
            }
            _ => call.write_str("&amp;")?,
        }
    }
    html::escaped(call, rest)
}

/// `ABI (application binary interface)`: what is in the parentheses at the end explains what is before them.
pub fn abbreviation(call: &mut Call<'_>, text: &str) -> Result {
    let parts = text.strip_suffix(')').and_then(|text| text.split_once('('));
    match parts {
        Some((short, long)) if !short.trim().is_empty() => {
            html::wrapped(call, "<abbr title=\"", long.trim(), "\">")?;
            html::wrapped(call, "", short.trim(), "</abbr>")
        }
        _ => html::wrapped(call, "<abbr>", text, "</abbr>"),
    }
}
