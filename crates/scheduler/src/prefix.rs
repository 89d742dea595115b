//! What is in pages: a tree of the texts that were read, page by page.

use std::collections::{BTreeSet, HashMap};

use qwill_models::step::{PAGE, Page};

/// What the keys and values of a text depend on besides its tokens.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    /// Texts of the same class have the same angles.
    pub(crate) class: u64,
    /// Numbers of adapters, and the bits of their scales.
    pub(crate) adapters: Vec<(u64, u32)>,
}

/// A page that is known, by its place in the index.
pub(crate) type NodeId = usize;

/// What a page follows.
#[derive(Debug, Clone)]
enum Parent {
    /// Nothing: it is the first.
    Key(Key),
    /// A full page.
    Node(NodeId),
}

/// A page and the first of its tokens; those behind them are unknown, or not read yet.
#[derive(Debug)]
struct Node {
    page: Page,
    tokens: Vec<u32>,
    parent: Parent,
    /// Only full pages have any. Full ones differ; others may begin alike, since each of them is written by its owner.
    children: Vec<NodeId>,
    /// Since when nobody uses it.
    resting: Option<u64>,
}

/// How much of a text is known.
///
/// A model with recurrent layers needs their state too, of which there are fewer copies than pages: it will reach as
/// far as the last node that has one. Nobody relies on more than [`Self::n_tokens`].
#[derive(Debug, Default)]
pub(crate) struct Reached {
    /// Full pages.
    pub(crate) path: Vec<NodeId>,
    /// A page that begins with the next so many tokens.
    pub(crate) part: Option<(NodeId, usize)>,
}

impl Reached {
    /// In tokens.
    pub(crate) fn n_tokens(&self) -> usize {
        self.path.len() * PAGE + self.part.map_or(0, |(_, n)| n)
    }
}

/// The pages that are known, as a tree: what follows a page in a text is its child.
///
/// Whoever uses a page uses those before it. So what follows a page that rests rests too, and can be forgotten from the
/// leaves on.
#[derive(Debug, Default)]
pub(crate) struct PrefixIndex {
    nodes: HashMap<NodeId, Node>,
    first: HashMap<Key, Vec<NodeId>>,
    /// Resting nodes without children, those that rest longest first.
    leaves: BTreeSet<(u64, NodeId)>,
    n_resting: usize,
    /// Counts nodes and rests.
    clock: u64,
}

