//! How each need is met on each system: the commands and packages that bring it.

use crate::command::{Command, version, which};
use crate::error::Result;
use crate::host::{Host, Manager, Os};
use crate::toolchain;
use crate::tools::{self, BINARYEN, Need};
use crate::workspace::Workspace;

/// How a need is met on some machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// These packages, through apt.
    Apt(&'static [&'static str]),
    /// This command.
    Run(Command),
    /// This command, and these packages where it does not work.
    RunOrApt(Command, &'static [&'static str]),
    /// Nothing that xtask can do: what a person can.
    ByHand(String),
}

/// How a need is met on this system.
pub(crate) fn remedy(ws: &Workspace, host: &Host, need: Need) -> Result<Remedy> {
    let folder = ws.tools();
    let cargo_install = |package: &str| Command::cargo(["install", package, "--root"]).arg(&folder);
    Ok(match need {
        Need::WasmBindgen => {
            let version = format!("={}", ws.locked_version("wasm-bindgen")?);
            let command =
                cargo_install("wasm-bindgen-cli").args(["--version", &version, "--bin", "wasm-bindgen"]);
            // It runs for seconds and takes minutes to compile: less optimisation is the faster way.
            Remedy::Run(command.env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1"))
        }
        Need::WasmOpt => {
            let package = format!("binaryen@{BINARYEN}");
            Remedy::Run(
                Command::npm(["install", "--no-fund", "--no-audit", "--no-save", &package, "--prefix"])
                    .arg(folder),
            )
        }
        Need::CargoFuzz => Remedy::Run(cargo_install("cargo-fuzz")),
        Need::CargoDeny => Remedy::Run(cargo_install("cargo-deny").arg("--locked")),
        // The Python package brings the program ready to run; compiling it would take minutes.
        // A folder of its own: pip replaces what it finds in its target.
        Need::Typos if which(&["pip"]).is_some() => {
            let args = ["install", "--quiet", "--upgrade", "typos", "--target"];
            Remedy::Run(Command::new("pip", args).arg(folder.join("typos")))
        }
        Need::PythonClients if which(&["pip"]).is_none() => {
            Remedy::ByHand("install Python 3 with pip, then `cargo xtask setup` again".into())
        }
        Need::PythonClients => {
            let command = Command::new("pip", ["install", "--quiet", "--upgrade", "--requirement"]);
            let command = command.arg(ws.python_requirements()).arg("--target");
            Remedy::Run(command.arg(tools::python_clients(ws)))
        }
        Need::Typos => Remedy::Run(cargo_install("typos-cli").arg("--locked")),
        Need::NpmPackages(project) => Remedy::Run(project.install(ws)),
        Need::WasmTarget => match toolchain::rustup_target() {
            Some(rustup) if host.os == Os::Debian => Remedy::RunOrApt(rustup, toolchain::debian_packages(ws)),
            None if host.os == Os::Debian => Remedy::Apt(toolchain::debian_packages(ws)),
            Some(rustup) => Remedy::Run(rustup),
            None => Remedy::ByHand(
                "install Rust through https://rustup.rs, then `cargo xtask setup` again".into(),
            ),
        },
        need => from_the_system(host, need),
    })
}

/// A screen, and the libraries that a window loads.
const VIRTUAL_SCREEN: &[&str] =
    &["xvfb", "libx11-6", "libx11-xcb1", "libxcursor1", "libxi6", "libxrandr2", "libxkbcommon-x11-0"];

/// How a need is met that comes from the operating system.
fn from_the_system(host: &Host, need: Need) -> Remedy {
    match &host.os {
        Os::Debian => match need {
            Need::Vulkan => Remedy::Apt(&["libvulkan1", "mesa-vulkan-drivers"]),
            Need::Chromium => Remedy::Apt(&["chromium"]),
            Need::Firefox => Remedy::Apt(&["firefox-esr"]),
            Need::VirtualScreen => Remedy::Apt(VIRTUAL_SCREEN),
            Need::CxxCompiler => Remedy::Apt(&["g++"]),
            _ => node_from_apt(),
        },
        Os::Ubuntu => match need {
            Need::Vulkan => Remedy::Apt(&["libvulkan1", "mesa-vulkan-drivers"]),
            Need::Chromium => snap(host, "chromium"),
            Need::Firefox => snap(host, "firefox"),
            Need::VirtualScreen => Remedy::Apt(VIRTUAL_SCREEN),
            Need::CxxCompiler => Remedy::Apt(&["g++"]),
            _ => node_from_apt(),
        },
        Os::Linux(Some(manager)) => {
            let line: Vec<&str> = ["sudo"]
                .iter()
                .chain(manager.install())
                .chain(linux_packages(*manager, need))
                .copied()
                .collect();
            Remedy::ByHand(line.join(" "))
        }
        Os::Linux(None) => Remedy::ByHand(
            match need {
                Need::Vulkan => "install your system's Vulkan loader and Mesa's Vulkan drivers",
                Need::Chromium => "install Chromium, or set QWILL_CHROMIUM to its path",
                Need::Firefox => "install Firefox, or set QWILL_FIREFOX to its path",
                Need::VirtualScreen => "install Xvfb, libXcursor, libXi and libxkbcommon-x11",
                Need::CxxCompiler => "install g++ or clang",
                _ => "install Node.js from https://nodejs.org/en/download",
            }
            .into(),
        ),
        Os::Mac => Remedy::ByHand(
            match need {
                Need::Chromium => "brew install --cask google-chrome",
                Need::Firefox => "brew install --cask firefox",
                Need::CxxCompiler => "xcode-select --install",
                _ => "brew install node",
            }
            .into(),
        ),
        Os::Windows => Remedy::ByHand(
            match need {
                Need::Chromium => "winget install --exact Google.Chrome",
                Need::Firefox => "winget install --exact Mozilla.Firefox",
                Need::CxxCompiler => "winget install --exact Microsoft.VisualStudio.2022.BuildTools",
                _ => "winget install --exact OpenJS.NodeJS.LTS",
            }
            .into(),
        ),
    }
}

fn linux_packages(manager: Manager, need: Need) -> &'static [&'static str] {
    match (need, manager) {
        (Need::Vulkan, Manager::Dnf) => &["vulkan-loader", "mesa-vulkan-drivers"],
        (Need::Vulkan, Manager::Pacman) => &["vulkan-icd-loader", "vulkan-swrast"],
        (Need::Vulkan, Manager::Zypper) => &["libvulkan1", "libvulkan_lvp"],
        (Need::Vulkan, Manager::Apk) => &["vulkan-loader", "mesa-vulkan-swrast"],
        (Need::Chromium, _) => &["chromium"],
        (Need::Firefox, Manager::Zypper) => &["MozillaFirefox"],
        (Need::Firefox, _) => &["firefox"],
        (Need::VirtualScreen, Manager::Dnf | Manager::Zypper) => {
            &["xorg-x11-server-Xvfb", "libXcursor", "libXi", "libxkbcommon-x11"]
        }
        (Need::VirtualScreen, Manager::Pacman) => {
            &["xorg-server-xvfb", "libxcursor", "libxi", "libxkbcommon-x11"]
        }
        (Need::VirtualScreen, Manager::Apk) => &["xvfb", "libxcursor", "libxi", "libxkbcommon-x11"],
        (Need::CxxCompiler, Manager::Dnf | Manager::Zypper) => &["gcc-c++"],
        (Need::CxxCompiler, Manager::Pacman) => &["gcc"],
        (Need::CxxCompiler, Manager::Apk) => &["g++"],
        (_, Manager::Zypper) => &["nodejs22", "npm22"],
        _ => &["nodejs", "npm"],
    }
}

