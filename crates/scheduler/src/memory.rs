//! The pages of texts: shared as far as texts begin alike, written by one owner only.

use qwill_models::step::{PAGE, Page, PageCopy};

use crate::pool::Pool;
use crate::prefix::{Key, NodeId, PrefixIndex, Reached};

/// The pages that a text uses, in the order of its positions.
#[derive(Debug, Default)]
pub(crate) struct Table {
    pages: Vec<Page>,
    /// The first pages in the index.
    path: Vec<NodeId>,
    /// Tokens that the index knows.
    n_indexed: usize,
}

impl Table {
    /// The pages.
    pub(crate) fn pages(&self) -> &[Page] {
        &self.pages
    }

    /// Tokens that later texts can begin with.
    pub(crate) fn n_indexed(&self) -> usize {
        self.n_indexed
    }
}

/// Room for a text.
#[derive(Debug)]
pub(crate) struct Room {
    /// Its pages.
    pub(crate) table: Table,
    /// Tokens that need not be read.
    pub(crate) n_cached: usize,
    /// What must be copied before that is so.
    pub(crate) copy: Option<PageCopy>,
}

/// How the first tokens of a page come to a text that goes on otherwise.
#[derive(Debug, Clone, Copy)]
enum Part {
    /// They are copied: the page has another owner, or more of it may be of use.
    Copy(NodeId, usize),
    /// The page becomes the text's own, what followed is forgotten.
    Own(NodeId, usize),
    /// There are none, or no page to copy them to.
    None,
}

/// All pages, and what is in them.
///
/// A page whose users are gone stays as it is until it is needed for something else.
#[derive(Debug)]
pub(crate) struct Memory {
    pool: Pool,
    index: PrefixIndex,
    /// Pages that the step in the making copies: they keep their tokens until it is handed out.
    copied: Vec<NodeId>,
}

impl Memory {
    /// `n_pages` pages with nothing in them.
    pub(crate) fn new(n_pages: usize) -> Self {
        Self { pool: Pool::new(n_pages), index: PrefixIndex::default(), copied: Vec::new() }
    }

    /// Pages that can be had.
    fn n_available(&self) -> usize {
        self.pool.n_free() + self.index.n_resting()
    }

    /// A page for one user, whatever it held.
    fn take(&mut self) -> Option<Page> {
        self.pool.take().or_else(|| {
            let page = self.index.forget_oldest()?;
            self.pool.share(page);
            Some(page)
        })
    }

    fn share(&mut self, id: NodeId) -> Page {
        let page = self.index.page(id);
        self.index.wake(id);
        self.pool.share(page);
        page
    }

    /// How much of a text need not be read.
    pub(crate) fn find(&self, key: &Key, tokens: &[u32]) -> Reached {
        self.index.find(key, tokens)
    }

    /// The pages that have been reached.
    pub(crate) fn pages(&self, reached: &Reached) -> Vec<Page> {
        let part = reached.part.map(|(id, _)| id);
        reached.path.iter().copied().chain(part).map(|id| self.index.page(id)).collect()
    }

    /// Pages for a text of `n_tokens`, of which fewer have been `reached`, so that `n_spare` more can still be had;
    /// `None` if there are too few.
    pub(crate) fn occupy(&mut self, reached: &Reached, n_tokens: usize, n_spare: usize) -> Option<Room> {
        let Reached { path, part } = reached;
        let n_missing = n_tokens.div_ceil(PAGE) - path.len();
        let n_resting = path.iter().filter(|&&id| self.index.is_resting(id)).count();
        let n_left = self.n_available() - n_resting;
        if n_missing + n_spare > n_left {
            return None;
        }
        let part = part.map_or(Part::None, |(id, n)| {
            let n_kept = usize::from(self.index.is_resting(id));
            if self.index.may_change(id, n) {
                Part::Own(id, n)
            } else if n_missing + n_spare + n_kept <= n_left {
                Part::Copy(id, n)
            } else if self.index.is_unneeded(id) {
                Part::Own(id, n)
            } else {
                Part::None
            }
        });
        let mut table = Table { n_indexed: path.len() * PAGE, path: path.clone(), pages: Vec::new() };
        table.pages.extend(path.iter().map(|&id| self.share(id)));
        let mut from = None;
        let mut n_cached = table.n_indexed;
        match part {
            Part::Own(id, n) => {
                table.pages.push(self.share(id));
                self.index.shorten(id, n);
                table.path.push(id);
                table.n_indexed += n;
                n_cached += n;
            }
            Part::Copy(id, n) => {
                from = Some(self.share(id));
                self.copied.push(id);
                n_cached += n;
            }
            Part::None => {}
        }
        while table.pages.len() < n_tokens.div_ceil(PAGE) {
            table.pages.push(self.take()?);
        }
        let copy = from.map(|from| PageCopy { from, to: table.pages[path.len()] });
        Some(Room { table, n_cached, copy })
    }

    /// Makes sure that a text has a page for a position behind its pages; whether there was one.
    pub(crate) fn reserve(&mut self, table: &mut Table, position: usize) -> bool {
        while table.pages.len() <= position / PAGE {
            match self.take() {
                Some(page) => table.pages.push(page),
                None => return false,
            }
        }
        true
    }

    /// The first tokens of a text are in its pages, or will be when the steps that are out have run.
    ///
    /// A page that turns out to be filled like another is given up for it.
    pub(crate) fn index(&mut self, key: &Key, table: &mut Table, tokens: &[u32]) {
        while table.n_indexed < tokens.len() {
            let (at, offset) = (table.n_indexed / PAGE, table.n_indexed % PAGE);
            let new = &tokens[table.n_indexed..tokens.len().min((at + 1) * PAGE)];
            if offset == 0 {
                let before = table.path.last().copied();
                table.path.push(self.index.insert(key, before, table.pages[at], new));
            } else {
                self.index.extend(table.path[at], new);
            }
            table.n_indexed += new.len();
            if let Some(twin) = self.index.twin(table.path[at]) {
                let own = std::mem::replace(&mut table.path[at], twin);
                self.index.remove(own);
                let page = std::mem::replace(&mut table.pages[at], self.index.page(twin));
                self.share(twin);
                self.leave(page, None);
            }
        }
    }

    /// A user of a page is gone.
    fn leave(&mut self, page: Page, id: Option<NodeId>) {
        if self.pool.leave(page) > 0 {
            return;
        }
        match id {
            Some(id) if self.index.is_covered(id) => {
                self.index.remove(id);
                self.pool.free(page);
            }
            Some(id) => self.index.rest(id),
            None => self.pool.free(page),
        }
    }

    /// A text needs its pages no more.
    pub(crate) fn release(&mut self, table: &Table) {
        // from the end, because what follows a page that rests must rest too
        for (i, &page) in table.pages.iter().enumerate().rev() {
            self.leave(page, table.path.get(i).copied());
        }
    }

    /// The step that copies is handed out.
    pub(crate) fn end_copies(&mut self) {
        for id in std::mem::take(&mut self.copied) {
            self.leave(self.index.page(id), Some(id));
        }
    }

    /// Pages that texts use.
    pub(crate) fn n_used(&self) -> usize {
        self.pool.n_with(1)
    }

    /// Pages that several texts use.
    pub(crate) fn n_shared(&self) -> usize {
        self.pool.n_with(2)
    }

    /// Pages that nobody uses, but that may be of use.
    pub(crate) fn n_cached(&self) -> usize {
        self.index.n_resting()
    }

    /// Pages with nothing of use.
    pub(crate) fn n_free(&self) -> usize {
        self.pool.n_free()
    }
}
