//! Short runs of every fuzz target of every crate that has some.

use crate::command::Command;
use crate::error::{Error, Result};
use crate::workspace::Workspace;
use std::fs;
use std::path::Path;
use std::time::Duration;

/// Long enough to get through the front doors of a parser, short enough for every run of the tests.
const SECONDS: u32 = 6;
/// No input that small may need more memory than this, in MiB.
const MEMORY: u32 = 2048;

/// Runs the targets one after the other; the first that finds something ends the run.
pub(crate) fn run(ws: &Workspace) -> Result<()> {
    let mut ran = 0;
    for dir in ws.fuzzed_crates()? {
        let list = cargo_fuzz(ws, &dir, &["list"]).output();
        let list =
            list.ok_or_else(|| Error::Missing(format!("no list of fuzz targets in {}", dir.display())))?;
        for target in list.split_whitespace() {
            run_target(ws, &dir, target)?;
            ran += 1;
        }
    }
    if ran == 0 {
        return Err(Error::Missing("no crate has fuzz targets (crates/*/fuzz)".into()));
    }
    println!("  fuzz targets run: {ran}, {SECONDS} s each; nothing was found");
    Ok(())
}

fn run_target(ws: &Workspace, dir: &Path, target: &str) -> Result<()> {
    let corpus = ws.target().join("fuzz").join("corpus").join(target);
    fs::create_dir_all(&corpus).map_err(|source| Error::File { path: corpus.clone(), source })?;
    let mut command = cargo_fuzz(ws, dir, &["run", target]).arg(&corpus);
    let seeds = dir.join("fuzz").join("seeds").join(target);
    if seeds.is_dir() {
        command = command.arg(seeds);
    }
    let options = [
        "--".to_owned(),
        format!("-max_total_time={SECONDS}"),
        format!("-rss_limit_mb={MEMORY}"),
        "-timeout=10".to_owned(),
        "-print_funcs=0".to_owned(),
    ];
    // The first target waits for the build.
    command.args(options).limit(Duration::from_secs(15 * 60)).run()
}

/// `cargo fuzz` in a crate.
///
/// It wants a nightly compiler only for the address sanitizer's flag, which the ordinary one knows
/// as well; letting it through spares everyone a second toolchain.
fn cargo_fuzz(ws: &Workspace, dir: &Path, args: &[&str]) -> Command {
    let (verb, rest) = args.split_at(1);
    let program = crate::tools::installed(ws, "cargo-fuzz").unwrap_or_else(|| "cargo-fuzz".into());
    let command = Command::new(program, ["fuzz"]).args(verb).env("RUSTC_BOOTSTRAP", "1").in_dir(dir);
    match verb {
        ["run"] => command.arg("--target-dir").arg(ws.target().join("fuzz")).args(rest),
        _ => command.args(rest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_run_in_their_crate_with_the_ordinary_compiler() {
        let Ok(ws) = Workspace::find() else { panic!("the test runs inside the repository") };
        let shown = cargo_fuzz(&ws, Path::new("/somewhere"), &["run", "gguf"]).to_string();
        assert!(shown.starts_with("cd /somewhere && RUSTC_BOOTSTRAP=1 "), "{shown}");
        assert!(shown.contains("fuzz run --target-dir ") && shown.ends_with(" gguf"), "{shown}");
    }
}
