//! What clients saw: who asked for what, when he began and when he had his answer, on one clock that never goes back.
//!
//! Filled by `drive`, judged by `rule`. Must never hold anything that no client saw.

/// From the moment just before a client asked to the moment just after he had the answer, in nanoseconds of the run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Span {
    /// Before the question.
    pub invoked: u64,
    /// After the answer; [`Span::NEVER`] where there was none.
    pub returned: u64,
}

impl Span {
    /// Later than everything.
    pub const NEVER: u64 = u64::MAX;
}

/// What a use was for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    /// Something that every user may have.
    Open,
    /// Something that needs a permission.
    Guarded,
    /// A session: a login.
    LogIn,
}

/// What a credential is, as far as the rule needs to know.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A session that was made with the password of this number, for this app.
    Session {
        /// The number of the password.
        password: u32,
        /// The app.
        app: usize,
    },
    /// A name and the password of this number.
    Basic {
        /// The number of the password.
        password: u32,
    },
    /// A key that was made in this life of its user.
    Key {
        /// Lives end with deletion; the first is 1.
        life: u32,
    },
}

/// A credential.
#[derive(Clone, Copy, Debug)]
pub struct Issued {
    /// What it is.
    pub kind: Kind,
    /// Whose it is.
    pub user: usize,
    /// When it was asked for.
    pub span: Span,
}

/// One use of a credential.
#[derive(Clone, Copy, Debug)]
pub struct Use {
    /// Which, by its place in [`History::issued`].
    pub credential: u32,
    /// What for.
    pub purpose: Purpose,
    /// What the system said.
    pub told: Heard,
    /// When.
    pub span: Span,
}

/// What became of a use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Heard {
    /// Let in.
    Passed,
    /// 401.
    Unknown,
    /// 403.
    Forbidden,
    /// Nothing that says anything about the credential.
    Nothing,
}

/// Which credentials an end is the end of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Covers {
    /// One, by its place in [`History::issued`].
    One(u32),
    /// All sessions of a user.
    User(usize),
    /// All sessions of a realm's users.
    Realm(usize),
    /// All sessions of an app.
    App(usize),
}

/// An end that somebody asked for.
#[derive(Clone, Copy, Debug)]
pub struct End {
    /// Of what.
    pub covers: Covers,
    /// When.
    pub span: Span,
}

/// What a user is at a time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UserState {
    /// His life: 1 at first, one more each time that he is made anew.
    pub life: u32,
    /// Whether he exists.
    pub exists: bool,
    /// The number of his password. No two passwords of a user have the same, in none of his lives.
    pub password: u32,
    /// Whether he is let in.
    pub enabled: bool,
    /// Whether he has his role.
    pub granted: bool,
}

/// A change to a new state.
#[derive(Clone, Copy, Debug)]
pub struct Step<S> {
    /// When it was asked for and answered.
    pub span: Span,
    /// What it is from then on.
    pub state: S,
}

/// The states that something had one after the other. Its changes never overlap: who changes it waits for the one before.
#[derive(Clone, Debug)]
pub struct Timeline<S>(Vec<Step<S>>);

impl<S: Copy> Timeline<S> {
    /// In this state from the beginning.
    #[must_use]
    pub fn new(state: S) -> Self {
        Self(vec![Step { span: Span { invoked: 0, returned: 0 }, state }])
    }

    /// Changes.
    pub fn push(&mut self, span: Span, state: S) {
        self.0.push(Step { span, state });
    }

    /// The state that was asked for last.
    ///
    /// # Panics
    /// Never: there is a state from the beginning.
    #[must_use]
    pub fn last(&self) -> S {
        self.0.last().map(|step| step.state).expect("a state from the beginning")
    }

    /// The places of the steps that may be in force at some time of this span.
    pub(super) fn during(&self, span: Span) -> std::ops::Range<usize> {
        // A step may be in force until the next is answered, and from when it is asked for.
        let first = self.0[1..].partition_point(|next| next.span.returned < span.invoked);
        let behind = self.0.partition_point(|step| step.span.invoked <= span.returned);
        first..behind.max(first + 1)
    }

    /// Whether it may be so at some time of this span.
    pub(super) fn may_be(&self, span: Span, so: impl Fn(&S) -> bool) -> bool {
        self.0[self.during(span)].iter().any(|step| so(&step.state))
    }

    /// When that which began to be so within this span ceases to be so: not before the first moment, and surely by the second.
    /// `None` where it cannot have begun.
    pub(super) fn ceases(&self, span: Span, so: impl Fn(&S) -> bool) -> Option<Span> {
        let begun = self.during(span).filter(|place| so(&self.0[*place].state));
        let ends = begun.map(|place| {
            let next = self.0[place..].iter().find(|step| !so(&step.state));
            next.map_or(Span { invoked: Span::NEVER, returned: Span::NEVER }, |next| next.span)
        });
        ends.reduce(|one, other| Span {
            invoked: one.invoked.min(other.invoked),
            returned: one.returned.max(other.returned),
        })
    }

    /// The step at this place.
    pub(super) fn step(&self, place: usize) -> &Step<S> {
        &self.0[place]
    }
}

/// Everything that the clients of a run saw.
#[derive(Clone, Debug)]
pub struct History {
    /// Who and what there was.
    pub shape: super::Shape,
    /// Every credential.
    pub issued: Vec<Issued>,
    /// Every use, in no order.
    pub uses: Vec<Use>,
    /// Every end, in no order.
    pub ends: Vec<End>,
    /// What each user was.
    pub users: Vec<Timeline<UserState>>,
    /// Whether each realm was on.
    pub realms: Vec<Timeline<bool>>,
    /// Whether each role allowed what is guarded.
    pub roles: Vec<Timeline<bool>>,
    /// How many operations were asked for, of all kinds.
    pub operations: u64,
    /// When the system died and was started again.
    pub deaths: Vec<Span>,
}
