//! What each role gives, through a guard and a host's table.

use native_plugin::testing::{Host, Outcome, TestPost};
use native_plugin::Status;

use super::{Htmlize, RestRoles, ROLES};

fn call(role: &str, text: &str) -> Outcome {
    TestPost::default().lend(|post| Host::new().call(|call| RestRoles.process_role(call, role, text, post)))
}

#[track_caller]
fn check(role: &str, text: &str, wanted: &str) {
    assert_eq!(call(role, text).text(), wanted, ":{role}:`{text}`");
}

/// hooks names each role once, in lines that the contract allows.
#[test]
fn hooks_names_the_roles() {
    let hooks = Host::new().call(|call| RestRoles.hooks(call)).text();
    let named: Vec<_> = hooks.lines().map(|line| line.strip_prefix("role:").unwrap()).collect();
    assert_eq!(named, ROLES);
    assert!(ROLES.windows(2).all(|pair| pair[0] < pair[1]), "sorted, so nothing is there twice");
    let allowed = |role: &&str| role.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    assert!(ROLES.iter().all(allowed));
}

/// A role that hooks does not name is an error, not a guess.
#[test]
fn other_roles_are_refused() {
    let outcome = call("tt", "pie");
    assert_eq!((outcome.status, outcome.output.len()), (Status::INVALID, 0));
}

