//! Both ends read frames with this crate and nothing else.

use std::fs;
use std::path::{Path, PathBuf};

/// What decoding or making a frame by hand looks like.
const BY_HAND: [&str; 7] = [
    "from_le_bytes",
    "from_be_bytes",
    "from_ne_bytes",
    "to_le_bytes",
    "to_be_bytes",
    "FrameHeader {",
    "Cursor::new",
];

fn krate(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join(name)
}

/// The Rust files below a folder, without those that hold tests.
fn sources(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() && name != "tests" {
            sources(&path, found);
        } else if name.ends_with(".rs") && !name.ends_with("tests.rs") {
            let text = fs::read_to_string(&path).unwrap();
            found.push((path, text));
        }
    }
}

#[test]
fn wf_7_the_parser_depends_on_nothing_and_is_safe() {
    let manifest = fs::read_to_string(krate("wire").join("Cargo.toml")).unwrap();
    let sections = manifest.lines().filter(|line| line.contains("dependencies"));
    assert_eq!(sections.collect::<Vec<_>>(), ["[dev-dependencies]"]);
    let root = fs::read_to_string(krate("wire").join("src/lib.rs")).unwrap();
    assert!(root.lines().any(|line| line == "#![forbid(unsafe_code)]"));
}

#[test]
fn wf_7_no_end_has_a_parser_of_its_own() {
    for name in ["module", "runtime"] {
        let mut files = Vec::new();
        sources(&krate(name).join("src"), &mut files);
        assert!(
            files.iter().any(|(_, text)| text.contains("use wire::")),
            "{name} is an end of the connection"
        );
        for (path, text) in files {
            let shipped = text.split("#[cfg(test)]").next().unwrap_or_default();
            for (number, line) in shipped.lines().enumerate() {
                let code = line.split("//").next().unwrap_or_default();
                let mark = BY_HAND.iter().find(|mark| code.contains(**mark));
                assert_eq!(mark, None, "{}:{}: {line}", path.display(), number + 1);
            }
        }
    }
}
