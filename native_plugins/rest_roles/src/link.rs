//! Roles that link: to code, to labels and terms, to documents, to numbered papers elsewhere.

use native_plugin::{Call, Result};

use crate::html;

/// The text of a role that links, taken apart.
#[derive(Clone, Copy)]
struct Reference<'a> {
    /// What to show, not escaped.
    shown: &'a str,
    /// Whether it was given as `title <target>`: then it is shown as it stands.
    explicit: bool,
    /// What to point to; empty for nothing.
    target: &'a str,
}

impl<'a> Reference<'a> {
    /// `target`, `title <target>` or `!anything`.
    fn of(text: &'a str) -> Self {
        let (text, linked) = match text.strip_prefix('!') {
            Some(rest) if !rest.is_empty() => (rest, false),
            _ => (text, true),
        };
        let parts = text.strip_suffix('>').and_then(|text| text.rsplit_once('<'));
        let (shown, explicit, target) = match parts {
            Some((title, target)) if !title.trim().is_empty() => (title.trim_end(), true, target.trim()),
            _ => (text, false, text),
        };
        Reference { shown, explicit, target: if linked { target } else { "" } }
    }
}

/// `<a class="reference" href="#prefix-id">`, or nothing where the target makes no id. Says whether.
fn open(call: &mut Call<'_>, prefix: &str, target: &str, lower_case: bool) -> Result<bool> {
    if !html::has_id(target) {
        return Ok(false);
    }
    call.write_str("<a class=\"reference\" href=\"#")?;
    if !prefix.is_empty() {
        call.write_parts([prefix, "-"])?;
    }
    html::id(call, target, lower_case)?;
    call.write_str("\">")?;
    Ok(true)
}

fn close(call: &mut Call<'_>, opened: bool) -> Result {
    if opened {
        call.write_str("</a>")?;
    }
    Ok(())
}

/// A name in code: `~` shows its last part, `before` and `after` (the `()` of functions) are added to what is
/// shown, unless it has parentheses of its own or a title.
pub fn code(call: &mut Call<'_>, role: &str, text: &str, before: &str, after: &str) -> Result {
    let reference = Reference::of(text);
    let (mut shown, mut before, mut after) = (reference.shown, before, after);
    if reference.explicit {
        (before, after) = ("", "");
    } else {
        // A leading dot asks Sphinx for the nearest name that fits: nothing to show, nothing to point to.
        shown = shown.trim_start_matches('.');
        if let Some(name) = shown.strip_prefix('~') {
            shown = last_part(name.trim_start_matches('.'));
        }
        if shown.is_empty() || shown.ends_with(')') {
            after = "";
        }
    }
    let target = reference.target.trim_start_matches(['~', '.']);
    let target = target.split_once('(').map_or(target, |(name, _)| name);

    let opened = open(call, "", target, false)?;
    html::open(call, "code", role)?;
    call.write_str(before)?;
    html::escaped(call, shown)?;
    call.write_parts([after, "</code>"])?;
    close(call, opened)
}

/// What follows the last `.` or `::` before any parenthesis.
fn last_part(name: &str) -> &str {
    let bytes = name.as_bytes(); // what is looked for is ASCII, so each place found is one to cut at
    let end = bytes.iter().position(|byte| *byte == b'(').unwrap_or(bytes.len());
    let start = bytes[..end].iter().rposition(|byte| matches!(byte, b'.' | b':')).map_or(0, |at| at + 1);
    &name[start..]
}

/// A thing whose id is its name behind a prefix: `#envvar-PATH`.
pub fn named(call: &mut Call<'_>, role: &str, text: &str, prefix: &str) -> Result {
    let reference = Reference::of(text);
    let opened = open(call, prefix, reference.target, false)?;
    html::element(call, "code", role, reference.shown)?;
    close(call, opened)
}

/// A label, which is the same in upper and in lower case.
pub fn label(call: &mut Call<'_>, text: &str) -> Result {
    let reference = Reference::of(text);
    let opened = open(call, "", reference.target, true)?;
    html::escaped(call, reference.shown)?;
    close(call, opened)
}

