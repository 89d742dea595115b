//! The value of a parameter on its way from XML to JSON.

use super::mender::escape_into;
use super::schema_type::Admitted;

/// A value while it is written. Of texts all is told that is certain; other values are told whole, because what looks like a
/// number may go on as a text.
#[derive(Clone, Debug)]
pub(super) struct XmlValue {
    admitted: Admitted,
    raw: String,
    /// How much of a text was told; none before its quote was.
    told: Option<usize>,
}

impl XmlValue {
    pub(super) fn new(admitted: Admitted) -> Self {
        Self { admitted, raw: String::new(), told: None }
    }

    /// Adds to the value. What is certain now is added to `out` as JSON.
    pub(super) fn push(&mut self, text: &str, out: &mut String) {
        self.raw.push_str(text);
        if !self.admitted.is_text() || self.may_be_null() {
            return;
        }
        // The line break at the end may belong to the tag.
        let certain = self.raw.strip_suffix('\n').map_or(self.raw.len(), str::len);
        if certain > self.begin() {
            self.tell(certain, out);
        }
    }

    /// Whether the text so far ends in a line break, or there is none.
    pub(super) fn is_at_line_start(&self) -> bool {
        self.raw.is_empty() || self.raw.ends_with('\n')
    }

    /// The rest of the value.
    pub(super) fn finish(mut self, out: &mut String) {
        // One line break on either side belongs to the tags.
        let end = self.raw[self.begin()..]
            .strip_suffix('\n')
            .map_or(self.raw.len(), |text| self.begin() + text.len());
        if self.told.is_none() && (!self.admitted.is_text() || self.admitted.names_null()) {
            out.push_str(&self.admitted.json_of(&self.raw[self.begin()..end]));
            return;
        }
        self.tell(end, out);
        out.push('"');
    }

    fn begin(&self) -> usize {
        usize::from(self.raw.starts_with('\n'))
    }

    fn may_be_null(&self) -> bool {
        let text = self.raw.trim();
        self.admitted.names_null() && ["null", "None"].iter().any(|null| null.starts_with(text))
    }

    fn tell(&mut self, end: usize, out: &mut String) {
        let told = self.told.unwrap_or_else(|| {
            out.push('"');
            self.begin()
        });
        self.raw[told..end].chars().for_each(|c| escape_into(c, out));
        self.told = Some(end);
    }
}
