//! The npm projects of the repository, and the build of the package that people install.

use crate::command::Command;
use crate::error::{Error, Result};
use crate::tools::Need;
use crate::wasm;
use crate::workspace::Workspace;
use std::fs;
use std::path::PathBuf;
use std::time::SystemTime;

/// What building the package takes.
pub(crate) const NEEDS: &[Need] =
    &[Need::WasmTarget, Need::Node, Need::WasmBindgen, Need::WasmOpt, Need::NpmPackages(Project::Package)];

/// The model that ships with the package, below the repository and below `npm/`.
const DEMO_MODEL: &str = "crates/demo-model/model/qwill-demo-q8_0.gguf";
const DEMO_MODEL_IN_PACKAGE: &str = "wasm/qwill-demo-q8_0.gguf";

/// A folder with a `package.json` of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Project {
    /// `npm/`: the package itself.
    Package,
    /// `web/`: the chat demo.
    Web,
    /// `tests/browser/`: tests in real browsers.
    BrowserTests,
}

impl Project {
    /// Where it lies.
    pub(crate) fn dir(self, ws: &Workspace) -> PathBuf {
        match self {
            Self::Package => ws.npm(),
            Self::Web => ws.web(),
            Self::BrowserTests => ws.browser_tests(),
        }
    }

    /// Whether its packages are installed as its lock file says.
    pub(crate) fn is_installed(self, ws: &Workspace) -> bool {
        let dir = self.dir(ws);
        let changed = |name: &str| fs::metadata(dir.join(name)).and_then(|data| data.modified()).ok();
        is_current(
            changed("node_modules/.package-lock.json"),
            changed("package-lock.json"),
            changed("package.json"),
        )
    }

    /// The command that installs its packages in the versions that its lock file pins.
    ///
    /// Not `npm ci`: that refuses a lock file which does not list a tool's programs for every other system,
    /// and npm leaves those out when it writes the file on a machine whose registry lacks them.
    pub(crate) fn install(self, ws: &Workspace) -> Command {
        Command::npm(["install", "--no-save", "--no-fund", "--no-audit"]).in_dir(self.dir(ws))
    }

    /// The command that runs one of its scripts.
    pub(crate) fn script(self, ws: &Workspace, name: &str) -> Command {
        let args: &[&str] = if name == "test" { &["test"] } else { &["run", name] };
        Command::npm(args).in_dir(self.dir(ws))
    }
}

/// npm writes `installed` last, so it is younger than a lock file that it was made from.
fn is_current(installed: Option<SystemTime>, lock: Option<SystemTime>, manifest: Option<SystemTime>) -> bool {
    match (installed, lock) {
        (Some(installed), Some(lock)) => installed >= lock,
        (Some(installed), None) => manifest.is_some_and(|manifest| installed >= manifest),
        (None, _) => false,
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn packages_are_current_until_the_lock_file_changes() {
        let old = SystemTime::UNIX_EPOCH;
        let new = old + Duration::from_secs(1);
        assert!(is_current(Some(new), Some(old), Some(old)));
        assert!(is_current(Some(new), Some(new), Some(new)));
        assert!(!is_current(Some(old), Some(new), Some(old)));
        assert!(!is_current(None, Some(old), Some(old)));
        assert!(is_current(Some(new), None, Some(old)));
        assert!(!is_current(Some(old), None, Some(new)));
    }

    #[test]
    fn scripts_run_in_their_project() {
        let Ok(ws) = Workspace::find() else { panic!("the test runs inside the repository") };
        let expect = |dir: PathBuf, args: &[&str]| Command::npm(args).in_dir(dir);
        assert_eq!(Project::Package.script(&ws, "build"), expect(ws.npm(), &["run", "build"]));
        assert_eq!(Project::BrowserTests.script(&ws, "test"), expect(ws.browser_tests(), &["test"]));
    }
}
