//! Physical pages, and how many texts use each.

use std::collections::VecDeque;

use qwill_models::step::Page;

/// Counts who uses which page.
#[derive(Debug)]
pub(crate) struct Pool {
    users: Vec<u32>,
    /// Pages without a user that hold nothing of use, those that were given back first at the front.
    free: VecDeque<Page>,
}

impl Pool {
    /// `n_pages` pages, all free.
    pub(crate) fn new(n_pages: usize) -> Self {
        Self { users: vec![0; n_pages], free: (0..n_pages as Page).collect() }
    }

    /// A free page, which then has one user.
    pub(crate) fn take(&mut self) -> Option<Page> {
        let page = self.free.pop_front()?;
        self.share(page);
        Some(page)
    }

    /// One user more.
    pub(crate) fn share(&mut self, page: Page) {
        self.users[page as usize] += 1;
    }

    /// One user less; how many are left.
    pub(crate) fn leave(&mut self, page: Page) -> u32 {
        let users = &mut self.users[page as usize];
        *users -= 1;
        *users
    }

    /// What is in a page without a user is of no use.
    pub(crate) fn free(&mut self, page: Page) {
        debug_assert_eq!(self.users[page as usize], 0, "page {page} is in use");
        self.free.push_back(page);
    }

    /// Pages that hold nothing of use.
    pub(crate) fn n_free(&self) -> usize {
        self.free.len()
    }

    /// Pages with at least so many users.
    pub(crate) fn n_with(&self, users: u32) -> usize {
        self.users.iter().filter(|&&n| n >= users).count()
    }
}
