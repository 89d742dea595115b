//! Whatever is written under a schema is what the schema describes, as another library judges it.

mod walk;

use qwill_grammar::Grammar;
use serde_json::Value;

use walk::{Rng, random};

#[test]
fn what_is_written_validates() {
    let (grammars, mut rng) = (walk::grammars(), Rng(7));
    let (mut n_accepted, mut n_written, mut refused) = (0, 0, Vec::new());
    for _ in 0..500 {
        let schema = random::document(&mut rng);
        let validator = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
        let matcher = match grammars.compile(&Grammar::JsonSchema(schema.clone())) {
            Ok(matcher) => matcher,
            Err(error) => {
                refused.push(error.to_string());
                continue;
            }
        };
        n_accepted += 1;
        for _ in 0..3 {
            let Some(text) = walk::write(&mut matcher.clone(), &mut rng, 4000) else { continue };
            n_written += 1;
            let value: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
            if let Err(error) = validator.validate(&value) {
                panic!("{text} is not what {schema} describes: {error}");
            }
        }
    }
    println!("{n_accepted} of 500 schemas accepted, {n_written} texts; refused: {:?}", refused.first());
    assert!(n_accepted >= 475 && n_written > 1200, "{n_accepted} accepted, {n_written} written, {refused:?}");
}
