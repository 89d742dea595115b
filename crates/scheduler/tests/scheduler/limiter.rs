//! A constraint that is a hash of all tokens that it took: one that was not taken, or taken twice, allows others.

use qwill_scheduler::Constraint;

use crate::rng::mix;

#[derive(Debug, Clone)]
pub(crate) struct Limiter {
    state: u64,
    vocab_size: usize,
}

impl Limiter {
    pub(crate) fn new(seed: u64, vocab_size: usize) -> Self {
        Self { state: mix(seed, 99), vocab_size }
    }

    fn is_one_in(&self, n: u64, salt: u64) -> bool {
        mix(self.state, salt).is_multiple_of(n)
    }

    fn some_token(&self) -> u32 {
        (mix(self.state, 7) % self.vocab_size as u64) as u32
    }
}

impl Constraint for Limiter {
    fn is_limiting(&self) -> bool {
        !self.is_one_in(3, 1)
    }

    fn allow(&mut self, bits: &mut [u32]) -> Result<(), String> {
        if self.is_one_in(60, 2) {
            return Err("it cannot say what is allowed".into());
        }
        let own = self.some_token();
        for id in (0..self.vocab_size as u32)
            .filter(|&id| id == own || mix(self.state, u64::from(id)).is_multiple_of(4))
        {
            bits[id as usize / 32] |= 1 << (id % 32);
        }
        Ok(())
    }

    fn take(&mut self, token: u32) -> Result<(), String> {
        self.state = mix(self.state, u64::from(token));
        if self.is_one_in(90, 3) { Err("it cannot take that".into()) } else { Ok(()) }
    }

    fn force(&mut self) -> Result<Vec<u32>, String> {
        let mut forced = Vec::new();
        while self.is_one_in(3, 4) && forced.len() < 40 {
            let token = self.some_token();
            self.take(token)?;
            forced.push(token);
        }
        Ok(forced)
    }

    fn is_over(&self) -> bool {
        self.is_one_in(40, 5)
    }

    fn fork(&self) -> Box<dyn Constraint> {
        Box::new(self.clone())
    }
}
