//! What building and testing needs from the machine, and how to see whether it is there.
//!
//! Detection looks at files and asks programs for their version; nothing here changes anything.

use crate::command::{Command, Version, version, which};
use crate::host::Host;
use crate::toolchain::Toolchain;
use crate::workspace::{Project, Workspace};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// The version of the npm package that brings `wasm-opt`.
pub(crate) const BINARYEN: &str = "132.0.0";
/// The oldest Node that the web build's tools run on.
pub(crate) const NODE: Version = (20, 19);

/// One thing that must be there before some command can do its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// A Vulkan loader and at least one driver, in software if need be.
    Vulkan,
    /// A compiler and standard library for wasm32.
    WasmTarget,
    /// The `wasm-bindgen` program of the version in `Cargo.lock`.
    WasmBindgen,
    /// Binaryen's `wasm-opt`.
    WasmOpt,
    /// Node.js with npm.
    Node,
    /// The packages that one of our npm projects pins.
    NpmPackages(Project),
    /// Chromium or Chrome.
    Chromium,
    /// Firefox.
    Firefox,
    /// A screen without a monitor, and what programs load to draw on it.
    VirtualScreen,
    /// A C++ compiler, for libFuzzer.
    CxxCompiler,
    /// `cargo fuzz`.
    CargoFuzz,
    /// Others' Python clients, in the versions that tests/clients/python names.
    PythonClients,
    /// The spelling checker.
    Typos,
    /// The checker of dependencies' licences and sources.
    CargoDeny,
}

impl Need {
    /// Everything that building and testing needs in this repository.
    pub(crate) const ALL: &[Self] = &[
        Self::Vulkan,
        Self::WasmTarget,
        Self::Node,
        Self::WasmBindgen,
        Self::WasmOpt,
        Self::NpmPackages(Project::Package),
        Self::NpmPackages(Project::Web),
        Self::NpmPackages(Project::BrowserTests),
        Self::NpmPackages(Project::ClientTests),
        Self::Chromium,
        Self::Firefox,
        Self::VirtualScreen,
        Self::CxxCompiler,
        Self::CargoFuzz,
    ];

    /// What a person calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Vulkan => "a Vulkan driver",
            Self::WasmTarget => "the wasm32 target",
            Self::WasmBindgen => "wasm-bindgen",
            Self::WasmOpt => "wasm-opt",
            Self::Node => "Node.js 20.19 or newer with npm",
            Self::NpmPackages(Project::Package) => "npm packages of npm/",
            Self::NpmPackages(Project::Web) => "npm packages of web/",
            Self::NpmPackages(Project::BrowserTests) => "npm packages of tests/browser/",
            Self::NpmPackages(Project::ClientTests) => "npm packages of tests/clients/",
            Self::Chromium => "Chromium",
            Self::Firefox => "Firefox",
            Self::VirtualScreen => "Xvfb and X11's libraries",
            Self::CxxCompiler => "a C++ compiler",
            Self::CargoFuzz => "cargo-fuzz",
            Self::PythonClients => "Python packages of tests/clients/python/",
            Self::Typos => "typos",
            Self::CargoDeny => "cargo-deny",
        }
    }

    /// Whether it is there.
    pub(crate) fn is_met(self, ws: &Workspace, host: &Host) -> bool {
        match self {
            Self::Vulkan => has_vulkan(host),
            Self::WasmTarget => Toolchain::detect(ws).is_some(),
            Self::WasmBindgen => wasm_bindgen(ws).is_some(),
            Self::WasmOpt => wasm_opt(ws).is_some(),
            Self::Node => has_node(),
            Self::NpmPackages(project) => project.is_installed(ws),
            Self::Chromium => chromium().is_some(),
            Self::Firefox => firefox().is_some(),
            Self::VirtualScreen => has_virtual_screen(host),
            Self::CxxCompiler => which(&["c++", "g++", "clang++", "cl"]).is_some(),
            Self::CargoFuzz => installed(ws, "cargo-fuzz").is_some(),
            Self::PythonClients => has_python_clients(ws),
            Self::Typos => installed(ws, "typos").is_some(),
            Self::CargoDeny => installed(ws, "cargo-deny").is_some(),
        }
    }
}

