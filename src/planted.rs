//! Bugs that the tests plant, to show that they would be caught. Outside tests every question is answered "no" at compile time.

/// A mistake that an engine like this one is easily made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bug {
    /// The sweep reaches back from now, not from the previous sweep.
    SweepAnchoredAtNow,
    /// Fingerprints are dropped while windows still reach them.
    PruneAboveFloor,
    /// Equal rows count once.
    OrdinalDropped,
    /// Tickets leave before the commit is won.
    TicketsBeforeCommit,
    /// Whoever has a ticket sends.
    NoClaim,
    /// The watermark is set to now, whatever was covered.
    WatermarkIsNow,
    /// Whoever has an alert of an incident talks to the desk, whoever else does.
    NoTurn,
    /// An attempt to open a case is forgotten when nothing is known of it.
    OpeningForgotten,
}

#[cfg(not(test))]
pub(crate) const fn is(_: Bug) -> bool {
    false
}

#[cfg(test)]
thread_local! {
    static PLANTED: std::cell::Cell<Option<Bug>> = const { std::cell::Cell::new(None) };
}

#[cfg(test)]
pub(crate) fn is(bug: Bug) -> bool {
    PLANTED.get() == Some(bug)
}

/// Plants a bug on this thread.
#[cfg(test)]
pub(crate) fn plant(bug: Option<Bug>) {
    PLANTED.set(bug);
}
