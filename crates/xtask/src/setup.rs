//! Finding out what is missing, saying what would be installed, asking, and installing it.

use crate::command::Command;
use crate::error::{Error, Result};
use crate::host::{Host, Privileges};
use crate::remedy::{Remedy, remedy};
use crate::tools::Need;
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

/// Sees to it that everything needed is there.
pub(crate) fn ensure(ws: &Workspace, needs: &[Need], consent: Consent) -> Result<()> {
    let host = Host::detect();
    let missing: Vec<Need> = needs.iter().copied().filter(|need| !need.is_met(ws, &host)).collect();
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
        Some(need) => Err(Error::Missing(format!("{} was installed but still cannot be found", need.name()))),
    }
}

fn plan(ws: &Workspace, host: &Host, missing: &[Need]) -> Result<Vec<(Need, Remedy)>> {
    missing.iter().map(|need| Ok((*need, remedy(ws, host, *need)?))).collect()
}

/// The plan for a person: each thing with the command that brings it.
fn described(host: &Host, plan: &[(Need, Remedy)]) -> String {
    let width = plan.iter().map(|(need, _)| need.name().len()).max().unwrap_or(0);
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
    let sudo = if host.privileges == Privileges::Root { "" } else { "sudo " };
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
    let rest =
        "\nThen run this again; or name only the parts of the tests you want: `cargo xtask test rust`.";
    (!lines.is_empty())
        .then(|| format!("these have to be installed by hand on this system:{}{rest}", lines.concat()))
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
    commands.iter().try_for_each(|command| (*command).clone().in_default_dir(ws.root()).run())
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
    use crate::host::Os;

    fn host(os: Os) -> Host {
        Host { os, privileges: Privileges::Sudo }
    }

    #[test]
    fn plan_is_said_before_it_is_carried_out() {
        let plan = vec![
            (Need::Vulkan, Remedy::Apt(&["mesa-vulkan-drivers"])),
            (Need::WasmTarget, Remedy::RunOrApt(Command::new("rustup", ["target", "add"]), &["rustc-web"])),
        ];
        let text = described(&host(Os::Debian), &plan);
        assert!(text.contains("a Vulkan driver    sudo apt-get install mesa-vulkan-drivers\n"), "{text}");
        assert!(text.contains("rustup target add, or else sudo apt-get install rustc-web\n"), "{text}");
        assert_eq!(by_hand(&plan), None);
    }

    #[test]
    fn what_needs_a_person_stops_before_anything_is_installed() {
        let plan = vec![(Need::Firefox, Remedy::ByHand("brew install --cask firefox".into()))];
        assert!(by_hand(&plan).is_some_and(|text| text.contains("Firefox: brew install --cask firefox")));
    }

    #[test]
    fn apt_updates_first_and_removes_nothing() {
        let shown = |privileges| {
            let Ok(commands) = apt(&Host { os: Os::Debian, privileges }, &["chromium", "g++"]) else {
                return Vec::new();
            };
            commands.iter().map(ToString::to_string).collect()
        };
        let [update, install] = &shown(Privileges::Sudo)[..] else { panic!("two commands are expected") };
        assert!(
            update.starts_with("sudo env DEBIAN_FRONTEND=noninteractive apt-get")
                && update.ends_with(" update"),
            "{update}"
        );
        assert!(
            install.ends_with("install --yes --no-install-recommends --no-remove chromium g++"),
            "{install}"
        );
        assert!(shown(Privileges::Root).iter().all(|line| !line.contains("sudo")));
        assert!(shown(Privileges::None).is_empty());
        assert!(apt(&host(Os::Debian), &[]).is_ok_and(|commands| commands.is_empty()));
    }
}
