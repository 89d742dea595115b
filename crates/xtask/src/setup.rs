//! Finding out what is missing, saying what would be installed, asking, and installing it.

use crate::command::{Command, which};
use crate::error::{Error, Result};
use crate::host::{Host, Manager, Os};
use crate::tools::{BINARYEN, Need};
use crate::wasm;
use crate::workspace::Workspace;
use std::fmt::Write as _;
use std::io::{self, BufRead, IsTerminal, Write as _};

/// Whether things may be installed without asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Consent {
    /// Ask first.
    Ask,
    /// `--yes`, or continuous integration.
    Given,
}

/// How a need is met on some machine.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Remedy {
    /// These packages, through apt.
    Apt(&'static [&'static str]),
    /// This command.
    Run(Command),
    /// This command, and these packages where it does not work.
    RunOrApt(Command, &'static [&'static str]),
    /// Nothing that xtask can do: what a person can.
    ByHand(String),
}

/// Sees to it that everything needed is there.
pub(crate) fn ensure(ws: &Workspace, needs: &[Need], consent: Consent) -> Result<()> {
    let host = Host::detect();
    let missing: Vec<Need> = needs
        .iter()
        .copied()
        .filter(|need| !need.is_met(ws, &host))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let plan = plan(ws, &host, &missing)?;
    println!("{}", described(&host, &plan));
    if let Some(refusal) = by_hand(&plan) {
        return Err(Error::Missing(refusal));
    }
    if consent == Consent::Ask {
        ask()?;
    }
    install(ws, &host, &plan)?;
    // A browser can be installed and still not be where we look: better said now than by a failing test.
    match missing.iter().find(|need| !need.is_met(ws, &host)) {
        None => Ok(()),
        Some(need) => Err(Error::Missing(format!(
            "{} was installed but still cannot be found",
            need.name()
        ))),
    }
}

fn plan(ws: &Workspace, host: &Host, missing: &[Need]) -> Result<Vec<(Need, Remedy)>> {
    missing
        .iter()
        .map(|need| Ok((*need, remedy(ws, host, *need)?)))
        .collect()
}

