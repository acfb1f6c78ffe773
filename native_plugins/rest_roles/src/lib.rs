//! Plugin of the contract htmlize: the common roles of reStructuredText and Sphinx.
//!
//! Everything shown is escaped. What a link points to is a guess that needs no index: the id that Sphinx
//! would give to the thing, on the same page. So the result depends on nothing but role and text.
//!
//! | role | text | links to | shows |
//! |---|---|---|---|
//! | `func` `meth` | `json.dumps` | `#json.dumps` | `<code class="func">json.dumps()</code>` |
//! | `class` `exc` `attr` `data` `const` `mod` | `~a.Pie` | `#a.Pie` | `<code class="class">Pie</code>` |
//! | `obj` `type` `any` | `Path` | `#Path` | `<code class="obj">Path</code>` |
//! | `macro` `member` `var` | `Py_None` | `#Py_None` | `<code class="macro">Py_None</code>` |
//! | `struct` `union` `enum` `enumerator` | `~std::pair` | `#std-pair` | `<code class="struct">pair</code>` |
//! | `deco` | `cache` | `#cache` | `<code class="deco">@cache</code>` |
//! | `option` | `pip -r` | `#cmdoption-pip-r` | `<code class="option">pip -r</code>` |
//! | `envvar` `confval` `keyword` | `PATH` | `#envvar-PATH` | `<code class="envvar">PATH</code>` |
//! | `token` | `expr` | `#grammar-token-expr` | `<code class="token">expr</code>` |
//! | `term` | `host` | `#term-host` | `<em class="term">host</em>` |
//! | `ref` | `The title <Some label>` | `#some-label` | `The title` |
//! | `doc` | `/usage/faq` | `/usage/faq.html` | `/usage/faq` |
//! | `download` | `a.zip` | `a.zip`, or an http address | `a.zip` |
//! | `pep` `rfc` `cwe` `cve` | `8#names` | `https://peps.python.org/pep-0008/#names` | `PEP 8#names` |
//!
//! A link is `<a class="reference" href="…">`, to other sites `<a class="reference external" href="…">`.
//!
//! | role | text | HTML |
//! |---|---|---|
//! | `file` `samp` | `/etc/{name}` | `<code class="file">/etc/<em>name</em></code>` |
//! | `kbd` | `Ctrl+X` | `<kbd><kbd>Ctrl</kbd>+<kbd>X</kbd></kbd>` |
//! | `guilabel` | `&Open` | `<span class="guilabel"><span class="accelerator">O</span>pen</span>` |
//! | `menuselection` | `File --> Open` | `<span class="menuselection">File ‣ Open</span>` |
//! | `abbr` | `ABI (binary interface)` | `<abbr title="binary interface">ABI</abbr>` |
//! | `command` `program` `makevar` | `rm` | `<strong class="command">rm</strong>` |
//! | `mailheader` `manpage` `mimetype` `newsgroup` | `ls(1)` | `<em class="manpage">ls(1)</em>` |
//! | `code` `regexp` | `x < y` | `<code class="code">x &lt; y</code>` |
//! | `math` | `a^2` | `<span class="math">\(a^2\)</span>` |
//! | `emphasis` `strong` `literal` `title_reference` | `pie` | `<em>` `<strong>` `<code>` `<cite>` |
//! | `dfn` `sub` `subscript` `sup` `superscript` | `2` | `<dfn>` `<sub>` `<sub>` `<sup>` `<sup>` |
//!
//! In all roles that link, `title <target>` shows one thing and points to another, and a leading `!` shows
//! without linking. In those for code, a leading `~` shows the last part of a dotted name only.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod html;
mod inline;
mod link;

use native_plugin::htmlize::{Htmlize, Post};
use native_plugin::{Call, Result, Status};

struct RestRoles;

