//! `qwill tokenize`: ids of a text.

use pollster::block_on;
use qwill::text::{Specials, SpecialsOut};
use serde_json::json;

use crate::args::TokenizeArgs;
use crate::failure::Failure;
use crate::run::text_or_stdin;
use crate::terminal::say;

pub(crate) fn tokenize(args: &TokenizeArgs) -> Result<(), Failure> {
    let tokenizer = block_on(crate::model::headers(&args.model)?.tokenizer())?;
    let specials = if args.no_specials { Specials::AsText } else { Specials::Parse };
    let ids = tokenizer.encode(&text_or_stdin(&args.text)?, specials)?;
    let tokens: Vec<String> = ids.iter().map(|&id| tokenizer.decode(&[id], SpecialsOut::Keep)).collect();
    if args.json {
        say!("{}", json!({"ids": ids, "tokens": tokens}));
    } else {
        for (id, token) in ids.iter().zip(&tokens) {
            say!("{id:>8}  {token:?}");
        }
    }
    Ok(())
}