/// Names in code link to their id; functions get their parentheses once.
#[test]
fn code_links() {
    let func =
        |shown| format!(r##"<a class="reference" href="#json.dumps"><code class="func">{shown}</code></a>"##);
    check("func", "json.dumps", &func("json.dumps()"));
    check("func", "json.dumps()", &func("json.dumps()"));
    check("func", "json.dumps(obj, a.b)", &func("json.dumps(obj, a.b)"));
    check("func", "~json.dumps", &func("dumps()"));
    check("func", ".json.dumps", &func("json.dumps()"));
    check("func", "~.json.dumps", &func("dumps()"));
    check("func", "to text <json.dumps>", &func("to text"));
    check("func", "to text <~json.dumps()>", &func("to text"));
    check(
        "class",
        "PathLike",
        r##"<a class="reference" href="#PathLike"><code class="class">PathLike</code></a>"##,
    );
    check("mod", "~os.path", r##"<a class="reference" href="#os.path"><code class="mod">path</code></a>"##);
    check(
        "struct",
        "~std::pair",
        r##"<a class="reference" href="#std-pair"><code class="struct">pair</code></a>"##,
    );
    check("deco", "cache", r##"<a class="reference" href="#cache"><code class="deco">@cache</code></a>"##);
}

/// A leading ! shows the same without a link; alone it is a text like any other.
#[test]
fn exclamation_marks_do_not_link() {
    check("func", "!main", r#"<code class="func">main()</code>"#);
    check("class", "!~a.B", r#"<code class="class">B</code>"#);
    check("ref", "!a title <label>", "a title");
    check("doc", "!faq", "faq");
    check("pep", "!8", "PEP 8");
    check("ref", "!", "!");
}

/// Things of the standard domain link to the ids that Sphinx gives them.
#[test]
fn named_things_link() {
    check("option", "-m", r##"<a class="reference" href="#cmdoption-m"><code class="option">-m</code></a>"##);
    let link = r##"<a class="reference" href="#cmdoption-pip-r"><code class="option">pip  --r</code></a>"##;
    check("option", "pip  --r", link);
    check(
        "envvar",
        "PATH",
        r##"<a class="reference" href="#envvar-PATH"><code class="envvar">PATH</code></a>"##,
    );
    check(
        "term",
        "source tree",
        r##"<a class="reference" href="#term-source-tree"><em class="term">source tree</em></a>"##,
    );
}

/// Labels are compared in lower case; a target without a letter makes no link.
#[test]
fn labels_link() {
    check("ref", "Some Label", r##"<a class="reference" href="#some-label">Some Label</a>"##);
    check("ref", "A & B <ab>", r##"<a class="reference" href="#ab">A &amp; B</a>"##);
    let (upper, lower) = ("A_b.C9".repeat(40), "a_b.c9".repeat(40));
    check("ref", &upper, &format!(r##"<a class="reference" href="#{lower}">{upper}</a>"##));
    check("ref", "Überblick", r##"<a class="reference" href="#%C3%BCberblick">Überblick</a>"##);
    check("ref", "--", "--");
    check("ref", "title <>", "title");
    check("ref", "<label>", r##"<a class="reference" href="#label">&lt;label&gt;</a>"##);
    check("ref", "", "");
}

/// Documents are links on the same site, whatever their name tries.
#[test]
fn documents_link() {
    check("doc", "/usage/faq", r#"<a class="reference" href="/usage/faq.html">/usage/faq</a>"#);
    check("doc", "The FAQ <faq>", r#"<a class="reference" href="faq.html">The FAQ</a>"#);
    check(
        "doc",
        "javascript:alert(1)//",
        "<a class=\"reference\" href=\"javascript%3Aalert%281%29//.html\">javascript:alert(1)//</a>",
    );
    check("doc", "x <//evil/y>", r#"<a class="reference" href="/evil/y.html">x</a>"#);
    check("download", "a b.zip", r#"<a class="reference" href="a%20b.zip">a b.zip</a>"#);
    check(
        "download",
        "x <https://e.org/a?b=\"c\"&d>",
        r#"<a class="reference external" href="https://e.org/a?b=%22c%22%26d">x</a>"#,
    );
}

/// Numbered papers link to where they are published; what is no number is shown only.
#[test]
fn papers_link() {
    let external = |url, shown| format!(r#"<a class="reference external" href="https://{url}">{shown}</a>"#);
    check("pep", "8", &external("peps.python.org/pep-0008/", "PEP 8"));
    check("pep", "0484#names", &external("peps.python.org/pep-0484/#names", "PEP 0484#names"));
    check("pep", "style <8>", &external("peps.python.org/pep-0008/", "style"));
    check("pep", "number", "PEP number");
    check("pep", "+8", "PEP +8");
    check("pep", "99999999999", "PEP 99999999999");
    check("rfc", "2822", &external("www.rfc-editor.org/rfc/rfc2822.html", "RFC 2822"));
    check("rfc", "0", &external("www.rfc-editor.org/rfc/rfc0.html", "RFC 0"));
    check("cwe", "787", &external("cwe.mitre.org/data/definitions/787.html", "CWE 787"));
    check("cve", "2020-10735", &external("www.cve.org/CVERecord?id=CVE-2020-10735", "CVE-2020-10735"));
    check("cve", "CVE-2020-10735", &external("www.cve.org/CVERecord?id=CVE-2020-10735", "CVE-2020-10735"));
    check("cve", "2020-<b>", "2020-");
    check("cve", "x-1", "CVE-x-1");
}

/// Braces mark what is variable, unless they are escaped, empty or alone.
#[test]
fn samples_have_variables() {
    let file = |shown| format!(r#"<code class="file">{shown}</code>"#);
    check("file", "/etc/{na<me}/x", &file("/etc/<em>na&lt;me</em>/x"));
    check("file", "{a}{b}", &file("<em>a</em><em>b</em>"));
    check("file", r"\{a\} \\ \n", &file(r"{a} \ \n"));
    check("file", "{} { {{a} }", &file("{} { {<em>a</em> }"));
    check("file", "{é", &file("{é"));
    check("samp", "a\\", "<code class=\"samp\">a\\</code>");
}

/// Keys are parted at + - ^ and blanks, but for those that are keys themselves or have a blank in their name.
#[test]
fn keys_are_parted() {
    check("kbd", "Enter", "<kbd>Enter</kbd>");
    check("kbd", "Ctrl+X", "<kbd><kbd>Ctrl</kbd>+<kbd>X</kbd></kbd>");
    check("kbd", "C-x C-f", "<kbd><kbd>C</kbd>-<kbd>x</kbd> <kbd>C</kbd>-<kbd>f</kbd></kbd>");
    check("kbd", "Ctrl++", "<kbd><kbd>Ctrl</kbd>+<kbd>+</kbd></kbd>");
    check("kbd", "Ctrl + é", "<kbd><kbd>Ctrl</kbd> + <kbd>é</kbd></kbd>");
    check("kbd", "C-x -", "<kbd><kbd>C</kbd>-<kbd>x</kbd> <kbd>-</kbd></kbd>");
    check("kbd", "-", "<kbd>-</kbd>");
    check("kbd", "<", "<kbd>&lt;</kbd>");
    check("kbd", "Page Up", "<kbd>Page Up</kbd>");
    check("kbd", "Alt+page  down a", "<kbd><kbd>Alt</kbd>+<kbd>page  down</kbd> <kbd>a</kbd></kbd>");
    check("kbd", "", "<kbd></kbd>");
}

/// Menus and labels mark their accelerators.
#[test]
fn menus_have_accelerators() {
    let key = |letter| format!(r#"<span class="accelerator">{letter}</span>"#);
    check("guilabel", "&Cancel", &format!(r#"<span class="guilabel">{}ancel</span>"#, key("C")));
    check("guilabel", "R && D & <é", r#"<span class="guilabel">R &amp; D &amp; &lt;é</span>"#);
    check(
        "menuselection",
        "&File --> Ö&ffnen-->x",
        &format!(r#"<span class="menuselection">{}ile ‣ Ö{}fnen ‣ x</span>"#, key("F"), key("f")),
    );
}

/// The plain roles are their text, escaped, in their element.
#[test]
fn plain_roles_escape() {
    let text = r#"a < b & "c" > 'd'"#;
    let escaped = "a &lt; b &amp; &quot;c&quot; &gt; 'd'";
    for (role, before, after) in [
        ("code", r#"<code class="code">"#, "</code>"),
        ("regexp", r#"<code class="regexp">"#, "</code>"),
        ("math", r#"<span class="math">\("#, r"\)</span>"),
        ("sub", "<sub>", "</sub>"),
        ("superscript", "<sup>", "</sup>"),
        ("emphasis", "<em>", "</em>"),
        ("strong", "<strong>", "</strong>"),
        ("literal", "<code>", "</code>"),
        ("title_reference", "<cite>", "</cite>"),
        ("dfn", "<dfn>", "</dfn>"),
        ("command", r#"<strong class="command">"#, "</strong>"),
        ("manpage", r#"<em class="manpage">"#, "</em>"),
        ("abbr", "<abbr>", "</abbr>"),
    ] {
        check(role, text, &format!("{before}{escaped}{after}"));
    }
    check("abbr", "A&B (a \"b\" (c))", r#"<abbr title="a &quot;b&quot; (c)">A&amp;B</abbr>"#);
    check("abbr", "(all)", "<abbr>(all)</abbr>");
}

/// A special character is found wherever it stands in a long text.
#[test]
fn escaping_reaches_every_place() {
    for size in 1..70 {
        for at in 0..size {
            let (before, after) = ("a".repeat(at), "é".repeat(size - at - 1));
            check(
                "strong",
                &format!("{before}<{after}&"),
                &format!("<strong>{before}&lt;{after}&amp;</strong>"),
            );
        }
    }
}

/// Whatever the text, every role answers with balanced tags, and nothing of the text becomes a tag, an
/// attribute or a broken entity.
#[test]
fn no_text_breaks_the_html() {
    let pieces =
        ["<", ">", "&", "\"", "'", "!", "~", ".", "-", "--> ", "+", " ", "(", ")", "{", "}", "\\", "#", "/"];
    let pieces =
        pieces.into_iter().chain([":", "::", "http://", "8", "a", "page", "up", "é", "‣", "\u{a0}", "\n"]);
    let pieces: Vec<_> = pieces.collect();
    let mut seed = 1u64; // the same texts each time
    for round in 0..40_000 {
        let mut text = String::new();
        for _ in 0..round % 9 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            text.push_str(pieces[(seed >> 33) as usize % pieces.len()]);
        }
        let role = ROLES[round % ROLES.len()];
        assert_well_formed(&call(role, &text).text(), role, &text);
    }
}

/// Tags are ours and closed in order, attributes have plain values, and each `&` begins one of our entities.
fn assert_well_formed(html: &str, role: &str, text: &str) {
    let blame = || format!(":{role}:`{text}` gave {html}");
    let mut open = Vec::new();
    let mut rest = html;
    while let Some(at) = rest.find(['<', '>', '&']) {
        rest = &rest[at..];
        if rest.starts_with('&') {
            let known = ["&amp;", "&lt;", "&gt;", "&quot;"];
            assert!(known.iter().any(|entity| rest.starts_with(entity)), "{}", blame());
            rest = &rest[1..];
            continue;
        }
        let tag = rest
            .strip_prefix('<')
            .and_then(|rest| rest.split_once('>'))
            .unwrap_or_else(|| panic!("{}", blame()));
        rest = tag.1;
        if let Some(name) = tag.0.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "{}", blame());
        } else {
            let mut quoted = tag.0.split('"');
            let name = quoted.next().unwrap().split(' ').next().unwrap();
            let names = ["a", "abbr", "cite", "code", "dfn", "em", "kbd", "span", "strong", "sub", "sup"];
            assert!(names.contains(&name), "{}", blame());
            assert_eq!(tag.0.matches('"').count() % 2, 0, "{}", blame());
            if let Some((_, href)) = tag.0.split_once("href=\"") {
                let href = href.trim_end_matches('"');
                let scheme = href.split_once(':').map(|(scheme, _)| scheme);
                assert!(matches!(scheme, None | Some("http" | "https")), "{}", blame());
                assert!(
                    !href.starts_with("//") && href.is_ascii() && !href.contains([' ', '\'']),
                    "{}",
                    blame()
                );
            }
            open.push(name);
        }
    }
    assert!(open.is_empty(), "{}", blame());
}
