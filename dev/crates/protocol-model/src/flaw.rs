//! Flaws that can be planted in the protocol, to see whether the model finds them.

/// What the flawed protocol does instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// line-provider answers its operator before the journal was synced.
    AnswersBeforeSync,
    /// line-provider shows and delivers a change before the journal was synced.
    PublishesBeforeSync,
    /// The writer goes on after a write that failed, ahead of what the journal holds.
    GoesOnAfterFailedWrite,
    /// The cursor moves when an attempt starts, and not when the receiver took it.
    CursorRunsAhead,
    /// A retry carries the oldest change of its lane and drops the newer ones.
    RetryDropsNewer,
    /// bet-maker takes over whatever comes last.
    OlderRevisionApplied,
    /// Appliers do not take turns: each decides on the events as it found them.
    AppliersDoNotTakeTurns,
    /// The bookmark moves in a transaction of its own, before the changes of the page are taken over.
    BookmarkBeforeChanges,
    /// A placement reads the event in the statement that waits for the fence.
    FenceAndReadInOneSnapshot,
    /// A placement takes no fence at all.
    NoFence,
    /// The key of a placement is not looked at.
    NoDeduplication,
    /// Two settlers may work on one event, and a newer result does not wait for them.
    NoRowLock,
    /// The same, and nothing checks which result a bet has.
    UnguardedSettlement,
    /// The progress of a chunk is stored before the chunk.
    ProgressBeforeChunk,
    /// A correction goes on where the pass for the result before it stood.
    CorrectionKeepsProgress,
    /// Another journal cancels what it does not know.
    VoidsOnNewInstance,
    /// A log is followed whatever it repeats of the bookmark.
    NoDigest,
    /// A bet placed after the close is settled like any other.
    LateBetsArePaid,
}

impl Flaw {
    pub const ALL: [Self; 18] = [
        Self::AnswersBeforeSync,
        Self::PublishesBeforeSync,
        Self::GoesOnAfterFailedWrite,
        Self::CursorRunsAhead,
        Self::RetryDropsNewer,
        Self::OlderRevisionApplied,
        Self::AppliersDoNotTakeTurns,
        Self::BookmarkBeforeChanges,
        Self::FenceAndReadInOneSnapshot,
        Self::NoFence,
        Self::NoDeduplication,
        Self::NoRowLock,
        Self::UnguardedSettlement,
        Self::ProgressBeforeChunk,
        Self::CorrectionKeepsProgress,
        Self::VoidsOnNewInstance,
        Self::NoDigest,
        Self::LateBetsArePaid,
    ];
}
