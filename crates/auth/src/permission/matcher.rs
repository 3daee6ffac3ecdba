//! The compiled form of a list of permissions: a tree of path segments, walked once per request.
//!
//! Compiled by the kernel whenever a role or a user changes, asked on every request. Must never allow without an entry that
//! covers the request, allocate while searching, or use regular expressions.
//!
//! ```text
//! GET:/users/#ID            root ─users─ ● ─#ID─ ▣ ends: 0
//! *:/users/{id}:id=u1,u2              │  ├─u1─┐
//! GET:/users/*/sessions/**            │  ├─u2─┴─ ▣ ends: 1
//!                                     │  └─(any)─ ● ─sessions─ ▣ rests: 2
//! ```
//!
//! A placeholder bound to values is an edge for each value, all to one node; a free one is the `(any)` edge. So a search needs
//! one hash per segment and node, and visits a node at most once.

use std::collections::HashMap;

use super::pattern::Segment;
use super::{Matrix, Method, Permission, Reading, Value, is_caller};

/// A list of permissions, ready to be asked. Deny by default: what no entry covers is not allowed.
#[derive(Debug)]
pub struct Matcher {
    permissions: Box<[Permission]>,
    nodes: Box<[Node]>,
}

type NodeIndex = usize;
type PermissionIndex = usize;

/// A place in the tree: the segments that lead here are the edges.
#[derive(Debug)]
struct Node {
    literals: HashMap<Box<str>, Vec<NodeIndex>>,
    /// `*`, and placeholders that may have any value.
    any: Option<NodeIndex>,
    /// `#ID`.
    caller: Vec<NodeIndex>,
    /// Entries whose pattern ends here, ascending.
    ends: Vec<PermissionIndex>,
    /// Entries whose `**` begins here, ascending.
    rests: Vec<PermissionIndex>,
    /// The first entry here or below: a search that has found an earlier one turns back.
    first: PermissionIndex,
}

impl Node {
    fn new(first: PermissionIndex) -> Node {
        Node {
            literals: HashMap::new(),
            any: None,
            caller: Vec::new(),
            ends: Vec::new(),
            rests: Vec::new(),
            first,
        }
    }
}

impl Matcher {
    /// Compiles the entries, in this order: of several that cover a request, the first one decides.
    pub fn compile<'list>(permissions: impl IntoIterator<Item = &'list Permission>) -> Matcher {
        let permissions: Box<[Permission]> = permissions.into_iter().cloned().collect();
        let mut builder = Builder { nodes: vec![Node::new(0)], bound: HashMap::new() };
        for (index, permission) in permissions.iter().enumerate() {
            builder.add(index, permission);
        }
        Matcher { nodes: builder.nodes.into(), permissions }
    }

    /// The entries, in the order in which they were compiled.
    #[must_use]
    pub fn permissions(&self) -> &[Permission] {
        &self.permissions
    }

    /// The first entry that covers the request and for which `counts` is true; `None` means: not allowed.
    ///
    /// `path` is what [`crate::path::NormalPath::strip_prefix`] gave; `caller_id` is the caller's user id, or empty for an
    /// anonymous caller. Where segments have parameters, every reading that `matrix` asks for must be covered by an entry
    /// that counts; the entry for the first reading is returned.
    pub fn find(
        &self,
        method: Method,
        path: &str,
        caller_id: &str,
        matrix: Matrix,
        counts: impl Fn(&Permission) -> bool,
    ) -> Option<&Permission> {
        let below = path.strip_prefix('/')?;
        let mut deciding = None;
        for &reading in matrix.readings(path) {
            let none = self.permissions.len();
            let mut search =
                Search { matcher: self, method, path, caller_id, reading, counts: &counts, best: none };
            search.visit(0, Some(below));
            let covering = self.permissions.get(search.best)?;
            deciding.get_or_insert(covering);
        }
        deciding
    }
}

struct Builder {
    nodes: Vec<Node>,
    /// The node behind a placeholder that is bound to these values, by the node before it.
    bound: HashMap<(NodeIndex, Vec<Value>), NodeIndex>,
}

