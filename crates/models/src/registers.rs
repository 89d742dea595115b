//! Registers: where a step keeps what one operation makes and others use.

/// A register of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Register(usize);

impl Register {
    /// Its place among those of its plan.
    pub fn index(self) -> usize {
        self.0
    }
}

/// What a register has a row for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RegisterRows {
    /// Every token of a step.
    Tokens,
    /// Every token, as often as its query is rotated: [`RotaryRows::n_queries`](crate::RotaryRows::n_queries).
    Queries,
    /// Every expert that a token goes to, so many a token.
    Slots(usize),
    /// Every output of a step.
    Outputs,
}

/// What a register holds: rows of f32.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RegisterShape {
    /// In words.
    pub name: &'static str,
    /// What it has a row for.
    pub rows: RegisterRows,
    /// Numbers in the widest of the rows that it ever holds. Rows lie as far apart as what they hold at a time is wide.
    pub width: usize,
}

/// The registers of a plan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Registers(Vec<RegisterShape>);

impl Registers {
    /// The register with a name, wide enough for rows of `width` numbers; it is made when it is first asked for.
    pub fn named(&mut self, name: &'static str, rows: RegisterRows, width: usize) -> Register {
        let known = self.0.iter().position(|shape| shape.name == name);
        let index = known.unwrap_or_else(|| {
            self.0.push(RegisterShape { name, rows, width });
            self.0.len() - 1
        });
        let shape = &mut self.0[index];
        debug_assert_eq!(shape.rows, rows, "\"{name}\" is a register for something else");
        shape.width = shape.width.max(width);
        Register(index)
    }

    /// Takes away what only the last operations used: a register that is not used must be the last.
    pub(crate) fn keep_up_to(&mut self, last: Register) {
        self.0.truncate(last.0 + 1);
    }

    /// All of them, in order.
    pub fn shapes(&self) -> &[RegisterShape] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_register_is_as_wide_as_its_widest_use() {
        let mut registers = Registers::default();
        let inner = registers.named("inner", RegisterRows::Tokens, 8);
        let slots = registers.named("slots", RegisterRows::Slots(2), 5);
        assert_eq!(registers.named("inner", RegisterRows::Tokens, 16), inner);
        assert_eq!(registers.named("inner", RegisterRows::Tokens, 4), inner);
        assert_eq!((inner.index(), slots.index()), (0, 1));
        assert_eq!(registers.shapes().iter().map(|shape| shape.width).collect::<Vec<_>>(), [16, 5]);
    }
}
