//! `cargo xtask gpu-kit DIR`: a folder that checks and measures qwill on a bare Linux machine with a GPU driver, and the
//! test that it works on this one.

use crate::command::Command;
use crate::error::{Error, Result};
use crate::folder::{self, copy_dir, copy_file, make_dir, remove_dir};
use crate::workspace::Workspace;
use clap::Args;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What kind of kit.
#[derive(Args)]
pub(crate) struct Options {
    /// The folder to make; an older kit there is replaced.
    dir: PathBuf,
    /// Pack Debian's Vulkan loader too, for machines without one (needs apt-get).
    #[arg(long)]
    with_loader: bool,
}

/// Where the Vulkan loader comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Loader {
    /// The machine has one.
    Found,
    /// Debian's packages are packed.
    Packed,
}

/// How its programs are built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Build {
    /// To be fast.
    Shipped,
    /// To be there soon: what the parts do is tried, not how fast they are. It is larger, too.
    Tried,
}

impl Build {
    fn settings(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Shipped => &[],
            Self::Tried => &[
                ("CARGO_PROFILE_KIT_LTO", "off"),
                ("CARGO_PROFILE_KIT_CODEGEN_UNITS", "16"),
                ("CARGO_PROFILE_KIT_OPT_LEVEL", "1"),
            ],
        }
    }
}

/// The loader, and what the libraries of NVIDIA's driver want to find beside it.
const LOADER_PACKAGES: &[&str] =
    &["libvulkan1", "libegl1", "libglvnd0", "libopengl0", "libgl1", "libglx0", "libgles2"];
/// What travels to a lent machine must not be larger, bytes.
const MOST: u64 = 55 << 20;

/// Makes the kit that the options name.
pub(crate) fn run(ws: &Workspace, options: &Options) -> Result<()> {
    let loader = if options.with_loader { Loader::Packed } else { Loader::Found };
    pack(ws, &options.dir, loader, Build::Shipped)?;
    println!("  there: {}/run.sh --help", options.dir.display());
    Ok(())
}

fn pack(ws: &Workspace, dir: &Path, loader: Loader, build: Build) -> Result<()> {
    let programs = ["qwill", "qwill-gpu-kit"];
    let cargo = Command::cargo(["build", "--profile", "kit", "-p", "qwill-cli", "-p", "qwill-gpu-kit"]);
    let cargo = build.settings().iter().fold(cargo, |cargo, (name, value)| cargo.env(name, value));
    cargo.in_dir(ws.root()).run()?;
    clear(dir)?;
    make_dir(dir)?;
    for program in programs {
        let packed = dir.join(program);
        copy_file(&built(ws, program), &packed)?;
        // Half of it is air. run.sh unpacks them.
        Command::new("gzip", ["-9"]).arg(packed).run()?;
    }
    copy_file(&ws.root().join("crates/gpu-kit/run.sh"), &dir.join("run.sh"))?;
    let commit = dir.join("commit");
    fs::write(&commit, described(ws)).map_err(|source| Error::File { path: commit, source })?;
    for golden in list(ws, "goldens")? {
        let (from, to) = (ws.root().join("tests/golden").join(&golden), dir.join("golden").join(&golden));
        if from.is_dir() {
            copy_dir(&from, &to)?;
        } else {
            to.parent().map_or(Ok(()), make_dir)?;
            copy_file(&from, &to)?;
        }
    }
    if loader == Loader::Packed {
        let packages = dir.join("loader");
        make_dir(&packages)?;
        Command::new("apt-get", ["download"]).args(LOADER_PACKAGES).in_dir(packages).run()?;
    }
    let bytes = folder::bytes(dir)?;
    println!("  {}: {}", dir.display(), folder::size(bytes));
    if bytes > MOST {
        let (has, most) = (folder::size(bytes), folder::size(MOST));
        return Err(Error::Kit(format!("it has {has}, and {most} is the most that travels")));
    }
    Ok(())
}

/// Removes an older kit; anything else that is there stays, and is in the way.
fn clear(dir: &Path) -> Result<()> {
    let is_kit = ["run.sh", "commit"].iter().all(|file| dir.join(file).is_file());
    let is_empty = fs::read_dir(dir).map_or(true, |mut entries| entries.next().is_none());
    match (is_kit, is_empty) {
        (false, true) => Ok(()),
        (true, _) => remove_dir(dir),
        (false, false) => Err(Error::Kit(format!("{} is not empty and no older kit", dir.display()))),
    }
}