/// Tokens that two texts begin with.
pub(crate) fn common(a: &[u32], b: &[u32]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

impl PrefixIndex {
    fn children(&self, parent: &Parent) -> &[NodeId] {
        match parent {
            Parent::Key(key) => self.first.get(key).map_or(&[], Vec::as_slice),
            Parent::Node(node) => &self.nodes[node].children,
        }
    }

    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    /// How much of a text is known.
    pub(crate) fn find(&self, key: &Key, tokens: &[u32]) -> Reached {
        let mut path = Vec::new();
        let mut children = self.first.get(key).map_or(&[][..], Vec::as_slice);
        loop {
            let rest = &tokens[path.len() * PAGE..];
            let next =
                rest.get(..PAGE).and_then(|page| children.iter().find(|id| self.nodes[id].tokens == page));
            if let Some(&id) = next {
                path.push(id);
                children = &self.nodes[&id].children;
                continue;
            }
            let parts = children.iter().map(|&id| (id, common(&self.nodes[&id].tokens, rest)));
            // one that can be used without a copy is the better of two
            let part = parts.filter(|&(_, n)| n > 0).max_by_key(|&(id, n)| (n, self.may_change(id, n)));
            return Reached { path, part };
        }
    }

    /// Whether nothing would be forgotten if somebody wrote behind the first `n` tokens of a page.
    pub(crate) fn may_change(&self, id: NodeId, n: usize) -> bool {
        self.is_unneeded(id) && self.nodes[&id].tokens.len() == n
    }

    /// Whether nobody uses a page, and none that follows it is known.
    pub(crate) fn is_unneeded(&self, id: NodeId) -> bool {
        self.is_resting(id) && self.nodes[&id].children.is_empty()
    }

    /// Whether nobody uses a page.
    pub(crate) fn is_resting(&self, id: NodeId) -> bool {
        self.nodes[&id].resting.is_some()
    }

    /// Pages that nobody uses.
    pub(crate) fn n_resting(&self) -> usize {
        self.n_resting
    }

    /// The physical page.
    pub(crate) fn page(&self, id: NodeId) -> Page {
        self.nodes[&id].page
    }

    /// A page becomes known, behind a full one or as a text's first.
    pub(crate) fn insert(&mut self, key: &Key, before: Option<NodeId>, page: Page, tokens: &[u32]) -> NodeId {
        let id = self.tick() as NodeId;
        let parent = before.map_or_else(|| Parent::Key(key.clone()), Parent::Node);
        self.siblings(&parent).push(id);
        let tokens = tokens.to_vec();
        self.nodes.insert(id, Node { page, tokens, parent, children: Vec::new(), resting: None });
        id
    }

    fn siblings(&mut self, parent: &Parent) -> &mut Vec<NodeId> {
        match parent {
            Parent::Key(key) => self.first.entry(key.clone()).or_default(),
            Parent::Node(node) => &mut self.node(*node).children,
        }
    }

    fn node(&mut self, id: NodeId) -> &mut Node {
        self.nodes.get_mut(&id).expect("users and leaves name nodes that exist")
    }

    /// More of a page's tokens are known.
    pub(crate) fn extend(&mut self, id: NodeId, tokens: &[u32]) {
        self.node(id).tokens.extend_from_slice(tokens);
    }

    /// All but the first tokens of a page are forgotten.
    pub(crate) fn shorten(&mut self, id: NodeId, n: usize) {
        self.node(id).tokens.truncate(n);
    }

    /// Another page with all tokens of a full one.
    pub(crate) fn twin(&self, id: NodeId) -> Option<NodeId> {
        let node = &self.nodes[&id];
        let is_twin = |&other: &NodeId| other != id && self.nodes[&other].tokens == node.tokens;
        if node.tokens.len() < PAGE {
            None
        } else {
            self.children(&node.parent).iter().copied().find(is_twin)
        }
    }

    /// Whether another page holds all that is known of this one, which is not full.
    pub(crate) fn is_covered(&self, id: NodeId) -> bool {
        let node = &self.nodes[&id];
        let covers = |&other: &NodeId| other != id && self.nodes[&other].tokens.starts_with(&node.tokens);
        node.tokens.len() < PAGE && self.children(&node.parent).iter().any(covers)
    }

    /// Nobody uses a page any more.
    pub(crate) fn rest(&mut self, id: NodeId) {
        let now = self.tick();
        let node = self.node(id);
        node.resting = Some(now);
        if node.children.is_empty() {
            self.leaves.insert((now, id));
        }
        self.n_resting += 1;
    }

    /// Somebody uses a page.
    pub(crate) fn wake(&mut self, id: NodeId) {
        if let Some(since) = self.node(id).resting.take() {
            self.leaves.remove(&(since, id));
            self.n_resting -= 1;
        }
    }

    /// Forgets a page that has no children.
    pub(crate) fn remove(&mut self, id: NodeId) -> Option<Page> {
        self.wake(id);
        let Node { page, parent, children, .. } = self.nodes.remove(&id)?;
        debug_assert!(children.is_empty(), "what follows page {page} is known");
        let siblings = self.siblings(&parent);
        siblings.retain(|&other| other != id);
        if siblings.is_empty() {
            match parent {
                Parent::Key(key) => _ = self.first.remove(&key),
                Parent::Node(before) => {
                    if let Some(since) = self.nodes[&before].resting {
                        self.leaves.insert((since, before));
                    }
                }
            }
        }
        Some(page)
    }

    /// Forgets the page that is least likely to be of use.
    pub(crate) fn forget_oldest(&mut self) -> Option<Page> {
        let &(_, id) = self.leaves.first()?;
        self.remove(id)
    }
}
