//! CONTRIBUTING.md shows lines of files: they must still stand there.

use std::path::Path;

/// The added lines of a document's diffs, each with its file.
fn added_lines(document: &str) -> Vec<(&str, &str)> {
    let mut lines = Vec::new();
    let mut file = None;
    for line in document.lines() {
        if line.starts_with("```") {
            file = None;
        } else if let Some(name) = line.strip_prefix("+++ ") {
            file = Some(name);
        } else if let (Some(name), Some(added)) = (file, line.strip_prefix('+')) {
            lines.push((name, added));
        }
    }
    lines
}

#[test]
fn its_diffs_stand_in_the_files_of_today() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let document = std::fs::read_to_string(root.join("CONTRIBUTING.md")).unwrap();
    let lines = added_lines(&document);
    assert!(lines.len() > 40, "{} lines were found", lines.len());
    let gone: Vec<String> = lines
        .into_iter()
        .filter(|(file, added)| {
            let text = std::fs::read_to_string(root.join(file)).unwrap_or_default();
            !text.lines().any(|line| line == *added)
        })
        .map(|(file, added)| format!("{file}: {added}"))
        .collect();
    assert!(gone.is_empty(), "CONTRIBUTING.md shows what is not there any more:\n{}", gone.join("\n"));
}

#[test]
fn added_lines_belong_to_the_file_above_them() {
    let document = "+not in a diff\n```diff\n+++ a\n+x\n context\n+++ b\n+y\n```\n+z";
    assert_eq!(added_lines(document), [("a", "x"), ("b", "y")]);
}