impl Builder {
    fn add(&mut self, index: PermissionIndex, permission: &Permission) {
        let mut at = 0;
        for segment in permission.pattern.segments() {
            at = match segment {
                Segment::Rest => {
                    self.nodes[at].rests.push(index);
                    return;
                }
                Segment::Literal(literal) => {
                    self.bound_node(at, &[Value::Literal(literal.text.clone())], index)
                }
                Segment::CallerId => self.bound_node(at, &[Value::CallerId], index),
                Segment::Any => self.any_node(at, index),
                Segment::Placeholder(name) => match permission.values_of(name) {
                    Some(values) => self.bound_node(at, values, index),
                    None => self.any_node(at, index),
                },
            };
        }
        self.nodes[at].ends.push(index);
    }

    fn any_node(&mut self, at: NodeIndex, first: PermissionIndex) -> NodeIndex {
        let next = self.nodes.len();
        let child = *self.nodes[at].any.get_or_insert(next);
        if child == next {
            self.nodes.push(Node::new(first));
        }
        child
    }

    /// The child behind exactly these values, in whatever order they are listed.
    fn bound_node(&mut self, at: NodeIndex, values: &[Value], first: PermissionIndex) -> NodeIndex {
        let mut values = values.to_vec();
        values.sort();
        let next = self.nodes.len();
        let child = *self.bound.entry((at, values.clone())).or_insert(next);
        if child < next {
            return child;
        }
        self.nodes.push(Node::new(first));
        for value in values {
            match value {
                Value::Literal(text) => self.nodes[at].literals.entry(text).or_default().push(child),
                Value::CallerId => self.nodes[at].caller.push(child),
            }
        }
        child
    }
}

/// One walk through the tree, for one reading of the path.
struct Search<'a, Counts> {
    matcher: &'a Matcher,
    method: Method,
    path: &'a str,
    caller_id: &'a str,
    reading: Reading,
    counts: &'a Counts,
    /// The first covering entry so far; beyond the last one as long as there is none.
    best: PermissionIndex,
}

impl<Counts: Fn(&Permission) -> bool> Search<'_, Counts> {
    /// `rest` are the segments still to come, `None` when there are no more. Not deeper than the longest pattern, which has
    /// at most [`crate::path::MAX_SEGMENTS`].
    fn visit(&mut self, at: NodeIndex, rest: Option<&str>) {
        let matcher = self.matcher;
        let node = &matcher.nodes[at];
        if node.first >= self.best {
            return;
        }
        self.take_first(&node.rests);
        let Some(rest) = rest else {
            self.take_first(&node.ends);
            return;
        };
        let (segment, after) = match rest.split_once('/') {
            Some((segment, after)) => (segment, Some(after)),
            None => (rest, None),
        };
        let segment = self.reading.view(segment);
        let mut literal = &[][..];
        if !node.literals.is_empty() {
            literal = node.literals.get(segment).map_or(&[][..], Vec::as_slice);
            for &child in literal {
                self.visit(child, after);
            }
        }
        if !node.caller.is_empty() && is_caller(segment, self.caller_id) {
            // A placeholder may list both `#ID` and the very id. Going there twice on each level would double the search with
            // every segment, for as long as its author likes. The children are ascending: they are numbered as they are made.
            for &child in node.caller.iter().filter(|child| literal.binary_search(child).is_err()) {
                self.visit(child, after);
            }
        }
        if let Some(child) = node.any
            && !segment.is_empty()
        {
            self.visit(child, after);
        }
    }

    /// Takes the first of these entries, if it comes before what was found already.
    fn take_first(&mut self, candidates: &[PermissionIndex]) {
        for &index in candidates {
            if index >= self.best {
                return;
            }
            let permission = &self.matcher.permissions[index];
            if permission.lets_through(self.method, self.path, self.caller_id) && (self.counts)(permission) {
                self.best = index;
                return;
            }
        }
    }
}