fn remedy(ws: &Workspace, host: &Host, need: Need) -> Result<Remedy> {
    let tools = ws.tools();
    let cargo_install = |package: &str| Command::cargo(["install", package, "--root"]).arg(&tools);
    Ok(match need {
        Need::WasmBindgen => {
            let version = format!("={}", ws.locked_version("wasm-bindgen")?);
            let command = cargo_install("wasm-bindgen-cli").args([
                "--version",
                &version,
                "--bin",
                "wasm-bindgen",
            ]);
            // It runs for seconds and takes minutes to compile: less optimisation is the faster way.
            Remedy::Run(command.env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1"))
        }
        Need::WasmOpt => {
            let package = format!("binaryen@{BINARYEN}");
            Remedy::Run(
                Command::npm([
                    "install",
                    "--no-fund",
                    "--no-audit",
                    "--no-save",
                    &package,
                    "--prefix",
                ])
                .arg(tools),
            )
        }
        Need::CargoFuzz => Remedy::Run(cargo_install("cargo-fuzz")),
        Need::CargoDeny => Remedy::Run(cargo_install("cargo-deny").arg("--locked")),
        // The Python package brings the program ready to run; compiling it would take minutes.
        Need::Typos if which(&["pip"]).is_some() => Remedy::Run(
            Command::new(
                "pip",
                ["install", "--quiet", "typos", "--upgrade", "--target"],
            )
            .arg(tools),
        ),
        Need::Typos => Remedy::Run(cargo_install("typos-cli").arg("--locked")),
        Need::NpmPackages(project) => Remedy::Run(project.install(ws)),
        Need::WasmTarget => match wasm::rustup_target() {
            Some(rustup) if host.os == Os::Debian => {
                Remedy::RunOrApt(rustup, wasm::debian_packages(ws))
            }
            None if host.os == Os::Debian => Remedy::Apt(wasm::debian_packages(ws)),
            Some(rustup) => Remedy::Run(rustup),
            None => Remedy::ByHand(
                "install Rust through https://rustup.rs, then `cargo xtask setup` again".into(),
            ),
        },
        need => from_the_system(host, need),
    })
}

/// How a need is met that comes from the operating system.
fn from_the_system(host: &Host, need: Need) -> Remedy {
    match &host.os {
        Os::Debian => match need {
            Need::Vulkan => Remedy::Apt(&["libvulkan1", "mesa-vulkan-drivers"]),
            Need::Chromium => Remedy::Apt(&["chromium"]),
            Need::Firefox => Remedy::Apt(&["firefox-esr"]),
            Need::CxxCompiler => Remedy::Apt(&["g++"]),
            _ => node_from_apt(),
        },
        Os::Ubuntu => match need {
            Need::Vulkan => Remedy::Apt(&["libvulkan1", "mesa-vulkan-drivers"]),
            Need::Chromium => snap(host, "chromium"),
            Need::Firefox => snap(host, "firefox"),
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
                Need::CxxCompiler => "install g++ or clang",
                _ => "install Node.js from https://nodejs.org/en/download",
            }
            .into(),
        ),
        Os::MacOs => Remedy::ByHand(
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
                Need::CxxCompiler => {
                    "winget install --exact Microsoft.VisualStudio.2022.BuildTools"
                }
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
    let policy = Command::new("apt-cache", ["policy", "nodejs"])
        .output()
        .unwrap_or_default();
    node_remedy(&policy)
}

fn node_remedy(policy: &str) -> Remedy {
    let candidate = policy
        .lines()
        .find_map(|line| line.trim().strip_prefix("Candidate: "));
    match candidate.and_then(crate::tools::version) {
        Some(version) if version >= crate::tools::NODE => Remedy::Apt(&["nodejs", "npm"]),
        _ => Remedy::ByHand(
            "install Node.js from https://nodejs.org/en/download (apt's is too old)".into(),
        ),
    }
}

/// The plan for a person: each thing with the command that brings it.
fn described(host: &Host, plan: &[(Need, Remedy)]) -> String {
    let width = plan
        .iter()
        .map(|(need, _)| need.name().len())
        .max()
        .unwrap_or(0);
    let mut text = String::from("Missing on this machine:\n");
    for (need, remedy) in plan {
        let how = match remedy {
            Remedy::Apt(packages) => apt_words(host, packages),
            Remedy::Run(command) => command.to_string(),
            Remedy::RunOrApt(command, packages) => {
                format!("{command}, or else {}", apt_words(host, packages))
            }
            Remedy::ByHand(how) => how.clone(),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {:width$}  {how}", need.name());
    }
    text
}

fn apt_words(host: &Host, packages: &[&str]) -> String {
    let sudo = if host.privileges == crate::host::Privileges::Root {
        ""
    } else {
        "sudo "
    };
    format!("{sudo}apt-get install {}", packages.join(" "))
}

/// What a person has to do first, if anything.
fn by_hand(plan: &[(Need, Remedy)]) -> Option<String> {
    let lines: Vec<String> = plan
        .iter()
        .filter_map(|(need, remedy)| match remedy {
            Remedy::ByHand(how) => Some(format!("\n  {}: {how}", need.name())),
            _ => None,
        })
        .collect();
    let rest = "\nThen run this again; or name only the parts of the tests you want: `cargo xtask test rust`.";
    (!lines.is_empty()).then(|| {
        format!(
            "these have to be installed by hand on this system:{}{rest}",
            lines.concat()
        )
    })
}

fn ask() -> Result<()> {
    if !io::stdin().is_terminal() {
        return Err(Error::Missing(
            "there is nobody to ask: run this again with --yes to install these".into(),
        ));
    }
    print!("Install these now? [Y/n] ");
    let _ = io::stdout().flush();
    let mut answer = String::new();
    let _ = io::stdin().lock().read_line(&mut answer);
    match answer.trim().to_ascii_lowercase().as_str() {
        "" | "y" | "yes" => Ok(()),
        _ => Err(Error::Missing("nothing was installed".into())),
    }
}

/// Carries the plan out: system packages first, in one go, then what may need them.
fn install(ws: &Workspace, host: &Host, plan: &[(Need, Remedy)]) -> Result<()> {
    let mut packages = Vec::new();
    let mut commands = Vec::new();
    for (_, remedy) in plan {
        match remedy {
            Remedy::Apt(names) => packages.extend_from_slice(names),
            Remedy::Run(command) => commands.push(command),
            Remedy::RunOrApt(command, names) => {
                if let Err(error) = command.run() {
                    println!("  {error}: taking Debian's packages instead");
                    packages.extend_from_slice(names);
                }
            }
            Remedy::ByHand(_) => {}
        }
    }
    for command in apt(host, &packages)? {
        command.run()?;
    }
    commands
        .iter()
        .try_for_each(|command| (*command).clone().in_default_dir(ws.root()).run())
}

/// The commands that install packages; none for no packages.
fn apt(host: &Host, packages: &[&str]) -> Result<Vec<Command>> {
    if packages.is_empty() {
        return Ok(Vec::new());
    }
    let quiet = [
        "DEBIAN_FRONTEND=noninteractive",
        "apt-get",
        "-qq",
        "-o",
        "Dpkg::Use-Pty=0",
        "-o",
        "DPkg::Lock::Timeout=120",
    ];
    let update = host.as_root("env", &[&quiet[..], &["update"]].concat());
    // --no-remove: a package that would push out another one is for a person to decide on.
    let flags = ["install", "--yes", "--no-install-recommends", "--no-remove"];
    let install = host.as_root("env", &[&quiet[..], &flags, packages].concat());
    match (update, install) {
        (Some(update), Some(install)) => Ok(vec![update, install]),
        _ => Err(Error::Missing(format!(
            "neither root nor sudo here; as root: apt-get install {}",
            packages.join(" ")
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Privileges;
    use crate::npm::Project;

    fn workspace() -> Workspace {
        let Ok(ws) = Workspace::find() else {
            panic!("the test runs inside the repository")
        };
        ws
    }

    fn host(os: Os) -> Host {
        Host {
            os,
            privileges: Privileges::Sudo,
        }
    }

    fn remedy_on(os: Os, need: Need) -> Remedy {
        let Ok(remedy) = remedy(&workspace(), &host(os), need) else {
            panic!("{need:?} must have a remedy")
        };
        remedy
    }

    #[test]
    fn debian_gets_browsers_and_drivers_through_apt() {
        assert_eq!(
            remedy_on(Os::Debian, Need::Vulkan),
            Remedy::Apt(&["libvulkan1", "mesa-vulkan-drivers"])
        );
        assert_eq!(
            remedy_on(Os::Debian, Need::Firefox),
            Remedy::Apt(&["firefox-esr"])
        );
    }

    #[test]
    fn other_systems_name_the_exact_command() {
        let by_hand =
            |os, need, how: &str| assert_eq!(remedy_on(os, need), Remedy::ByHand(how.into()));
        by_hand(Os::MacOs, Need::Firefox, "brew install --cask firefox");
        by_hand(Os::MacOs, Need::Node, "brew install node");
        by_hand(
            Os::Windows,
            Need::Chromium,
            "winget install --exact Google.Chrome",
        );
        by_hand(
            Os::Linux(Some(Manager::Dnf)),
            Need::Vulkan,
            "sudo dnf install vulkan-loader mesa-vulkan-drivers",
        );
        by_hand(
            Os::Linux(Some(Manager::Pacman)),
            Need::Node,
            "sudo pacman -S nodejs npm",
        );
        by_hand(Os::Linux(None), Need::CxxCompiler, "install g++ or clang");
    }

    #[test]
    fn tools_of_ours_are_installed_the_same_way_everywhere() {
        for os in [Os::Debian, Os::MacOs, Os::Windows, Os::Linux(None)] {
            for need in [
                Need::WasmBindgen,
                Need::WasmOpt,
                Need::CargoFuzz,
                Need::NpmPackages(Project::Package),
            ] {
                assert!(
                    matches!(remedy_on(os.clone(), need), Remedy::Run(_)),
                    "{need:?} on {os:?}"
                );
            }
        }
    }

    #[test]
    fn wasm_bindgen_is_installed_in_the_locked_version() {
        let Remedy::Run(command) = remedy_on(Os::Debian, Need::WasmBindgen) else {
            panic!("a command is expected")
        };
        let Ok(version) = workspace().locked_version("wasm-bindgen") else {
            panic!("Cargo.lock pins it")
        };
        assert!(
            command
                .to_string()
                .contains(&format!("--version ={version} ")),
            "{command}"
        );
    }

    #[test]
    fn node_comes_from_apt_only_where_it_is_new_enough() {
        assert_eq!(
            node_remedy("nodejs:\n  Installed: (none)\n  Candidate: 20.19.2+dfsg-1\n"),
            Remedy::Apt(&["nodejs", "npm"])
        );
        for old in [
            "nodejs:\n  Candidate: 18.20.4+dfsg-1~deb12u1\n",
            "nodejs:\n  Candidate: (none)\n",
            "",
        ] {
            assert!(matches!(node_remedy(old), Remedy::ByHand(_)), "{old}");
        }
    }

    #[test]
    fn plan_is_said_before_it_is_carried_out() {
        let plan = vec![
            (Need::Vulkan, Remedy::Apt(&["mesa-vulkan-drivers"])),
            (
                Need::WasmTarget,
                Remedy::RunOrApt(Command::new("rustup", ["target", "add"]), &["rustc-web"]),
            ),
        ];
        let text = described(&host(Os::Debian), &plan);
        assert!(
            text.contains("a Vulkan driver    sudo apt-get install mesa-vulkan-drivers\n"),
            "{text}"
        );
        assert!(
            text.contains("rustup target add, or else sudo apt-get install rustc-web\n"),
            "{text}"
        );
        assert_eq!(by_hand(&plan), None);
    }

    #[test]
    fn what_needs_a_person_stops_before_anything_is_installed() {
        let plan = vec![(
            Need::Firefox,
            Remedy::ByHand("brew install --cask firefox".into()),
        )];
        assert!(
            by_hand(&plan)
                .is_some_and(|text| text.contains("Firefox: brew install --cask firefox"))
        );
    }

    #[test]
    fn apt_updates_first_and_removes_nothing() {
        let shown = |privileges| {
            let Ok(commands) = apt(
                &Host {
                    os: Os::Debian,
                    privileges,
                },
                &["chromium", "g++"],
            ) else {
                return Vec::new();
            };
            commands.iter().map(ToString::to_string).collect()
        };
        let [update, install] = &shown(Privileges::Sudo)[..] else {
            panic!("two commands are expected")
        };
        assert!(
            update.starts_with("sudo env DEBIAN_FRONTEND=noninteractive apt-get")
                && update.ends_with(" update"),
            "{update}"
        );
        assert!(
            install.ends_with("install --yes --no-install-recommends --no-remove chromium g++"),
            "{install}"
        );
        assert!(
            shown(Privileges::Root)
                .iter()
                .all(|line| !line.contains("sudo"))
        );
        assert!(shown(Privileges::None).is_empty());
        assert!(apt(&host(Os::Debian), &[]).is_ok_and(|commands| commands.is_empty()));
    }
}
