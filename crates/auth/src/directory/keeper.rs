//! The one place where the directory is changed: judged against the present snapshot, written to the store, then
//! swapped in. A change that was answered holds for every request that starts after the answer.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::{ArcSwap, Guard};
use crossbeam_queue::SegQueue;
use tokio::sync::MutexGuard;
use tokio::sync::oneshot::{self, error::TryRecvError};

use super::snapshot::{CompiledKey, RealmState, Snapshot};
use crate::limits::{MAX_TOUCH_BATCH, MAX_USERS_IN_CHANGE};
use crate::realm::RealmMaker;
use crate::reason::Reason;
use crate::store::{Change, DirectoryStore, StoreError};
use crate::witness::{Event, Witness};
use crate::words::clock::Moment;
use crate::words::names::RealmName;

/// How many changes of a crowd are judged before the thread is given to others: it is a worker's, and requests wait for it.
const CHANGES_IN_STEP: usize = 4;

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
    waiting: Mutex<VecDeque<Waiting>>,
    /// Keys whose last use is to be written behind.
    used: SegQueue<Arc<CompiledKey>>,
}

/// A change that waits for its turn, to be made together with those that wait with it.
struct Waiting {
    judge: Judge,
    told: oneshot::Sender<Result<(), ChangeError<Reason>>>,
}

type Judge = Box<dyn FnOnce(&Snapshot) -> Result<(Vec<Change>, Event), Reason> + Send>;

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
        Self {
            present,
            store,
            maker,
            witness,
            changing: tokio::sync::Mutex::new(()),
            waiting: Mutex::default(),
            used: SegQueue::new(),
        }
    }

    /// Notes the use of a key, in memory at once, in the store with [`write_key_uses`](Self::write_key_uses).
    pub(crate) fn note_use(&self, key: &Arc<CompiledKey>, address: IpAddr, now: Moment) {
        if key.note_use(address, now) {
            self.used.push(Arc::clone(key));
        }
    }

    /// Writes one batch of keys' last uses behind; how many. More may wait if it was [`MAX_TOUCH_BATCH`].
    ///
    /// # Errors
    /// [`StoreError`]: these are not on disk; the next use of each key brings it again.
    pub async fn write_key_uses(&self) -> Result<usize, StoreError> {
        let mut batch = Vec::new();
        while batch.len() < MAX_TOUCH_BATCH {
            let Some(key) = self.used.pop() else { break };
            batch.extend(key.take_use().map(|last| (key.key.id, last)));
        }
        let written = batch.len();
        if written > 0 {
            self.store.note_key_uses(batch).await?;
        }
        Ok(written)
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

    /// As [`change`](Self::change), for changes that come in crowds, such as the records of those who log in for the first time:
    /// all that wait while another is written are written after it as one, of at most [`MAX_USERS_IN_CHANGE`]. Each is judged on
    /// the state that those before it leave, and refused alone; where the store fails, it fails for all of them.
    ///
    /// # Errors
    /// As [`change`](Self::change).
    pub(crate) async fn change_together(
        &self,
        judge: impl FnOnce(&Snapshot) -> Result<(Vec<Change>, Event), Reason> + Send + 'static,
    ) -> Result<(), ChangeError<Reason>> {
        let (told, mut answer) = oneshot::channel();
        self.queue().push_back(Waiting { judge: Box::new(judge), told });
        let stopped = || Err(StoreError("whoever wrote it for others stopped".to_owned()).into());
        let _alone = tokio::select! {
            biased;
            // Somebody who had his turn before took it along.
            made = &mut answer => return made.unwrap_or_else(|_| stopped()),
            alone = self.changing.lock() => alone,
        };
        loop {
            match answer.try_recv() {
                Ok(answer) => return answer,
                // All that wait go with this one.
                Err(TryRecvError::Empty) => self.make_waiting().await,
                Err(TryRecvError::Closed) => return stopped(),
            }
        }
    }

    /// Makes the changes that wait, as one.
    async fn make_waiting(&self) {
        let waiting: Vec<Waiting> = {
            let mut queue = self.queue();
            let count = queue.len().min(MAX_USERS_IN_CHANGE);
            queue.drain(..count).collect()
        };
        let before = self.held();
        let mut after = Snapshot::clone(&before);
        let (mut changes, mut made) = (Vec::new(), Vec::new());
        // Who left meanwhile does not want it any more, and may be somebody else by now.
        let wanted = waiting.into_iter().filter(|waiting| !waiting.told.is_closed());
        for (place, Waiting { judge, told }) in wanted.enumerate() {
            if place % CHANGES_IN_STEP == CHANGES_IN_STEP - 1 {
                tokio::task::yield_now().await;
            }
            match judge(&after) {
                Ok((one, event)) => {
                    if !one.is_empty() {
                        self.witness.note(&event);
                        after.make_all(&one, &*self.maker);
                        changes.extend(one);
                    }
                    made.push(told);
                }
                // Whoever left does not hear it.
                Err(reason) => drop(told.send(Err(ChangeError::Refused(reason)))),
            }
        }
        let written = if changes.is_empty() {
            Ok(())
        } else {
            let written = self.store.apply(changes).await;
            match &written {
                Ok(()) => self.present.store(Arc::new(after.following(&before))),
                Err(error) => self.witness.note(&Event::failed("directory.change_failed", error)),
            }
            written
        };
        // Each of them goes on at once, and before what arrives after him.
        for (place, told) in made.into_iter().enumerate() {
            if place % CHANGES_IN_STEP == CHANGES_IN_STEP - 1 {
                tokio::task::yield_now().await;
            }
            drop(told.send(written.clone().map_err(ChangeError::Store)));
        }
    }

    fn queue(&self) -> std::sync::MutexGuard<'_, VecDeque<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
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
