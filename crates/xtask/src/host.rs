//! What kind of machine this is, as far as installing things goes.

use crate::command::{Command, which};
use std::fs;

/// The operating system, by how things are installed on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Os {
    /// Debian and what descends from it; packages through apt, browsers among them.
    Debian,
    /// Ubuntu: packages through apt, but browsers only as snaps.
    Ubuntu,
    /// A Linux with another package manager, where it is one that we know.
    Linux(Option<Manager>),
    /// macOS.
    Mac,
    /// Windows.
    Windows,
}

/// A package manager whose names for things we know but that we don't run ourselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manager {
    /// Fedora and its family.
    Dnf,
    /// Arch and its family.
    Pacman,
    /// openSUSE.
    Zypper,
    /// Alpine.
    Apk,
}

/// How this user installs system packages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Privileges {
    /// As root, directly.
    Root,
    /// Through sudo.
    Sudo,
    /// Not at all.
    None,
}

/// The machine that xtask runs on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Host {
    /// Its operating system.
    pub os: Os,
    /// What the user may do on it.
    pub privileges: Privileges,
}

impl Host {
    /// Looks at this machine.
    pub(crate) fn detect() -> Self {
        Self { os: Os::detect(), privileges: Privileges::detect() }
    }

    /// A command run as root, where the user may.
    pub(crate) fn as_root(&self, program: &str, args: &[&str]) -> Option<Command> {
        match self.privileges {
            Privileges::Root => Some(Command::new(program, args)),
            Privileges::Sudo => Some(Command::new("sudo", [program]).args(args)),
            Privileges::None => None,
        }
    }
}

impl Os {
    fn detect() -> Self {
        if cfg!(windows) {
            Self::Windows
        } else if cfg!(target_os = "macos") {
            Self::Mac
        } else {
            let os = Self::from_os_release(&fs::read_to_string("/etc/os-release").unwrap_or_default());
            // A name alone installs nothing: some small images of Debian have no apt.
            match os {
                Self::Debian | Self::Ubuntu if which(&["apt-get"]).is_none() => Self::Linux(None),
                Self::Linux(_) => Self::Linux(Manager::detect()),
                os => os,
            }
        }
    }

    /// Reads the text of `/etc/os-release`.
    fn from_os_release(text: &str) -> Self {
        let value = |key: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
            line.unwrap_or_default().trim().trim_matches(['"', '\''])
        };
        let family: Vec<&str> =
            [value("ID"), value("ID_LIKE")].iter().flat_map(|ids| ids.split(' ')).collect();
        // Mint and its like descend from Ubuntu but bring browsers as ordinary packages only under other
        // names, so the snap way is the one that is sure to work there, too.
        if family.contains(&"ubuntu") {
            Self::Ubuntu
        } else if family.contains(&"debian") {
            Self::Debian
        } else {
            Self::Linux(None)
        }
    }
}

impl Manager {
    const ALL: [Self; 4] = [Self::Dnf, Self::Pacman, Self::Zypper, Self::Apk];

    fn detect() -> Option<Self> {
        Self::ALL.into_iter().find(|manager| which(&[manager.install()[0]]).is_some())
    }

    /// The command line in front of the packages to install.
    pub(crate) fn install(self) -> &'static [&'static str] {
        match self {
            Self::Dnf => &["dnf", "install"],
            Self::Pacman => &["pacman", "-S"],
            Self::Zypper => &["zypper", "install"],
            Self::Apk => &["apk", "add"],
        }
    }
}

impl Privileges {
    fn detect() -> Self {
        if cfg!(windows) {
            Self::None
        } else if Command::new("id", ["-u"]).output().is_some_and(|id| id.trim() == "0") {
            Self::Root
        } else if which(&["sudo"]).is_some() {
            Self::Sudo
        } else {
            Self::None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_told_apart() {
        let os = Os::from_os_release;
        assert_eq!(os("PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\n"), Os::Debian);
        assert_eq!(os("ID=raspbian\nID_LIKE=debian\n"), Os::Debian);
        assert_eq!(os("ID=ubuntu\nID_LIKE=debian\n"), Os::Ubuntu);
        assert_eq!(os("ID=pop\nID_LIKE=\"ubuntu debian\"\n"), Os::Ubuntu);
        assert_eq!(os("PRETTY_NAME='Fedora Linux 44'\nID=fedora\n"), Os::Linux(None));
        assert_eq!(os(""), Os::Linux(None));
    }

    #[test]
    fn root_commands_follow_the_privileges() {
        let host = |privileges| Host { os: Os::Debian, privileges };
        let shown =
            |privileges| host(privileges).as_root("apt-get", &["update"]).map(|command| command.to_string());
        assert_eq!(shown(Privileges::Root).as_deref(), Some("apt-get update"));
        assert_eq!(shown(Privileges::Sudo).as_deref(), Some("sudo apt-get update"));
        assert_eq!(shown(Privileges::None), None);
    }
}