/// A tool from this repository's own folder of tools, or else from PATH.
pub(crate) fn installed(ws: &Workspace, name: &str) -> Option<PathBuf> {
    let in_bin = |dir: PathBuf| dir.join("bin").join(name).with_extension(env::consts::EXE_EXTENSION);
    let own = [in_bin(ws.tools()), in_bin(ws.tools().join(name))];
    own.into_iter().find(|path| path.is_file()).or_else(|| which(&[name]))
}

/// Where Python finds the clients.
pub(crate) fn python_clients(ws: &Workspace) -> PathBuf {
    ws.tools().join("clients")
}

fn has_python_clients(ws: &Workspace) -> bool {
    let Ok(wanted) = fs::read_to_string(ws.python_requirements()) else { return false };
    let folder = python_clients(ws);
    wanted.lines().filter_map(|line| line.split_once("==")).all(|(name, version)| {
        folder.join(format!("{}-{version}.dist-info", name.replace('-', "_"))).is_dir()
    })
}

/// The `wasm-bindgen` program whose version is the library's; any other refuses our module.
pub(crate) fn wasm_bindgen(ws: &Workspace) -> Option<PathBuf> {
    let program = installed(ws, "wasm-bindgen")?;
    let said = Command::new(&program, ["--version"]).output()?;
    (said.split_whitespace().nth(1)? == ws.locked_version("wasm-bindgen").ok()?).then_some(program)
}

/// The JavaScript that is `wasm-opt`, to be run with node.
pub(crate) fn wasm_opt(ws: &Workspace) -> Option<PathBuf> {
    let package = ws.tools().join("node_modules").join("binaryen");
    let manifest = fs::read_to_string(package.join("package.json")).ok()?;
    let manifest: serde_json::Value = serde_json::from_str(&manifest).ok()?;
    let program = package.join("bin").join("wasm-opt");
    (manifest["version"] == BINARYEN && program.is_file()).then_some(program)
}

/// Chromium's program; the browser tests read the same variable.
pub(crate) fn chromium() -> Option<PathBuf> {
    browser(
        "QWILL_CHROMIUM",
        &["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"],
        &[
            "/usr/bin/chromium",
            "/snap/bin/chromium",
            "/Applications/Chromium.app/Contents/MacOS/Chromium",
            "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
            r"C:\Program Files\Google\Chrome\Application\chrome.exe",
            r"C:\Program Files (x86)\Google\Chrome\Application\chrome.exe",
        ],
    )
}

/// Firefox's program; the browser tests read the same variable.
pub(crate) fn firefox() -> Option<PathBuf> {
    browser(
        "QWILL_FIREFOX",
        &["firefox-esr", "firefox"],
        &[
            "/usr/bin/firefox-esr",
            "/snap/bin/firefox",
            "/Applications/Firefox.app/Contents/MacOS/firefox",
            r"C:\Program Files\Mozilla Firefox\firefox.exe",
        ],
    )
}

fn browser(variable: &str, names: &[&str], places: &[&str]) -> Option<PathBuf> {
    if let Some(chosen) = env::var_os(variable) {
        return Some(PathBuf::from(chosen)).filter(|path| path.is_file());
    }
    let found = which(names).or_else(|| places.iter().map(PathBuf::from).find(|path| path.is_file()))?;
    is_real_browser(&found).then_some(found)
}

/// Ubuntu's `chromium-browser` and `firefox` are scripts that only say "install the snap".
fn is_real_browser(program: &Path) -> bool {
    match fs::read_to_string(program) {
        Ok(script) => {
            !script.contains("snap install")
                || Path::new("/snap/bin").join(program.file_name().unwrap_or_default()).exists()
        }
        // Not text: a binary, as it should be.
        Err(_) => true,
    }
}

fn has_node() -> bool {
    // npm itself is not asked: starting it takes half a second.
    let npm = which(&["npm"]).is_some();
    npm && Command::new("node", ["--version"])
        .output()
        .and_then(|said| version(&said))
        .is_some_and(|found| found >= NODE)
}

