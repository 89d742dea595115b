//! A question as it is put to the model, and the replies that are possible.

use super::request::{Question, QuestionKind};

const YES: &str = "Yes";
const NO: &str = "No";

/// Places of the options of a question in the order in which the model hears of them.
///
/// That of choices follows from their texts, so that it does not matter in which order they were given.
pub(super) fn order(kind: &QuestionKind) -> Vec<usize> {
    match kind {
        QuestionKind::Predicate => vec![0, 1],
        QuestionKind::Choice { choices } => {
            let mut order: Vec<usize> = (0..choices.len()).collect();
            order.sort_by_key(|&index| choices[index].value.text().trim());
            order
        }
        QuestionKind::Score { levels } => (0..levels.len()).collect(),
    }
}

/// The options of a question, as the model may reply, in the order in which it hears of them.
pub(super) fn options(question: &Question) -> Vec<&str> {
    let texts = order(&question.kind).into_iter().map(|index| match &question.kind {
        QuestionKind::Predicate => [YES, NO][index],
        QuestionKind::Choice { choices } => choices[index].value.text(),
        QuestionKind::Score { levels } => &levels[index].label,
    });
    texts.map(str::trim).collect()
}

/// The whole message: what questions have in common comes first.
pub(super) fn message(input: &str, question: &Question) -> String {
    let wish = match &question.kind {
        QuestionKind::Predicate => format!("Answer with \"{YES}\" or \"{NO}\" and nothing else."),
        QuestionKind::Choice { choices } => {
            let descriptions = order(&question.kind).into_iter().map(|index| &choices[index].description);
            let list = list(question, descriptions.map(Option::as_deref));
            format!("Answer with the name of one of these, and nothing else:{list}")
        }
        QuestionKind::Score { levels } => {
            let list = list(question, levels.iter().map(|level| level.description.as_deref()));
            format!(
                "Answer with the name of one of these levels, which go from the lowest to the highest, and nothing \
                 else:{list}"
            )
        }
    };
    format!("{input}\n\nAbout the text above: {}\n{wish}", question.instructions.trim())
}

/// A line for each option.
fn list<'a>(question: &Question, descriptions: impl Iterator<Item = Option<&'a str>>) -> String {
    let lines =
        options(question).into_iter().zip(descriptions).map(|(option, description)| {
            match description.map(str::trim).filter(|description| !description.is_empty()) {
                Some(description) => format!("\n- {option}: {description}"),
                None => format!("\n- {option}"),
            }
        });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::super::request::{Choice, Level};
    use super::*;

    fn choice(value: &str, description: &str) -> Choice {
        Choice { description: Some(description.into()), ..value.into() }
    }

    #[test]
    fn choices_are_put_in_the_order_of_their_texts() {
        let (b, a) = (choice(" b", "second "), choice("a", " "));
        let one = Question::choice("Which?", [b.clone(), true.into(), a.clone()]);
        let other = Question::choice("Which?", [true.into(), a, b]);
        assert_eq!(options(&one), ["a", "b", "true"]);
        assert_eq!(options(&one), options(&other));
        assert_eq!(message("x", &one), message("x", &other));
        assert_eq!(
            message("x", &one),
            "x\n\nAbout the text above: Which?\nAnswer with the name of one of these, and nothing else:\n- a\n- b: second\n- true"
        );
    }

    #[test]
    fn levels_stay_as_they_are() {
        let high = Level { label: "a lot".into(), description: Some("more".into()) };
        let question = Question::score("How much? ", ["none".into(), high]);
        assert_eq!(options(&question), ["none", "a lot"]);
        assert!(message("x", &question).ends_with("nothing else:\n- none\n- a lot: more"));
        assert_eq!(
            message("x", &Question::predicate("It rains.")),
            "x\n\nAbout the text above: It rains.\nAnswer with \"Yes\" or \"No\" and nothing else."
        );
    }
}
