//! Which version of the specification a schema is written in.

use serde_json::Value;

/// The versions that llguidance tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) enum Draft {
    Four,
    Six,
    Seven,
    Of2019,
    #[default]
    Of2020,
}

impl Draft {
    /// The one that a schema names, which is written as llguidance knows it.
    pub(super) fn of(schema: &mut Value) -> Result<Self, String> {
        let Some(Value::String(named)) = schema.get_mut("$schema") else { return Ok(Self::default()) };
        let plain =
            named.trim_start_matches("https://").trim_start_matches("http://").trim_end_matches(['#', '/']);
        let (draft, known) = match plain {
            "json-schema.org/draft-04/schema" => (Self::Four, "http://json-schema.org/draft-04/schema"),
            "json-schema.org/draft-06/schema" => (Self::Six, "http://json-schema.org/draft-06/schema"),
            "json-schema.org/draft-07/schema" => (Self::Seven, "http://json-schema.org/draft-07/schema"),
            "json-schema.org/draft/2019-09/schema" => {
                (Self::Of2019, "https://json-schema.org/draft/2019-09/schema")
            }
            "json-schema.org/draft/2020-12/schema"
            | "json-schema.org/schema"
            | "spec.openapis.org/oas/3.1/dialect/base" => {
                (Self::Of2020, "https://json-schema.org/draft/2020-12/schema")
            }
            _ => {
                return Err(format!(
                    "its \"$schema\" \"{named}\" is not known; the drafts 4, 6, 7, 2019-09 and 2020-12 of json-schema.org are"
                ));
            }
        };
        *named = known.into();
        Ok(draft)
    }
}
