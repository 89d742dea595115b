//! The steps that tests and lints are made of.

use crate::bench_report;
use crate::command::{Command, which};
use crate::error::Result;
use crate::fuzz;
use crate::gpu_kit;
use crate::npm;
use crate::tools::{self, Need};
use crate::wasm;
use crate::workspace::{Project, Workspace};
use std::env::consts::EXE_EXTENSION;
use std::path::PathBuf;
use std::time::Duration;

/// One step: what it is called, what it needs, what must have passed before it, and what it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Formatting of the Rust sources.
    Format,
    /// Lints of everything that builds natively.
    Clippy,
    /// Lints of what becomes the wasm module.
    ClippyWasm,
    /// The workspace's tests; the check of every shader permutation is one of them.
    Tests,
    /// Examples in the documentation.
    DocTests,
    /// The example programs, with the model that ships.
    Examples,
    /// The wasm module.
    Wasm,
    /// The npm package.
    Package,
    /// Types and lints of an npm project.
    Check(Project),
    /// The npm package's tests that need no browser.
    Unit,
    /// The chat demo's production build.
    WebBuild,
    /// The package in real browsers.
    Browsers,
    /// Others' clients against the server.
    Clients,
    /// The same of the Python ones, where there is Python.
    PythonClients,
    /// The desktop program in a window of a virtual screen.
    Desktop,
    /// Short runs of the fuzz targets.
    Fuzz,
    /// Tables and plots of measurements against their records.
    BenchReport,
    /// The folder for machines with a GPU, run with tiny sizes.
    GpuKit,
    /// Spelling.
    Typos,
    /// Licences and sources of dependencies.
    Deny,
}

impl Step {
    /// What it is called in the summary.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Format => "rustfmt",
            Self::Clippy => "clippy",
            Self::ClippyWasm => "clippy for wasm32",
            Self::Tests => "Rust tests",
            Self::DocTests => "Rust doc tests",
            Self::Examples => "Rust examples",
            Self::Wasm => "wasm build",
            Self::Package => "npm build",
            Self::Check(Project::Package) => "npm check",
            Self::Check(Project::Web) => "web check",
            Self::Check(Project::BrowserTests) => "browser tests check",
            Self::Check(Project::ClientTests) => "client tests check",
            Self::Unit => "npm tests",
            Self::Browsers => "browser tests",
            Self::Clients => "client tests",
            Self::PythonClients => "Python client tests",
            Self::WebBuild => "web build",
            Self::Desktop => "desktop window",
            Self::Fuzz => "fuzzing",
            Self::BenchReport => "benchmark report",
            Self::GpuKit => "GPU kit",
            Self::Typos => "typos",
            Self::Deny => "cargo-deny",
        }
    }

    /// What must be on the machine.
    pub(crate) fn needs(self) -> Vec<Need> {
        match self {
            Self::Format | Self::Clippy | Self::DocTests | Self::BenchReport => vec![],
            Self::ClippyWasm => vec![Need::WasmTarget],
            Self::Tests | Self::Examples | Self::GpuKit => vec![Need::Vulkan],
            Self::Wasm => wasm::NEEDS.to_vec(),
            Self::Package => npm::NEEDS.to_vec(),
            Self::Check(project) => vec![Need::Node, Need::NpmPackages(project)],
            Self::Unit => vec![Need::Node, Need::NpmPackages(Project::Package)],
            Self::WebBuild => vec![Need::Node, Need::NpmPackages(Project::Web)],
            Self::Browsers => {
                let packages = Need::NpmPackages(Project::BrowserTests);
                vec![Need::Vulkan, Need::Node, packages, Need::Chromium, Need::Firefox]
            }
            Self::Clients => vec![Need::Vulkan, Need::Node, Need::NpmPackages(Project::ClientTests)],
            Self::PythonClients => vec![Need::Vulkan, Need::PythonClients],
            Self::Desktop => vec![Need::Vulkan, Need::VirtualScreen],
            Self::Fuzz => vec![Need::CxxCompiler, Need::CargoFuzz],
            Self::Typos => vec![Need::Typos],
            Self::Deny => vec![Need::CargoDeny],
        }
    }

    /// The steps whose results it uses.
    pub(crate) fn after(self) -> &'static [Self] {
        match self {
            Self::Package => &[Self::Wasm],
            // The demo imports the package's built code and types.
            Self::Check(Project::Web) | Self::WebBuild => &[Self::Package],
            Self::Browsers => &[Self::Package, Self::WebBuild],
            _ => &[],
        }
    }

    /// Why it cannot run on this system, if so.
    pub(crate) fn impossible(self) -> Option<&'static str> {
        match self {
            Self::PythonClients if which(&["python3"]).is_none() || which(&["pip"]).is_none() => {
                Some("there is no Python with pip")
            }
            Self::Fuzz if cfg!(windows) => Some("cargo-fuzz does not work on Windows"),
            Self::Desktop if !cfg!(target_os = "linux") => {
                Some("its virtual screen, Xvfb, is for Linux; the other tests of the desktop program ran")
            }
            Self::GpuKit if !cfg!(target_os = "linux") => Some("the GPU kit is for Linux"),
            _ => None,
        }
    }

    /// Runs it.
    pub(crate) fn run(self, ws: &Workspace) -> Result<()> {
        match self {
            Self::Format => cargo(ws, &["fmt", "--all", "--check"]),
            Self::Clippy => cargo(ws, &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]),
            Self::ClippyWasm => wasm::lint(ws),
            Self::Tests => cargo(ws, test_args(Runner::detect())),
            Self::DocTests => cargo(ws, &["test", "--workspace", "--doc", "--no-fail-fast"]),
            Self::Examples => examples(ws),
            Self::Wasm => wasm::build(ws),
            Self::Package => npm::finish(ws),
            Self::Check(project) => script(ws, project, "check"),
            Self::Unit => script(ws, Project::Package, "test"),
            Self::WebBuild => script(ws, Project::Web, "build"),
            Self::Browsers => browsers(ws),
            Self::Clients => {
                let command = Project::ClientTests.script(ws, "test");
                command.env("QWILL_SCRIPTED", scripted_server(ws)?).limit(LIMIT).run()
            }
            Self::PythonClients => {
                let tests = ws.client_tests().join("python").join("test_clients.py");
                let command = Command::new("python3", [tests]).env("PYTHONPATH", tools::python_clients(ws));
                command.env("QWILL_SCRIPTED", scripted_server(ws)?).in_dir(ws.root()).limit(LIMIT).run()
            }
            Self::Desktop => {
                // Of the whole workspace, so that what it builds on is not built anew.
                let args =
                    ["test", "--workspace", "--features", "qwill-desktop/window-tests", "--test", "window"];
                cargo(ws, &[&args[..], &["--", "--test-threads=1"]].concat())
            }
            Self::Fuzz => fuzz::run(ws),
            Self::BenchReport => bench_report::check(ws),
            Self::GpuKit => gpu_kit::check(ws),
            Self::Typos => {
                let program = tools::installed(ws, "typos").unwrap_or_else(|| "typos".into());
                Command::new(program, ["--config", "typos.toml"]).in_dir(ws.root()).run()
            }
            Self::Deny => {
                let program = tools::installed(ws, "cargo-deny").unwrap_or_else(|| "cargo-deny".into());
                // Advisories need a database from elsewhere; the rest is in Cargo.lock.
                Command::new(program, ["check", "bans", "licenses", "sources"]).in_dir(ws.root()).run()
            }
        }
    }
}