/// A term of a glossary.
pub fn term(call: &mut Call<'_>, text: &str) -> Result {
    let reference = Reference::of(text);
    let opened = open(call, "term", reference.target, false)?;
    html::element(call, "em", "term", reference.shown)?;
    close(call, opened)
}

/// A document or file of the same site, or an absolute http address. In a path `:` and a second leading `/`
/// are not kept, so that no text makes a link to another scheme (`javascript:`) or host.
pub fn path(call: &mut Call<'_>, text: &str, suffix: &str) -> Result {
    let reference = Reference::of(text);
    let target = reference.target;
    if target.is_empty() {
        return html::escaped(call, reference.shown);
    }
    if target.starts_with("https://") || target.starts_with("http://") {
        call.write_str("<a class=\"reference external\" href=\"")?;
        html::url(call, target, &['/', ':', '?', '#', '=', '%', '@', '+', ','])?;
    } else {
        call.write_str("<a class=\"reference\" href=\"")?;
        if target.starts_with('/') {
            call.write_str("/")?;
        }
        html::url(call, target.trim_start_matches('/'), &['/'])?;
        call.write_str(suffix)?;
    }
    html::wrapped(call, "\">", reference.shown, "</a>")
}

/// A series of numbered papers.
pub struct Series {
    /// Shown before the number.
    name: &'static str,
    /// The address before and after the number.
    address: (&'static str, &'static str),
    /// Digits of the number in the address, at least.
    digits: usize,
}

/// Python enhancement proposals.
pub const PEP: Series = Series { name: "PEP ", address: ("https://peps.python.org/pep-", "/"), digits: 4 };
/// Requests for comments.
pub const RFC: Series =
    Series { name: "RFC ", address: ("https://www.rfc-editor.org/rfc/rfc", ".html"), digits: 1 };
/// Common weaknesses.
pub const CWE: Series =
    Series { name: "CWE ", address: ("https://cwe.mitre.org/data/definitions/", ".html"), digits: 1 };

/// A paper by its number, with an anchor in it perhaps: `8#names`. What is no number is shown without a link.
pub fn numbered(call: &mut Call<'_>, text: &str, series: &Series) -> Result {
    let reference = Reference::of(text);
    let (number, anchor) = reference.target.split_once('#').unwrap_or((reference.target, ""));
    // At most 9 digits, and digits only: parse would take a sign too.
    let digits = (1..=9).contains(&number.len()) && number.bytes().all(|digit| digit.is_ascii_digit());
    let Some(number) = number.parse::<u32>().ok().filter(|_| digits) else {
        return in_series(call, series.name, &reference);
    };
    call.write_parts(["<a class=\"reference external\" href=\"", series.address.0])?;
    write!(call, "{number:0width$}", width = series.digits)?;
    call.write_str(series.address.1)?;
    if !anchor.is_empty() {
        call.write_str("#")?;
        html::url(call, anchor, &[])?;
    }
    call.write_str("\">")?;
    in_series(call, series.name, &reference)?;
    call.write_str("</a>")
}

/// `PEP 8`, or the title.
fn in_series(call: &mut Call<'_>, name: &str, reference: &Reference<'_>) -> Result {
    if !reference.explicit {
        call.write_str(name)?;
    }
    html::escaped(call, reference.shown)
}

/// A vulnerability: `2020-10735`, with or without `CVE-` before it.
pub fn cve(call: &mut Call<'_>, text: &str) -> Result {
    let mut reference = Reference::of(text);
    let number = reference.target.strip_prefix("CVE-").unwrap_or(reference.target);
    if !reference.explicit {
        reference.shown = reference.shown.strip_prefix("CVE-").unwrap_or(reference.shown);
    }
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|digit| digit.is_ascii_digit());
    let valid = number.split_once('-').is_some_and(|(year, rest)| is_number(year) && is_number(rest));
    if valid {
        let address = "https://www.cve.org/CVERecord?id=CVE-";
        call.write_parts(["<a class=\"reference external\" href=\"", address, number, "\">"])?;
    }
    in_series(call, "CVE-", &reference)?;
    close(call, valid)
}
