//! Where the program keeps what a person wrote and chose.

use std::path::{Path, PathBuf};
use std::{fs, io};

/// The folder of a user's own data for this program: conversations and settings.
pub fn of_user() -> Option<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let data = if cfg!(windows) {
        variable("APPDATA")
    } else if cfg!(target_os = "macos") {
        std::env::home_dir().map(|home| home.join("Library/Application Support"))
    } else {
        variable("XDG_DATA_HOME").or_else(|| Some(std::env::home_dir()?.join(".local/share")))
    };
    Some(data?.join("qwill"))
}

/// Writes a file in one step: whoever reads it sees the old text or the new one.
///
/// # Errors
/// What the system says.
pub fn write(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    let written = fs::write(&partial, text).and_then(|()| fs::rename(&partial, path));
    if written.is_err() {
        // what failed is told; that this fails too adds nothing
        let _ = fs::remove_file(&partial);
    }
    written
}