/// Other systems have screens of their own, on which their tests run.
fn has_virtual_screen(host: &Host) -> bool {
    if matches!(host.os, crate::host::Os::Mac | crate::host::Os::Windows) {
        return true;
    }
    let libraries = library_dirs();
    let finds = |library: &&str| libraries.iter().any(|dir| dir.join(library).is_file());
    which(&["Xvfb"]).is_some() && X11_LIBRARIES.iter().all(finds)
}

/// What a window loads when it opens.
const X11_LIBRARIES: [&str; 5] =
    ["libX11.so.6", "libX11-xcb.so.1", "libXcursor.so.1", "libXi.so.6", "libxkbcommon-x11.so.0"];

/// Only Linux can lack a driver that wgpu uses: Metal and DX12 come with their systems.
fn has_vulkan(host: &Host) -> bool {
    if matches!(host.os, crate::host::Os::Mac | crate::host::Os::Windows) {
        return true;
    }
    let libraries = library_dirs();
    let finds = |library: &str| {
        if library.contains('/') {
            Path::new(library).is_file()
        } else {
            libraries.iter().any(|dir| dir.join(library).is_file())
        }
    };
    finds("libvulkan.so.1")
        && driver_manifests().iter().any(|path| {
            let text = fs::read_to_string(path).unwrap_or_default();
            // A relative path with a slash is meant from the manifest's folder.
            driver_library(&text).is_some_and(|library| {
                finds(&library) || path.parent().is_some_and(|dir| dir.join(&library).is_file())
            })
        })
}

/// Where the dynamic linker looks, near enough.
fn library_dirs() -> Vec<PathBuf> {
    let mut dirs: Vec<PathBuf> =
        env::split_paths(&env::var_os("LD_LIBRARY_PATH").unwrap_or_default()).collect();
    for parent in ["/usr/lib", "/lib", "/usr/local/lib"] {
        dirs.push(parent.into());
        dirs.push(Path::new(parent).join(format!("{}-linux-gnu", env::consts::ARCH)));
    }
    dirs.extend(["/usr/lib64", "/lib64", "/run/opengl-driver/lib"].map(PathBuf::from));
    dirs
}

/// The driver manifests in the places that the Vulkan loader searches.
fn driver_manifests() -> Vec<PathBuf> {
    for variable in ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"] {
        if let Some(files) = env::var_os(variable) {
            return env::split_paths(&files).collect();
        }
    }
    let mut dirs: Vec<PathBuf> = ["/usr/share", "/usr/local/share", "/etc", "/run/opengl-driver/share"]
        .iter()
        .map(|dir| Path::new(dir).join("vulkan/icd.d"))
        .collect();
    if let Some(home) = env::var_os("HOME") {
        dirs.push(Path::new(&home).join(".local/share/vulkan/icd.d"));
    }
    dirs.iter()
        .filter_map(|dir| fs::read_dir(dir).ok())
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .collect()
}

/// The library that a driver manifest names.
fn driver_library(manifest: &str) -> Option<String> {
    let manifest: serde_json::Value = serde_json::from_str(manifest).ok()?;
    manifest["ICD"]["library_path"].as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn driver_manifest_names_its_library() {
        let text = r#"{"ICD": {"api_version": "1.1.230", "library_path": "libvulkan_lvp.so"}, "file_format_version": "1"}"#;
        assert_eq!(driver_library(text).as_deref(), Some("libvulkan_lvp.so"));
        assert_eq!(driver_library("{}"), None);
        assert_eq!(driver_library("not json"), None);
    }

    #[test]
    fn a_script_that_only_names_the_snap_is_no_browser() {
        let path = env::temp_dir().join(format!("xtask-no-browser-{}", std::process::id()));
        let says = |text: &str| {
            let Ok(()) = fs::write(&path, text) else { panic!("{} must be writable", path.display()) };
            let real = is_real_browser(&path);
            let _ = fs::remove_file(&path);
            real
        };
        assert!(!says("#!/bin/sh\necho 'please run: snap install chromium'\n"));
        assert!(says("#!/bin/sh\nexec /usr/lib/chromium/chromium \"$@\"\n"));
    }

    #[test]
    fn needs_have_distinct_names() {
        for (at, need) in Need::ALL.iter().enumerate() {
            assert!(Need::ALL[..at].iter().all(|other| other.name() != need.name()), "{need:?}");
        }
    }
}
