//! What the compiler refuses: safe code cannot keep what is lent to a call, nor use it on another thread.
//!
//! Each program of `borrows/refused.rs` and `borrows/accepted.rs` is compiled by cargo as a crate of its own. One that
//! must be refused names the error that it must be refused with, so that a slip in the program itself is no success;
//! its twin differs in the one thing that counts, and compiles.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

const BEGIN: &str = include_str!("borrows/begin.rs");
const REFUSED: &str = include_str!("borrows/refused.rs");
const ACCEPTED: &str = include_str!("borrows/accepted.rs");

/// Name, expected error and text of each program of a file.
fn programs(file: &'static str) -> Vec<(&'static str, &'static str, &'static str)> {
    let sections = file.split("\n//# ").skip(1);
    let program = |section: &'static str| {
        let (title, text) = section.split_once('\n').expect("a program below its title");
        let (name, error) = title.split_once(':').expect("a colon after the name");
        (name, error.trim(), text)
    };
    sections.map(program).collect()
}

/// The errors of each program of a file, which are compiled as the examples of one crate, without a network.
fn errors(file: &'static str, folder: &str, edition: &str) -> BTreeMap<&'static str, Vec<String>> {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join(folder);
    let examples = root.join("examples");
    let _ = fs::remove_dir_all(&examples); // of an earlier run
    fs::create_dir_all(&examples).unwrap();
    let manifest = format!(
        "[package]\nname = \"borrows\"\nversion = \"0.0.0\"\nedition = {edition:?}\n[workspace]\n\
         [dependencies]\nnative-plugin = {{ path = {:?} }}\n[lib]\npath = \"lib.rs\"\n",
        env!("CARGO_MANIFEST_DIR")
    );
    fs::write(root.join("Cargo.toml"), manifest).unwrap();
    fs::write(root.join("lib.rs"), "").unwrap();
    let mut found = BTreeMap::new();
    for (name, _, text) in programs(file) {
        fs::write(examples.join(name).with_extension("rs"), format!("{BEGIN}\n{text}")).unwrap();
        assert!(found.insert(name, Vec::new()).is_none(), "two programs are named {name}");
    }
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args([
        "check",
        "--offline",
        "--examples",
        "--keep-going",
        "--message-format=short",
        "--color=never",
    ]);
    cargo.arg("--target-dir").arg(root.join("target")).env_remove("RUSTFLAGS");
    let done = cargo.current_dir(&root).output().unwrap();
    let said = String::from_utf8(done.stderr).unwrap();
    assert!(done.status.success() || said.contains("could not compile"), "{said}");
    for line in said.lines().filter(|line| line.contains(": error")) {
        let name = line.strip_prefix("examples/").and_then(|rest| rest.split('.').next()).unwrap_or_default();
        found.get_mut(name).unwrap_or_else(|| panic!("{said}")).push(line.to_owned());
    }
    found
}

/// Whatever keeps a borrow, moves a call to another thread or needs unsafe is refused, for that very reason.
#[test]
fn what_breaks_a_rule_does_not_compile() {
    let found = errors(REFUSED, "refused", "2021");
    let mut wrong = Vec::new();
    for (name, error, _) in programs(REFUSED) {
        let expected = |line: &String| error.split('|').any(|error| line.contains(error));
        if found[name].is_empty() {
            wrong.push(format!("{name} compiles"));
        } else if !found[name].iter().all(expected) {
            wrong.push(format!("{name} is refused for another reason: {:#?}", found[name]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The same without the fault compiles, in each edition.
#[test]
fn what_keeps_the_rules_compiles() {
    for edition in ["2021", "2024"] {
        let found = errors(ACCEPTED, edition, edition);
        assert!(found.values().all(Vec::is_empty), "{edition}: {found:#?}");
    }
}
