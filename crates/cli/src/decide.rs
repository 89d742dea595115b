//! `qwill decide`: questions about a text.

use pollster::block_on;
use qwill::KvType;
use qwill::decide::{Decision, DecisionRequest, Outcome, Question, SystemOneRequest};
use serde_json::{Value, json};

use crate::args::DecideArgs;
use crate::failure::{Failure, about};
use crate::run::text_or_stdin;
use crate::terminal::{note, say};

/// Questions, and the shape in which answers are wanted as JSON.
enum Asked {
    Decision(DecisionRequest),
    SystemOne(SystemOneRequest),
}

impl Asked {
    fn of(args: &DecideArgs) -> Result<Self, Failure> {
        let input = text_or_stdin(&args.input)?;
        let mut request = match &args.questions {
            None => DecisionRequest::new(input, []),
            Some(path) => {
                let bytes = std::fs::read(path).map_err(|e| about(path, e))?;
                let questions: Value = serde_json::from_slice(&bytes).map_err(|e| about(path, e))?;
                if questions.is_object() {
                    return by_name(args, &input, &questions).map_err(|e| about(path, e));
                }
                let request = json!({"input": input, "questions": questions});
                serde_json::from_value(request).map_err(|e| about(path, e))?
            }
        };
        let predicates = args.predicate.iter().map(Question::predicate);
        let choices = args.choice.iter().map(|arg| Question::choice(&arg.instructions, arg.options.clone()));
        let scores = args.score.iter().map(|arg| Question::score(&arg.instructions, arg.options.clone()));
        request.questions.extend(predicates.chain(choices).chain(scores));
        Ok(Self::Decision(request))
    }

    fn request(&self) -> &DecisionRequest {
        match self {
            Self::Decision(request) => request,
            Self::SystemOne(request) => request.decision(),
        }
    }

    fn json(&self, decision: &Decision) -> Value {
        match self {
            Self::Decision(_) => json!(decision),
            Self::SystemOne(request) => request.reply(decision),
        }
    }
}

/// Questions by name, which those of options do not have.
fn by_name(args: &DecideArgs, input: &str, questions: &Value) -> Result<Asked, String> {
    if !(args.predicate.is_empty() && args.choice.is_empty() && args.score.is_empty()) {
        return Err("questions by name, as System One has them, cannot be mixed with --predicate, --choice and --score".into());
    }
    let request = json!({"state": input, "questions": questions});
    serde_json::from_value(request).map(Asked::SystemOne).map_err(|error| error.to_string())
}

pub(crate) fn decide(args: &DecideArgs) -> Result<(), Failure> {
    let asked = Asked::of(args)?;
    let model = crate::model::load(&args.model, KvType::F16)?;
    let decision = block_on(model.decide(asked.request()))?;
    if args.json {
        say!("{}", asked.json(&decision));
        return Ok(());
    }
    print(&asked.request().questions, &decision);
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
