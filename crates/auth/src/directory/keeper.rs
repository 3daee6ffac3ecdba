//! The one place where the directory is changed: judged against the present snapshot, written to the store, then
//! swapped in. A change that was answered holds for every request that starts after the answer.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use tokio::sync::MutexGuard;

use super::snapshot::{RealmState, Snapshot};
use crate::realm::RealmMaker;
use crate::store::{Change, DirectoryStore, StoreError};
use crate::witness::{Event, Witness};
use crate::words::names::RealmName;

/// Why a change was not made.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError<E> {
    /// The one who asked for it may not have it; his own error says why.
    #[error("refused")]
    Refused(E),
    /// The store could not write it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The directory: its present state and the way to the next.
pub struct Directory {
    present: ArcSwap<Snapshot>,
    store: Arc<dyn DirectoryStore>,
    maker: Arc<dyn RealmMaker>,
    witness: Arc<dyn Witness>,
    // One change at a time: each is judged on the state that it changes.
    changing: tokio::sync::Mutex<()>,
}

impl Directory {
    /// A directory that starts at `snapshot`, writes to `store`, has its realms made by `maker` and tells `witness` of
    /// changes.
    #[must_use]
    pub fn new(
        snapshot: Snapshot,
        store: Arc<dyn DirectoryStore>,
        maker: Arc<dyn RealmMaker>,
        witness: Arc<dyn Witness>,
    ) -> Self {
        let present = ArcSwap::from_pointee(snapshot);
        Self { present, store, maker, witness, changing: tokio::sync::Mutex::new(()) }
    }

    /// Who makes realms of their records.
    #[must_use]
    pub fn maker(&self) -> &dyn RealmMaker {
        &*self.maker
    }

    /// The present state, for the length of one request: no lock, no count.
    #[must_use]
    pub fn present(&self) -> Guard<Arc<Snapshot>> {
        self.present.load()
    }

    /// The present state, to be held across waits.
    #[must_use]
    pub fn held(&self) -> Arc<Snapshot> {
        self.present.load_full()
    }

    /// Makes a change that somebody asked for, and tells the witness of it. `judge` sees the state that will be changed,
    /// alone; what it answers beside the changes is given back once they are on disk and in force.
    ///
    /// # Errors
    /// [`ChangeError::Refused`] with `judge`'s error, [`ChangeError::Store`]: nothing was changed.
    pub async fn change<T, E>(
        &self,
        judge: impl FnOnce(&Snapshot) -> Result<(Vec<Change>, Event, T), E>,
    ) -> Result<T, ChangeError<E>> {
        self.make(|before| judge(before).map(|(changes, event, answer)| (changes, Some(event), answer))).await
    }

    /// Makes a change that nobody asked for and that changes nothing for anybody, such as a costlier hash of the same
    /// password. Else as [`change`](Self::change).
    ///
    /// # Errors
    /// As [`change`](Self::change).
    pub async fn amend<T, E>(
        &self,
        judge: impl FnOnce(&Snapshot) -> Result<(Vec<Change>, T), E>,
    ) -> Result<T, ChangeError<E>> {
        self.make(|before| judge(before).map(|(changes, answer)| (changes, None, answer))).await
    }

    async fn make<T, E>(
        &self,
        judge: impl FnOnce(&Snapshot) -> Result<(Vec<Change>, Option<Event>, T), E>,
    ) -> Result<T, ChangeError<E>> {
        let _alone = self.changing.lock().await;
        let before = self.held();
        let (changes, event, answer) = judge(&before).map_err(ChangeError::Refused)?;
        if changes.is_empty() {
            return Ok(answer);
        }
        if let Some(event) = &event {
            self.witness.note(event);
        }
        let after = before.after(&changes, &*self.maker);
        if let Err(error) = self.store.apply(changes).await {
            self.witness.note(&Event::failed("directory.change_failed", &error));
            return Err(error.into());
        }
        self.present.store(Arc::new(after));
        Ok(answer)
    }

    /// Holds changes back, for as long as what is given back lives.
    pub(crate) async fn hold(&self) -> Exchange<'_> {
        Exchange { directory: self, _alone: self.changing.lock().await }
    }

    /// Puts the realms of newly read settings in force, in place of those of the old ones.
    pub async fn replace_settings(&self, settings: HashMap<RealmName, RealmState>) {
        let _alone = self.changing.lock().await;
        let before = self.held();
        let mut after = Snapshot::clone(&before);
        after.replace_settings(settings);
        self.present.store(Arc::new(after.following(&before)));
    }
}

/// The directory while nobody changes it: the store's content may be exchanged meanwhile.
pub(crate) struct Exchange<'a> {
    directory: &'a Directory,
    _alone: MutexGuard<'a, ()>,
}

impl Exchange<'_> {
    /// Puts `snapshot`, which the store holds, in force.
    pub(crate) fn replace(&self, snapshot: Snapshot) {
        let following = snapshot.following(&self.directory.present());
        self.directory.present.store(Arc::new(following));
    }
}
