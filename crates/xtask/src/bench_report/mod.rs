//! `cargo xtask bench-report`: every figure and plot of a measurement comes from the records in `tests/bench/`.
//!
//! A document says by markers where a [section](Section) stands; what is outside of them is nobody's but the writer's.

#[cfg(test)]
mod fabricated;
mod markers;
mod plot;
mod records;
mod tables;

use crate::difference::first_difference;
use crate::error::{Error, Result};
use crate::workspace::Workspace;
use clap::Args;
use records::Records;
use std::path::PathBuf;
use std::{fs, io};
use tables::Section;

/// The documents with sections, below the repository.
const DOCUMENTS: &[&str] = &["README.md", "tests/bench/README.md"];
/// Where the records are.
const RECORDS: &str = "tests/bench";
/// Where the plot goes.
const PLOT: &str = "tests/bench/speed.svg";

/// What to do with what is out of date.
#[derive(Args)]
pub(crate) struct Options {
    /// Write nothing, and fail when a file is not what the records say.
    #[arg(long)]
    check: bool,
}

/// Brings the documents and the plot up to date, or checks them.
pub(crate) fn run(ws: &Workspace, options: &Options) -> Result<()> {
    if options.check { check(ws) } else { write(ws) }
}

/// Fails when a document or the plot is not what the records say.
pub(crate) fn check(ws: &Workspace) -> Result<()> {
    for output in outputs(ws)? {
        if let Some(difference) = first_difference(&output.is, &output.should_be) {
            return Err(Error::OutOfDate { path: output.path, difference });
        }
    }
    Ok(())
}

fn write(ws: &Workspace) -> Result<()> {
    for output in outputs(ws)? {
        let path = output.path;
        if first_difference(&output.is, &output.should_be).is_some() {
            fs::write(&path, output.should_be)
                .map_err(|source| Error::File { path: path.clone(), source })?;
            println!("written: {}", path.display());
        } else {
            println!("up to date: {}", path.display());
        }
    }
    Ok(())
}

/// A file that is made from the records, wholly or in parts.
struct Output {
    path: PathBuf,
    is: String,
    should_be: String,
}

fn outputs(ws: &Workspace) -> Result<Vec<Output>> {
    let records = Records::read(&ws.root().join(RECORDS))?;
    let mut placed = Vec::new();
    let mut outputs = Vec::new();
    for document in DOCUMENTS {
        let path = ws.root().join(document);
        let is = fs::read_to_string(&path).map_err(|source| Error::File { path: path.clone(), source })?;
        let should_be = markers::fill(&is, |name| {
            let section = Section::named(name)?;
            placed.push(section);
            Some(section.text(&records))
        });
        let should_be =
            should_be.map_err(|reason| Error::Content { path: path.clone(), reason: reason.to_string() })?;
        outputs.push(Output { path, is, should_be });
    }
    if let Some(lost) = Section::ALL.iter().find(|section| !placed.contains(section)) {
        let (marker, documents) = (markers::opening(lost.name()), DOCUMENTS.join(" or "));
        return Err(Error::Missing(format!("no `{marker}` in {documents}")));
    }
    let path = ws.root().join(PLOT);
    let is = match fs::read_to_string(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        result => result,
    };
    let is = is.map_err(|source| Error::File { path: path.clone(), source })?;
    outputs.push(Output { path, is, should_be: plot::draw(&records.shown()) });
    Ok(outputs)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A repository with documents that have every section, and one record.
    struct Repository(tempfile::TempDir);

    impl Repository {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            fs::create_dir_all(dir.path().join(RECORDS)).unwrap();
            let sections: String = Section::ALL
                .iter()
                .map(|section| format!("{}\n<!-- /bench-report -->\n", markers::opening(section.name())))
                .collect();
            let repository = Self(dir);
            repository.put("README.md", &format!("Written by hand.\n{sections}"));
            repository.put("tests/bench/README.md", "No section here.\n");
            repository.put("tests/bench/h100-speed.json", &fabricated::speed().to_string());
            repository
        }

        fn put(&self, file: &str, text: &str) {
            fs::write(self.0.path().join(file), text).unwrap();
        }

        fn text(&self, file: &str) -> String {
            fs::read_to_string(self.0.path().join(file)).unwrap()
        }

        fn run(&self, check: bool) -> Result<()> {
            run(&Workspace::at(self.0.path()), &Options { check })
        }
    }

    #[test]
    fn written_files_are_up_to_date_until_somebody_types_a_figure() {
        let repository = Repository::new();
        repository.run(false).unwrap();
        repository.run(true).unwrap();
        let text = repository.text("README.md");
        assert!(text.starts_with("Written by hand.\n"), "{text}");
        assert!(text.contains("| 5120 |"), "{text}");

        let typed = text.replacen("| 5120 |", "| 9999 |", 1);
        repository.put("README.md", &typed);
        let error = repository.run(true).unwrap_err().to_string();
        let said = ["README.md", "9999", "5120", "cargo xtask bench-report"];
        assert!(said.iter().all(|part| error.contains(part)), "{error}");
        assert_eq!(repository.text("README.md"), typed, "a check writes nothing");
        repository.run(false).unwrap();
        assert_eq!(repository.text("README.md"), text);
    }

    #[test]
    fn a_plot_that_is_old_or_not_there_is_found() {
        let repository = Repository::new();
        repository.run(false).unwrap();
        fs::remove_file(repository.0.path().join(PLOT)).unwrap();
        assert!(repository.run(true).unwrap_err().to_string().contains("speed.svg"));
        repository.run(false).unwrap();
        repository
            .put("tests/bench/h100-speed.json", &fabricated::speed().to_string().replace("0.75", "0.5"));
        // README.md has the share as well: bring it up to date, and leave the plot.
        let plot = repository.text(PLOT);
        repository.run(false).unwrap();
        repository.put(PLOT, &plot);
        assert!(repository.run(true).unwrap_err().to_string().contains("speed.svg"));
    }

    #[test]
    fn a_section_that_stands_nowhere_is_missed() {
        let repository = Repository::new();
        let text =
            repository.text("README.md").replace(&markers::opening("load"), &markers::opening("speed"));
        repository.put("README.md", &text);
        let error = repository.run(false).unwrap_err().to_string();
        assert!(error.contains("<!-- bench-report: load -->"), "{error}");
    }

    #[test]
    fn a_record_that_cannot_be_read_is_named() {
        let repository = Repository::new();
        repository.put("tests/bench/broken.json", "{");
        let error = repository.run(true).unwrap_err().to_string();
        assert!(error.contains("broken.json"), "{error}");
    }
}
