//! Where things lie in the repository, and its npm projects.

use crate::command::Command;
use crate::error::{Error, Result};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The repository that xtask works on.
#[derive(Clone, Debug)]
pub(crate) struct Workspace {
    root: PathBuf,
    target: PathBuf,
}

impl Workspace {
    /// The repository that this xtask belongs to.
    pub(crate) fn find() -> Result<Self> {
        // Cargo sets the variable when it runs us; the compiled-in path is for a binary started by hand.
        let manifest = env::var("CARGO_MANIFEST_DIR").unwrap_or_else(|_| env!("CARGO_MANIFEST_DIR").into());
        let root = Path::new(&manifest)
            .ancestors()
            .nth(2)
            .filter(|root| root.join("Cargo.lock").is_file())
            .ok_or_else(|| Error::Missing(format!("no qwill repository around {manifest}")))?
            .to_path_buf();
        let target = match env::var_os("CARGO_TARGET_DIR") {
            Some(dir) => root.join(dir),
            None => root.join("target"),
        };
        Ok(Self { root, target })
    }

    /// A repository somewhere else.
    #[cfg(test)]
    pub(crate) fn at(root: &Path) -> Self {
        Self { root: root.to_owned(), target: root.join("target") }
    }

    /// The repository's top folder.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Where native builds go.
    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// Where wasm builds go: a folder of their own, because another compiler may make them
    /// and would otherwise invalidate the native build each time.
    pub(crate) fn wasm_target(&self) -> PathBuf {
        self.target.join("wasm")
    }

    /// Where tools are installed that only this repository needs.
    pub(crate) fn tools(&self) -> PathBuf {
        self.target.join("tools")
    }

    /// The npm package.
    pub(crate) fn npm(&self) -> PathBuf {
        self.root.join("npm")
    }

    /// The chat demo.
    pub(crate) fn web(&self) -> PathBuf {
        self.root.join("web")
    }

    /// The tests that drive real browsers.
    pub(crate) fn browser_tests(&self) -> PathBuf {
        self.root.join("tests").join("browser")
    }

    /// The tests that drive others' clients of the server.
    pub(crate) fn client_tests(&self) -> PathBuf {
        self.root.join("tests").join("clients")
    }

    /// The Python packages that the same is done with.
    pub(crate) fn python_requirements(&self) -> PathBuf {
        self.client_tests().join("python").join("requirements.txt")
    }

    /// The crates that have fuzz targets, as paths below the root.
    pub(crate) fn fuzzed_crates(&self) -> Result<Vec<PathBuf>> {
        let crates = self.root.join("crates");
        let mut found = Vec::new();
        for entry in fs::read_dir(&crates).map_err(|source| Error::File { path: crates.clone(), source })? {
            let dir = entry.map_err(|source| Error::File { path: crates.clone(), source })?.path();
            if dir.join("fuzz").join("Cargo.toml").is_file() {
                found.push(dir);
            }
        }
        found.sort();
        Ok(found)
    }

    /// The version of a package as `Cargo.lock` pins it.
    pub(crate) fn locked_version(&self, package: &str) -> Result<String> {
        let path = self.root.join("Cargo.lock");
        let lock = fs::read_to_string(&path).map_err(|source| Error::File { path: path.clone(), source })?;
        locked_version(&lock, package)
            .map(str::to_owned)
            .ok_or_else(|| Error::Missing(format!("{} names no `{package}`", path.display())))
    }
}

/// A folder with a `package.json` of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Project {
    /// `npm/`: the package itself.
    Package,
    /// `web/`: the chat demo.
    Web,
    /// `tests/browser/`: tests in real browsers.
    BrowserTests,
    /// `tests/clients/`: others' clients against the server.
    ClientTests,
}

impl Project {
    /// Where it lies.
    pub(crate) fn dir(self, ws: &Workspace) -> PathBuf {
        match self {
            Self::Package => ws.npm(),
            Self::Web => ws.web(),
            Self::BrowserTests => ws.browser_tests(),
            Self::ClientTests => ws.client_tests(),
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

/// Finds a package's version in the text of a `Cargo.lock`.
fn locked_version<'lock>(lock: &'lock str, package: &str) -> Option<&'lock str> {
    let name = format!("name = \"{package}\"");
    let mut lines = lock.lines();
    lines.find(|line| *line == name)?;
    lines.next()?.strip_prefix("version = \"")?.strip_suffix('"')
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const LOCK: &str = r#"
[[package]]
name = "wasm-bindgen-macro"
version = "0.2.9"

[[package]]
name = "wasm-bindgen"
version = "0.2.130"
source = "registry"
"#;

    #[test]
    fn version_of_the_exact_name_is_found() {
        assert_eq!(locked_version(LOCK, "wasm-bindgen"), Some("0.2.130"));
        assert_eq!(locked_version(LOCK, "wasm-bindgen-macro"), Some("0.2.9"));
        assert_eq!(locked_version(LOCK, "wasm"), None);
    }

    #[test]
    fn this_repository_is_found() {
        let Ok(ws) = Workspace::find() else { panic!("the test runs inside the repository") };
        assert!(ws.root().join("crates").join("xtask").is_dir());
    }

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
