//! Models that reply as the cases of each kind do, for tests in browsers: `scripted FOLDER` writes `N.gguf` for each, and
//! `cases.json`.

use std::error::Error;
use std::path::PathBuf;

use qwill_testkit::replies::ReplyCase;
use qwill_testkit::scripted::TagKind;
use serde_json::json;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).ok_or("a folder is needed")?);
    let mut cases = Vec::new();
    for (index, case) in ReplyCase::of_each_kind().iter().enumerate() {
        // each kind of vocabulary in turn
        let tags = [TagKind::UserDefined, TagKind::Control, TagKind::Spelled][index % 3];
        std::fs::write(folder.join(format!("{index}.gguf")), case.model(tags))?;
        cases.push(json!({"tools": case.tools(), "case": case.json(), "tags": format!("{tags:?}")}));
    }
    std::fs::write(folder.join("cases.json"), json!(cases).to_string())?;
    Ok(())
}