fn built(ws: &Workspace, program: &str) -> PathBuf {
    ws.target().join("kit").join(program).with_extension(env::consts::EXE_EXTENSION)
}

/// What the kit says that it is made of.
fn list(ws: &Workspace, what: &str) -> Result<Vec<String>> {
    let command = Command::new(built(ws, "qwill-gpu-kit"), ["list", what]);
    let listed = command.output().ok_or_else(|| Error::Kit(format!("`{command}` failed")))?;
    Ok(listed.lines().map(str::to_owned).collect())
}

/// The commit, and whether there are changes besides.
fn described(ws: &Workspace) -> String {
    let git = Command::new("git", ["describe", "--always", "--dirty", "--exclude=*"]).in_dir(ws.root());
    git.output().unwrap_or_else(|| "unknown".into())
}

/// Makes a kit, takes it to an empty folder, and runs all parts of it there with tiny sizes and next to no environment.
pub(crate) fn check(ws: &Workspace) -> Result<()> {
    let kit = ws.target().join("gpu-kit");
    pack(ws, &kit, Loader::Found, Build::Tried)?;
    let away = env::temp_dir().join(format!("qwill-gpu-kit-{}", std::process::id()));
    let ended = run_away(ws, &kit, &away);
    remove_dir(&away)?;
    ended
}

fn run_away(ws: &Workspace, kit: &Path, away: &Path) -> Result<()> {
    copy_dir(kit, &away.join("kit"))?;
    let out = away.join("out");
    let home = format!("HOME={}", away.display());
    let ran = Command::new("env", ["-i", "PATH=/usr/bin:/bin", &home, "./run.sh", "--quick"])
        .arg(&out)
        .in_dir(away.join("kit"))
        .limit(Duration::from_secs(10 * 60))
        .run();
    let parts = list(ws, "parts")?;
    let failed: Vec<String> = parts
        .iter()
        .filter_map(|part| Some(format!("{part} ({})", fault(&out.join(part).with_extension("json"))?)))
        .collect();
    println!("  kit: {} passed, {} failed", parts.len() - failed.len(), failed.len());
    if !failed.is_empty() {
        return Err(Error::Kit(failed.join("; ")));
    }
    ran
}

/// What is wrong with the result of a part, if anything is.
fn fault(file: &Path) -> Option<String> {
    let Ok(text) = fs::read(file) else { return Some("it wrote nothing".into()) };
    let record: serde_json::Value = match serde_json::from_slice(&text) {
        Ok(record) => record,
        Err(error) => return Some(error.to_string()),
    };
    match (record.get("error"), &record["result"]) {
        (Some(error), _) => Some(error.as_str().unwrap_or("?").to_owned()),
        (None, serde_json::Value::Null) => Some("it has no result".into()),
        (None, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_folder(work: impl FnOnce(&Path)) {
        let dir = env::temp_dir().join(format!("xtask-gpu-kit-{:?}", std::thread::current().id()));
        assert!(remove_dir(&dir).is_ok() && make_dir(&dir).is_ok());
        work(&dir);
        assert!(remove_dir(&dir).is_ok());
    }

    #[test]
    fn a_part_must_have_a_result_and_no_error() {
        in_folder(|dir| {
            let file = dir.join("part.json");
            let fault_of = |text: &str| {
                assert!(fs::write(&file, text).is_ok());
                fault(&file)
            };
            assert_eq!(fault_of(r#"{"result": [1]}"#), None);
            assert_eq!(fault_of(r#"{"result": [1], "error": "two wrong"}"#).as_deref(), Some("two wrong"));
            assert!(fault_of(r#"{"result": null}"#).is_some());
            assert!(fault_of("{").is_some());
            assert!(fault(&dir.join("nothing.json")).is_some());
        });
    }

    #[test]
    fn only_a_kit_is_replaced() {
        in_folder(|dir| {
            assert!(clear(dir).is_ok() && clear(&dir.join("new")).is_ok());
            assert!(fs::write(dir.join("thesis.txt"), "years of work").is_ok());
            assert!(clear(dir).is_err() && dir.join("thesis.txt").is_file());
            assert!(fs::write(dir.join("run.sh"), "").is_ok() && fs::write(dir.join("commit"), "").is_ok());
            assert!(clear(dir).is_ok() && !dir.exists());
        });
    }
}
