//! `qwill decide`: questions about a text.

use pollster::block_on;
use qwill::KvType;
use qwill::decide::{Decision, DecisionRequest, Outcome, Question};
use serde_json::{Value, json};

use crate::args::DecideArgs;
use crate::failure::{Failure, about};
use crate::run::text_or_stdin;
use crate::terminal::{note, say};

fn request(args: &DecideArgs) -> Result<DecisionRequest, Failure> {
    let input = text_or_stdin(&args.input)?;
    let mut request = match &args.questions {
        None => DecisionRequest::new(input, []),
        Some(path) => {
            let bytes = std::fs::read(path).map_err(|e| about(path, e))?;
            let questions: Value = serde_json::from_slice(&bytes).map_err(|e| about(path, e))?;
            let request = json!({"input": input, "questions": questions});
            serde_json::from_value(request).map_err(|e| about(path, e))?
        }
    };
    let predicates = args.predicate.iter().map(Question::predicate);
    let choices = args.choice.iter().map(|arg| Question::choice(&arg.instructions, arg.options.clone()));
    let scores = args.score.iter().map(|arg| Question::score(&arg.instructions, arg.options.clone()));
    request.questions.extend(predicates.chain(choices).chain(scores));
    Ok(request)
}

pub(crate) fn decide(args: &DecideArgs) -> Result<(), Failure> {
    let request = request(args)?;
    let model = crate::model::load(&args.model, KvType::F16)?;
    let decision = block_on(model.decide(&request))?;
    if args.json {
        say!("{}", serde_json::to_string(&decision)?);
        return Ok(());
    }
    print(&request.questions, &decision);
    let Decision { usage, timings, .. } = &decision;
    note(&format!(
        "{} tokens ({} cached), {} read in {:.0} ms",
        usage.input_tokens, usage.cached_tokens, usage.read_tokens, timings.prefill_ms
    ));
    Ok(())
}

/// Each question, and below it what is how likely.
fn print(questions: &[Question], decision: &Decision) {
    for (question, answer) in questions.iter().zip(&decision.answers) {
        say!("{}", question.instructions);
        let all = |options: Vec<(String, f64)>| {
            let shares = options.into_iter().map(|(option, p)| format!("{option} {:.1}%", 100.0 * p));
            shares.collect::<Vec<_>>().join(", ")
        };
        match &answer.outcome {
            Outcome::Predicate { probability } => say!("  {}", all(vec![("yes".into(), *probability)])),
            Outcome::Choice { choice, probabilities, .. } => {
                let options = probabilities.iter().map(|one| (one.value.to_string(), one.probability));
                say!("  {choice}: {}", all(options.collect()));
            }
            Outcome::Score { score, probabilities, .. } => {
                let options = probabilities.iter().map(|one| (one.label.clone(), one.probability));
                say!("  {score:.2} of {}: {}", probabilities.len() - 1, all(options.collect()));
            }
        }
    }
}
