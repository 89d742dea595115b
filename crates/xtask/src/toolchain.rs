//! The compiler for the wasm module.

use crate::command::{Command, Version, version, which};
use crate::error::{Error, Result};
use crate::workspace::Workspace;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

pub(crate) const TARGET: &str = "wasm32-unknown-unknown";
/// The oldest compiler that builds this workspace.
const RUST: Version = (1, 95);
/// Set to `rustup` or `debian`, it leaves out the other way of compiling for wasm32.
const CHOICE: &str = "QWILL_WASM_TOOLCHAIN";

/// A way to compile for wasm32.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Toolchain {
    /// The cargo that runs us has the target.
    Ordinary,
    /// Debian's newer compiler and its standard library's sources, linked with somebody's LLD.
    /// The way for machines that cannot reach rustup's server.
    Debian {
        /// An LLD that links wasm.
        linker: PathBuf,
    },
}

impl Toolchain {
    /// The best way that works on this machine.
    pub(crate) fn detect(ws: &Workspace) -> Option<Self> {
        let choice = env::var(CHOICE).unwrap_or_default();
        let rustlib = rustlib(ws);
        if choice != "debian" && rustlib.as_ref().is_some_and(|dir| dir.join(TARGET).join("lib").is_dir()) {
            return Some(Self::Ordinary);
        }
        (choice != "rustup" && Self::debian_is_there())
            .then(|| linker(rustlib.as_deref()))
            .flatten()
            .map(|linker| Self::Debian { linker })
    }

    fn debian_is_there() -> bool {
        let files =
            ["/usr/bin/cargo", "/usr/bin/cargo-clippy", "/usr/lib/rustlib/src/rust/library/std/Cargo.toml"];
        files.iter().all(|file| Path::new(file).is_file())
            && Command::new("/usr/bin/rustc", ["--version"])
                .output()
                .and_then(|said| version(&said))
                .is_some_and(|found| found >= RUST)
    }

    /// The cargo command `subcommand` on a package for wasm32 in its release profile.
    ///
    /// Lints use that profile, too: it is the standard library that takes long to build.
    pub(crate) fn cargo(&self, ws: &Workspace, subcommand: &str, package: &str) -> Command {
        let args = [subcommand, "--release", "--package", package, "--target", TARGET];
        match self {
            Self::Ordinary => Command::cargo(args),
            Self::Debian { linker } => {
                let path = env::var_os("PATH").unwrap_or_default();
                let dirs = [PathBuf::from("/usr/bin")].into_iter().chain(env::split_paths(&path));
                // The rustup proxies come first in PATH and would send rustc back to the other toolchain.
                let path = env::join_paths(dirs).unwrap_or(path);
                Command::new("/usr/bin/cargo", args)
                    .arg("-Zbuild-std=std,panic_abort")
                    .env("PATH", path)
                    .env("RUSTC_BOOTSTRAP", "1")
                    .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker)
                    .without_env("RUSTUP_TOOLCHAIN")
                    .without_env("RUSTC")
                    .without_env("RUSTDOC")
                    .without_env("RUSTC_WRAPPER")
            }
        }
        // wasm-bindgen reads sections that stripping takes away; wasm-opt drops the rest afterwards.
        .env("CARGO_PROFILE_RELEASE_STRIP", "none")
        .env("CARGO_TARGET_DIR", ws.wasm_target())
        .in_dir(ws.root())
    }

    /// The toolchain, or words about its absence.
    pub(crate) fn require(ws: &Workspace) -> Result<Self> {
        Self::detect(ws)
            .ok_or_else(|| Error::Missing("no compiler for wasm32: run `cargo xtask setup`".into()))
    }
}

/// The command that adds the target to the toolchain, where rustup manages it.
pub(crate) fn rustup_target() -> Option<Command> {
    let wanted = env::var(CHOICE).unwrap_or_default() != "debian";
    (wanted && which(&["rustup"]).is_some()).then(|| Command::new("rustup", ["target", "add", TARGET]))
}

/// Debian's packages that compile for wasm32 without rustup's server.
pub(crate) fn debian_packages(ws: &Workspace) -> &'static [&'static str] {
    const WITH_LINKER: &[&str] = &["rustc-web", "cargo-web", "rust-web-src", "rust-web-clippy", "lld-22"];
    if linker(rustlib(ws).as_deref()).is_some() { &WITH_LINKER[..4] } else { WITH_LINKER }
}

/// The folder of compiled standard libraries of the toolchain that runs us.
fn rustlib(ws: &Workspace) -> Option<PathBuf> {
    let sysroot = Command::new("rustc", ["--print", "sysroot"]).in_dir(ws.root()).output()?;
    Some(Path::new(sysroot.trim()).join("lib").join("rustlib"))
}

/// An LLD that links wasm: rustup's toolchains carry one, Debian has it as a package.
fn linker(rustlib: Option<&Path>) -> Option<PathBuf> {
    let of_rustup = rustlib.and_then(|dir| fs::read_dir(dir).ok()).into_iter().flatten().flatten();
    let of_rustup = of_rustup.map(|entry| entry.path().join("bin").join("rust-lld"));
    let of_debian = fs::read_dir("/usr/bin").ok().into_iter().flatten().flatten().map(|entry| entry.path());
    let of_debian = of_debian
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("wasm-ld")));
    of_rustup.chain(of_debian).find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workspace() -> Workspace {
        let Ok(ws) = Workspace::find() else { panic!("the test runs inside the repository") };
        ws
    }

    #[test]
    fn ordinary_toolchain_needs_no_tricks() {
        let shown = Toolchain::Ordinary.cargo(&workspace(), "build", "qwill-wasm").to_string();
        assert!(
            shown.ends_with("cargo build --release --package qwill-wasm --target wasm32-unknown-unknown"),
            "{shown}"
        );
        assert!(!shown.contains("RUSTC_BOOTSTRAP"), "{shown}");
    }

    #[cfg(unix)]
    #[test]
    fn debian_toolchain_builds_its_own_library() {
        let toolchain = Toolchain::Debian { linker: "/x/rust-lld".into() };
        let shown = toolchain.cargo(&workspace(), "clippy", "qwill-wasm").to_string();
        for part in [
            "PATH=/usr/bin:",
            "RUSTC_BOOTSTRAP=1",
            "LINKER=/x/rust-lld",
            "/usr/bin/cargo clippy --release",
            "-Zbuild-std=std,panic_abort",
        ] {
            assert!(shown.contains(part), "{part} in {shown}");
        }
    }

    #[test]
    fn every_build_goes_to_the_wasm_folder() {
        let ws = workspace();
        let shown = Toolchain::Ordinary.cargo(&ws, "build", "qwill-wasm").to_string();
        let dir = ws.wasm_target();
        assert!(shown.contains(&format!("CARGO_TARGET_DIR={}", dir.display())), "{shown}");
        assert_ne!(dir, ws.target());
    }
}