/// What `crates/qwill/examples` holds.
const EXAMPLES: [&str; 5] = ["axum", "chat", "embed", "parallel", "session"];

/// Longer than any step takes on two cores; a hanging browser must not hold up everything behind it.
const LIMIT: Duration = Duration::from_secs(60 * 60);

fn cargo(ws: &Workspace, args: &[&str]) -> Result<()> {
    Command::cargo(args).in_dir(ws.root()).limit(LIMIT).run()
}

fn script(ws: &Workspace, project: Project, name: &str) -> Result<()> {
    project.script(ws, name).limit(LIMIT).run()
}

fn examples(ws: &Workspace) -> Result<()> {
    build_examples(ws)?;
    EXAMPLES
        .iter()
        .try_for_each(|name| Command::new::<&str>(example(ws, name), []).in_dir(ws.root()).limit(LIMIT).run())
}

/// Of the whole workspace, as for the tests, which have built all of it then.
fn build_examples(ws: &Workspace) -> Result<()> {
    cargo(ws, &["build", "--workspace", "--examples"])
}

fn example(ws: &Workspace, name: &str) -> PathBuf {
    ws.target().join("debug/examples").join(name).with_extension(EXE_EXTENSION)
}

/// The server that clients are tried against, built before they wait for it to answer.
fn scripted_server(ws: &Workspace) -> Result<PathBuf> {
    build_examples(ws)?;
    Ok(example(ws, "scripted_server"))
}

/// What runs the Rust tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Runner {
    /// Runs test binaries side by side; used where it is installed.
    Nextest,
    /// What every toolchain has.
    Cargo,
}

impl Runner {
    fn detect() -> Self {
        if which(&["cargo-nextest"]).is_some() { Self::Nextest } else { Self::Cargo }
    }
}

/// The arguments that run all tests but those in documentation, which are a step of their own.
fn test_args(runner: Runner) -> &'static [&'static str] {
    match runner {
        Runner::Nextest => {
            // Said again at the end, where a log that was cut still shows it.
            &["nextest", "run", "--workspace", "--no-fail-fast", "--failure-output", "immediate-final"]
        }
        Runner::Cargo => &["test", "--workspace", "--lib", "--bins", "--tests", "--no-fail-fast"],
    }
}

fn browsers(ws: &Workspace) -> Result<()> {
    let mut command = Project::BrowserTests.script(ws, "test").limit(LIMIT);
    for (variable, program) in [("QWILL_CHROMIUM", tools::chromium()), ("QWILL_FIREFOX", tools::firefox())] {
        if let Some(program) = program {
            command = command.env(variable, program);
        }
    }
    command.run()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_example_is_run() {
        let Ok(ws) = Workspace::find() else { panic!("the test runs inside the repository") };
        let files = std::fs::read_dir(ws.root().join("crates/qwill/examples")).unwrap();
        let mut names: Vec<_> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        assert_eq!(names, EXAMPLES.map(|name| format!("{name}.rs")));
    }

    #[test]
    fn doc_tests_are_not_run_twice() {
        for runner in [Runner::Nextest, Runner::Cargo] {
            assert!(!test_args(runner).contains(&"--doc"));
            assert!(test_args(runner).contains(&"--workspace"));
        }
    }
}
