//! The wasm module: the way from Rust to `npm/wasm`.

use crate::command::Command;
use crate::error::{Error, Result};
use crate::toolchain::{PACKAGE, TARGET, Toolchain};
use crate::tools::{self, Need};
use crate::workspace::Workspace;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// What building the module takes.
pub(crate) const NEEDS: &[Need] = &[Need::WasmTarget, Need::Node, Need::WasmBindgen, Need::WasmOpt];

const MODULE: &str = "qwill_wasm";
/// What rustc lets wasm32 code use by default; every browser with WebGPU has these.
const FEATURES: [&str; 6] = [
    "--enable-bulk-memory",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
];

/// Builds the module and its JavaScript into `npm/wasm`, and says how large it became.
pub(crate) fn build(ws: &Workspace) -> Result<()> {
    Toolchain::require(ws)?.cargo(ws, "build").run()?;
    let compiled = ws.wasm_target().join(TARGET).join("release").join(MODULE).with_extension("wasm");
    if !compiled.is_file() {
        return Err(Error::Missing(format!("{PACKAGE} made no {}: it must be a cdylib", compiled.display())));
    }
    let out = ws.npm().join("wasm");
    let finished = out.join(format!("{MODULE}_bg.wasm"));
    if is_newer(&finished, &compiled) {
        println!("  npm/wasm is up to date ({})", size_of(&finished)?);
        return Ok(());
    }
    // Made beside and copied at the end: npm/wasm holds a working module all the time, and what an
    // interrupted run leaves does not look finished to the next one.
    let bound = ws.wasm_target().join("bound");
    remove_dir(&bound)?;
    bind(ws, &compiled, &bound)?.run()?;
    let module = bound.join(format!("{MODULE}_bg.wasm"));
    optimise(ws, &module)?.run()?;
    copy_dir(&bound, &out)?;
    println!("  npm/wasm/{MODULE}_bg.wasm: {}", size_of(&finished)?);
    Ok(())
}

/// The types of the module are npm/'s to write: people never import it directly.
fn bind(ws: &Workspace, compiled: &Path, out: &Path) -> Result<Command> {
    let program = tools::wasm_bindgen(ws).ok_or_else(|| {
        Error::Missing("no wasm-bindgen of the right version: run `cargo xtask setup`".into())
    })?;
    Ok(Command::new(program, ["--target", "web", "--no-typescript", "--out-name", MODULE, "--out-dir"])
        .arg(out)
        .arg(compiled))
}

fn optimise(ws: &Workspace, module: &Path) -> Result<Command> {
    let program =
        tools::wasm_opt(ws).ok_or_else(|| Error::Missing("no wasm-opt: run `cargo xtask setup`".into()))?;
    Ok(Command::new("node", [program]).arg("-O").args(FEATURES).arg("-o").arg(module).arg(module))
}

fn remove_dir(dir: &Path) -> Result<()> {
    match fs::remove_dir_all(dir) {
        Err(source) if source.kind() != ErrorKind::NotFound => Err(Error::File { path: dir.into(), source }),
        _ => Ok(()),
    }
}

/// Copies what is in `from` into `to`, over what is there.
fn copy_dir(from: &Path, to: &Path) -> Result<()> {
    let copy = || -> io::Result<Vec<(PathBuf, PathBuf)>> {
        fs::create_dir_all(to)?;
        let mut dirs = Vec::new();
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            let target = to.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                dirs.push((entry.path(), target));
            } else {
                fs::copy(entry.path(), target)?;
            }
        }
        Ok(dirs)
    };
    let dirs = copy().map_err(|source| Error::File { path: to.into(), source })?;
    dirs.iter().try_for_each(|(from, to)| copy_dir(from, to))
}

/// Whether `made` exists and is younger than what it was made from.
fn is_newer(made: &Path, source: &Path) -> bool {
    let time = |path: &Path| fs::metadata(path).and_then(|data| data.modified()).ok();
    matches!((time(made), time(source)), (Some(made), Some(source)) if made >= source)
}

fn size_of(path: &Path) -> Result<String> {
    let data = fs::metadata(path).map_err(|source| Error::File { path: path.into(), source })?;
    Ok(size(data.len()))
}

/// A number of bytes for people.
fn size(bytes: u64) -> String {
    let kilo = bytes / 1000;
    if kilo < 1000 { format!("{kilo} kB") } else { format!("{}.{:02} MB", kilo / 1000, kilo % 1000 / 10) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::env;

    #[test]
    fn folders_are_copied_with_what_is_below_them() {
        let dir = env::temp_dir().join(format!("xtask-copy-{}", std::process::id()));
        let (from, to) = (dir.join("from"), dir.join("to"));
        let made = fs::create_dir_all(from.join("snippets")).and_then(|()| {
            fs::write(from.join("a.js"), "a")?;
            fs::write(from.join("snippets").join("b.js"), "b")
        });
        assert!(made.is_ok() && copy_dir(&from, &to).is_ok() && copy_dir(&from, &to).is_ok());
        assert_eq!(fs::read_to_string(to.join("snippets").join("b.js")).ok().as_deref(), Some("b"));
        assert!(remove_dir(&dir).is_ok() && remove_dir(&dir).is_ok() && !dir.exists());
    }

    #[test]
    fn sizes_are_for_people() {
        assert_eq!(size(270_400), "270 kB");
        assert_eq!(size(2_345_678), "2.34 MB");
    }
}
