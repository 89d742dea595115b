//! The build of the npm package that people install.

use crate::error::{Error, Result};
use crate::tools::Need;
use crate::wasm;
use crate::workspace::{Project, Workspace};
use std::fs;

/// What building the package takes.
pub(crate) const NEEDS: &[Need] =
    &[Need::WasmTarget, Need::Node, Need::WasmBindgen, Need::WasmOpt, Need::NpmPackages(Project::Package)];

/// The model that ships with the package, below the repository and below `npm/`.
const DEMO_MODEL: &str = "crates/demo-model/model/qwill-demo-q8_0.gguf";
const DEMO_MODEL_IN_PACKAGE: &str = "wasm/qwill-demo-q8_0.gguf";

/// Builds the package: wasm module, TypeScript and the demo model.
pub(crate) fn package(ws: &Workspace) -> Result<()> {
    wasm::build(ws)?;
    finish(ws)
}

/// The package's parts besides the wasm module.
pub(crate) fn finish(ws: &Workspace) -> Result<()> {
    Project::Package.script(ws, "build").run()?;
    copy_demo_model(ws)
}

fn copy_demo_model(ws: &Workspace) -> Result<()> {
    let from = ws.root().join(DEMO_MODEL);
    let to = ws.npm().join(DEMO_MODEL_IN_PACKAGE);
    if let Some(dir) = to.parent() {
        fs::create_dir_all(dir).map_err(|source| Error::File { path: dir.into(), source })?;
    }
    fs::copy(&from, &to).map_err(|source| Error::File { path: from, source })?;
    Ok(())
}
