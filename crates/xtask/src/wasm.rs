//! The wasm modules: the way from Rust to `npm/wasm`.

use crate::command::Command;
use crate::error::{Error, Result};
use crate::folder::{self, copy_dir, remove_dir};
use crate::toolchain::{TARGET, Toolchain};
use crate::tools::{self, Need};
use crate::workspace::Workspace;
use std::fs;
use std::path::Path;

/// What building the modules takes.
pub(crate) const NEEDS: &[Need] = &[Need::WasmTarget, Need::Node, Need::WasmBindgen, Need::WasmOpt];

/// A package that becomes a module.
struct Module {
    package: &'static str,
    /// What wasm-bindgen is told besides.
    binding: &'static [&'static str],
}

const MODULES: [Module; 2] = [
    Module { package: "qwill-wasm", binding: &[] },
    // A fault in it is no fault of the model: it is made anew.
    Module { package: "qwill-grammar-wasm", binding: &["--experimental-reset-state-function"] },
];

impl Module {
    /// What its files are called.
    fn name(&self) -> String {
        self.package.replace('-', "_")
    }
}

/// What rustc lets wasm32 code use by default; every browser with WebGPU has these.
const FEATURES: [&str; 6] = [
    "--enable-bulk-memory",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
];

/// Builds the modules and their JavaScript into `npm/wasm`, and says how large they became.
pub(crate) fn build(ws: &Workspace) -> Result<()> {
    MODULES.iter().try_for_each(|module| build_module(ws, module))
}

/// Clippy on the packages, as they are compiled for browsers.
pub(crate) fn lint(ws: &Workspace) -> Result<()> {
    let toolchain = Toolchain::require(ws)?;
    let lint = |module: &Module| toolchain.cargo(ws, "clippy", module.package);
    MODULES.iter().try_for_each(|module| lint(module).args(["--", "-D", "warnings"]).run())
}

fn build_module(ws: &Workspace, module: &Module) -> Result<()> {
    let (package, name) = (module.package, module.name());
    Toolchain::require(ws)?.cargo(ws, "build", package).run()?;
    let compiled = ws.wasm_target().join(TARGET).join("release").join(&name).with_extension("wasm");
    if !compiled.is_file() {
        return Err(Error::Missing(format!("{package} made no {}: it must be a cdylib", compiled.display())));
    }
    let out = ws.npm().join("wasm");
    let finished = out.join(format!("{name}_bg.wasm"));
    if is_newer(&finished, &compiled) {
        println!("  {name} in npm/wasm is up to date ({})", folder::size(folder::bytes(&finished)?));
        return Ok(());
    }
    // Made beside and copied at the end: npm/wasm holds a working module all the time, and what an
    // interrupted run leaves does not look finished to the next one.
    let bound = ws.wasm_target().join("bound");
    remove_dir(&bound)?;
    bind(ws, module, &compiled, &bound)?.run()?;
    optimise(ws, &bound.join(format!("{name}_bg.wasm")))?.run()?;
    copy_dir(&bound, &out)?;
    println!("  npm/wasm/{name}_bg.wasm: {}", folder::size(folder::bytes(&finished)?));
    Ok(())
}

/// The types of the module are npm/'s to write: people never import it directly.
fn bind(ws: &Workspace, module: &Module, compiled: &Path, out: &Path) -> Result<Command> {
    let program = tools::wasm_bindgen(ws).ok_or_else(|| {
        Error::Missing("no wasm-bindgen of the right version: run `cargo xtask setup`".into())
    })?;
    Ok(Command::new(program, ["--target", "web", "--no-typescript", "--out-name"])
        .arg(module.name())
        .args(module.binding)
        .arg("--out-dir")
        .arg(out)
        .arg(compiled))
}

fn optimise(ws: &Workspace, module: &Path) -> Result<Command> {
    let program =
        tools::wasm_opt(ws).ok_or_else(|| Error::Missing("no wasm-opt: run `cargo xtask setup`".into()))?;
    Ok(Command::new("node", [program]).arg("-O").args(FEATURES).arg("-o").arg(module).arg(module))
}

/// Whether `made` exists and is younger than what it was made from.
fn is_newer(made: &Path, source: &Path) -> bool {
    let time = |path: &Path| fs::metadata(path).and_then(|data| data.modified()).ok();
    matches!((time(made), time(source)), (Some(made), Some(source)) if made >= source)
}