/// What hooks names: every role that `process_role` has an arm for.
const ROLES: &[&str] = &[
    "abbr",
    "any",
    "attr",
    "class",
    "code",
    "command",
    "confval",
    "const",
    "cve",
    "cwe",
    "data",
    "deco",
    "dfn",
    "doc",
    "download",
    "emphasis",
    "enum",
    "enumerator",
    "envvar",
    "exc",
    "file",
    "func",
    "guilabel",
    "kbd",
    "keyword",
    "literal",
    "macro",
    "mailheader",
    "makevar",
    "manpage",
    "math",
    "member",
    "menuselection",
    "meth",
    "mimetype",
    "mod",
    "newsgroup",
    "obj",
    "option",
    "pep",
    "program",
    "ref",
    "regexp",
    "rfc",
    "samp",
    "strong",
    "struct",
    "sub",
    "subscript",
    "sup",
    "superscript",
    "term",
    "title_reference",
    "token",
    "type",
    "union",
    "var",
];

impl Htmlize for RestRoles {
    fn hooks(&self, call: &mut Call<'_>) -> Result {
        for role in ROLES {
            writeln!(call, "role:{role}")?;
        }
        Ok(())
    }

    fn process_role(&self, call: &mut Call<'_>, role: &str, text: &str, _post: Post<'_>) -> Result {
        // On bytes, not on str: the compiler makes one decision tree of it instead of a row of comparisons.
        match role.as_bytes() {
            b"func" | b"meth" => link::code(call, role, text, "", "()"),
            b"class" | b"exc" | b"attr" | b"data" | b"const" | b"mod" | b"obj" | b"type" | b"any"
            | b"member" | b"macro" | b"struct" | b"union" | b"enum" | b"enumerator" | b"var" => {
                link::code(call, role, text, "", "")
            }
            b"deco" => link::code(call, role, text, "@", ""),
            b"option" => link::named(call, role, text, "cmdoption"),
            b"envvar" => link::named(call, role, text, "envvar"),
            b"confval" => link::named(call, role, text, "confval"),
            b"token" => link::named(call, role, text, "grammar-token"),
            b"keyword" => link::named(call, role, text, "keyword"),
            b"ref" => link::label(call, text),
            b"term" => link::term(call, text),
            b"doc" => link::path(call, text, ".html"),
            b"download" => link::path(call, text, ""),
            b"pep" => link::numbered(call, text, &link::PEP),
            b"rfc" => link::numbered(call, text, &link::RFC),
            b"cwe" => link::numbered(call, text, &link::CWE),
            b"cve" => link::cve(call, text),
            b"file" | b"samp" => inline::with_variables(call, role, text),
            b"kbd" => inline::keys(call, text),
            b"guilabel" => inline::label(call, text),
            b"menuselection" => inline::menu(call, text),
            b"abbr" => inline::abbreviation(call, text),
            b"math" => html::wrapped(call, "<span class=\"math\">\\(", text, "\\)</span>"),
            b"command" | b"program" | b"makevar" => html::element(call, "strong", role, text),
            b"mailheader" | b"manpage" | b"mimetype" | b"newsgroup" => html::element(call, "em", role, text),
            b"code" | b"regexp" => html::element(call, "code", role, text),
            b"emphasis" => html::wrapped(call, "<em>", text, "</em>"),
            b"strong" => html::wrapped(call, "<strong>", text, "</strong>"),
            b"literal" => html::wrapped(call, "<code>", text, "</code>"),
            b"title_reference" => html::wrapped(call, "<cite>", text, "</cite>"),
            b"dfn" => html::wrapped(call, "<dfn>", text, "</dfn>"),
            b"sub" | b"subscript" => html::wrapped(call, "<sub>", text, "</sub>"),
            b"sup" | b"superscript" => html::wrapped(call, "<sup>", text, "</sup>"),
            _ => {
                Err(call.fail(Status::INVALID, "rest_roles was asked for a role that its hooks do not name"))
            }
        }
    }
}

native_plugin::export_htmlize!(RestRoles, roles);

#[cfg(test)]
mod tests;