/// Ubuntu's apt has only signposts to the snaps.
fn snap(host: &Host, package: &str) -> Remedy {
    match host.as_root("snap", &["install", package]) {
        Some(command) if which(&["snap"]).is_some() => Remedy::Run(command),
        _ => Remedy::ByHand(format!("sudo snap install {package}")),
    }
}

/// Debian 12 has only Node 18; which version apt would bring is known once it was asked.
fn node_from_apt() -> Remedy {
    let policy = Command::new("apt-cache", ["policy", "nodejs"]).output().unwrap_or_default();
    node_remedy(&policy)
}

fn node_remedy(policy: &str) -> Remedy {
    let candidate = policy.lines().find_map(|line| line.trim().strip_prefix("Candidate: "));
    match candidate.and_then(version) {
        Some(version) if version >= tools::NODE => Remedy::Apt(&["nodejs", "npm"]),
        _ => Remedy::ByHand("install Node.js from https://nodejs.org/en/download (apt's is too old)".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Privileges;
    use crate::workspace::Project;

    fn workspace() -> Workspace {
        let Ok(ws) = Workspace::find() else { panic!("the test runs inside the repository") };
        ws
    }

    fn host(os: Os) -> Host {
        Host { os, privileges: Privileges::Sudo }
    }

    fn remedy_on(os: Os, need: Need) -> Remedy {
        let Ok(remedy) = remedy(&workspace(), &host(os), need) else { panic!("{need:?} must have a remedy") };
        remedy
    }
    #[test]
    fn debian_gets_browsers_and_drivers_through_apt() {
        assert_eq!(remedy_on(Os::Debian, Need::Vulkan), Remedy::Apt(&["libvulkan1", "mesa-vulkan-drivers"]));
        assert_eq!(remedy_on(Os::Debian, Need::Firefox), Remedy::Apt(&["firefox-esr"]));
    }

    #[test]
    fn other_systems_name_the_exact_command() {
        let by_hand = |os, need, how: &str| assert_eq!(remedy_on(os, need), Remedy::ByHand(how.into()));
        by_hand(Os::Mac, Need::Firefox, "brew install --cask firefox");
        by_hand(Os::Mac, Need::Node, "brew install node");
        by_hand(Os::Windows, Need::Chromium, "winget install --exact Google.Chrome");
        by_hand(
            Os::Linux(Some(Manager::Dnf)),
            Need::Vulkan,
            "sudo dnf install vulkan-loader mesa-vulkan-drivers",
        );
        by_hand(Os::Linux(Some(Manager::Pacman)), Need::Node, "sudo pacman -S nodejs npm");
        by_hand(Os::Linux(None), Need::CxxCompiler, "install g++ or clang");
    }

    #[test]
    fn tools_of_ours_are_installed_the_same_way_everywhere() {
        for os in [Os::Debian, Os::Mac, Os::Windows, Os::Linux(None)] {
            for need in
                [Need::WasmBindgen, Need::WasmOpt, Need::CargoFuzz, Need::NpmPackages(Project::Package)]
            {
                assert!(matches!(remedy_on(os.clone(), need), Remedy::Run(_)), "{need:?} on {os:?}");
            }
        }
    }

    #[test]
    fn wasm_bindgen_is_installed_in_the_locked_version() {
        let Remedy::Run(command) = remedy_on(Os::Debian, Need::WasmBindgen) else {
            panic!("a command is expected")
        };
        let Ok(version) = workspace().locked_version("wasm-bindgen") else { panic!("Cargo.lock pins it") };
        assert!(command.to_string().contains(&format!("--version ={version} ")), "{command}");
    }

    #[test]
    fn node_comes_from_apt_only_where_it_is_new_enough() {
        assert_eq!(
            node_remedy("nodejs:\n  Installed: (none)\n  Candidate: 20.19.2+dfsg-1\n"),
            Remedy::Apt(&["nodejs", "npm"])
        );
        for old in ["nodejs:\n  Candidate: 18.20.4+dfsg-1~deb12u1\n", "nodejs:\n  Candidate: (none)\n", ""] {
            assert!(matches!(node_remedy(old), Remedy::ByHand(_)), "{old}");
        }
    }
}
