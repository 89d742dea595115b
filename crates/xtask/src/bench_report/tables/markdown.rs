//! Tables in Markdown.

use std::fmt;

/// A table with a head.
pub(super) struct Table {
    width: usize,
    lines: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn new(head: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let head: Vec<String> = head.into_iter().map(Into::into).collect();
        Self { width: head.len(), lines: vec![head] }
    }

    /// Adds a row; cells that it lacks are empty.
    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let mut cells: Vec<String> = cells.into_iter().map(|cell| cell.replace('|', "\\|")).collect();
        cells.resize(self.width, String::new());
        self.lines.push(cells);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, cells) in self.lines.iter().enumerate() {
            writeln!(f, "| {} |", cells.join(" | "))?;
            if at == 0 {
                writeln!(f, "|{}", " --- |".repeat(self.width))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_as_many_cells_as_the_head() {
        let mut table = Table::new(["a", "b"]);
        table.row(["x|y".into()]);
        assert_eq!(table.to_string(), "| a | b |\n| --- | --- |\n| x\\|y |  |\n");
    }
}
