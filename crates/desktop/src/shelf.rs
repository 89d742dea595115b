//! Conversations in a folder, a JSON file each.

use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::conversation::Conversation;
use crate::folders;

/// The folder.
#[derive(Debug, Clone)]
pub struct Shelf(PathBuf);

/// What lies in the folder.
#[derive(Debug, Default)]
pub struct Contents {
    /// The newest first.
    pub conversations: Vec<Conversation>,
    /// Files that are no conversations, in words. They stay as they are.
    pub unread: Vec<String>,
}

impl Shelf {
    /// Conversations that lie in a folder, which need not be there yet.
    pub fn new(folder: &Path) -> Self {
        Self(folder.to_owned())
    }

    fn file(&self, id: u64) -> PathBuf {
        self.0.join(format!("{id}.json"))
    }

    /// Reads what is there.
    pub fn read(&self) -> Contents {
        let mut contents = Contents::default();
        let files = fs::read_dir(&self.0).into_iter().flatten().flatten().map(|entry| entry.path());
        for path in files.filter(|path| path.extension().is_some_and(|extension| extension == "json")) {
            let read = fs::read(&path).map_err(|error| error.to_string());
            match read.and_then(|bytes| serde_json::from_slice(&bytes).map_err(|error| error.to_string())) {
                Ok(conversation) => contents.conversations.push(conversation),
                Err(reason) => contents.unread.push(format!("{} cannot be read: {reason}", path.display())),
            }
        }
        contents.conversations.sort_by_key(|conversation| std::cmp::Reverse(conversation.id));
        contents
    }

    /// Writes a conversation, in one step.
    ///
    /// # Errors
    /// What the system says.
    pub fn write(&self, conversation: &Conversation) -> io::Result<()> {
        let text = serde_json::to_string_pretty(conversation).map_err(io::Error::other)?;
        folders::write(&self.file(conversation.id), &text)
    }

    /// Removes a conversation's file, if there is one.
    ///
    /// # Errors
    /// What the system says.
    pub fn remove(&self, id: u64) -> io::Result<()> {
        match fs::remove_file(self.file(id)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conversations_come_back_newest_first() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::new(&folder.path().join("conversations"));
        assert_eq!(shelf.read().conversations.len(), 0);
        for id in [3, 20, 100] {
            let mut conversation = Conversation::new(id);
            conversation.ask(&format!("question {id}"));
            shelf.write(&conversation).unwrap();
        }
        shelf.remove(20).unwrap();
        shelf.remove(20).unwrap();
        fs::write(folder.path().join("conversations/broken.json"), "{").unwrap();
        let contents = shelf.read();
        let titles: Vec<_> = contents.conversations.iter().map(|found| found.title.as_str()).collect();
        assert_eq!(titles, ["question 100", "question 3"]);
        assert!(contents.unread.len() == 1 && contents.unread[0].contains("broken.json"), "{contents:?}");
        let left: Vec<_> = fs::read_dir(folder.path().join("conversations")).unwrap().flatten().collect();
        assert_eq!(left.len(), 3, "{left:?}");
    }
}
