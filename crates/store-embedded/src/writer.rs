//! The writer: one task, one connection, one fsync for everything that waits.
//!
//! Spawned by `store.rs` on the runtime that opened the store; everybody else reaches it through a bounded queue. Must never
//! answer `Ok` before the commit, and must never go on with a connection whose commit failed: what a failed fsync leaves
//! behind in memory is not what is on disk.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

use auth::StoreError;
use sqlx::{Connection, SqliteConnection};
use tokio::sync::{mpsc, oneshot};

use crate::adopt::{self, Adoption};
use crate::audit::chain::Chain;
use crate::audit::inbox::{Inbox, Pending};
use crate::change::ChangeRow;
use crate::ends::EndedSessions;
use crate::engine::{self, Reach, Use};
use crate::folder::{Folder, Lock};
use crate::group::{self, Counted, Known, Outcome, Stopped, Work};
use crate::limits::{MAX_GROUP, MAX_TOUCHES, QUEUE_LENGTH, TOUCH_QUEUE_LENGTH};
use crate::rows::session::TouchRow;
use crate::write_back::WriteBack;

/// What the queue carries.
enum Request {
    Do(Operation),
    Adopt(Box<Adopting>),
    Close(oneshot::Sender<()>),
}

struct Operation {
    work: Work,
    answer: oneshot::Sender<Outcome>,
}

struct Adopting {
    adoption: Adoption,
    answer: oneshot::Sender<Result<(), StoreError>>,
}

struct Touches {
    rows: Vec<TouchRow>,
    done: usize,
    answer: oneshot::Sender<Outcome>,
}

/// The way to the writer.
#[derive(Clone)]
pub(crate) struct Queue {
    requests: mpsc::Sender<Request>,
    touches: mpsc::Sender<Touches>,
    /// Lines of the audit log.
    pub(crate) inbox: Arc<Inbox>,
}

impl Queue {
    /// Has the writer do `work`; resolves when it is on disk.
    pub(crate) async fn submit(&self, work: Work) -> Outcome {
        let (answer, outcome) = oneshot::channel();
        self.requests.try_send(Request::Do(Operation { work, answer })).map_err(|error| refusal(&error))?;
        outcome.await.unwrap_or_else(|_| Err(gone()))
    }

    /// Has the writer take another store's content, after what waits; resolves when it is on disk.
    pub(crate) async fn adopt(&self, adoption: Adoption) -> Result<(), StoreError> {
        let (answer, done) = oneshot::channel();
        let adopting = Box::new(Adopting { adoption, answer });
        self.requests.send(Request::Adopt(adopting)).await.map_err(|_| gone())?;
        done.await.unwrap_or_else(|_| Err(gone()))
    }

    /// Has the writer note activity, after everything else that waits.
    pub(crate) async fn submit_touches(&self, rows: Vec<TouchRow>) -> Outcome {
        let (answer, outcome) = oneshot::channel();
        self.touches.try_send(Touches { rows, done: 0, answer }).map_err(|error| refusal(&error))?;
        outcome.await.unwrap_or_else(|_| Err(gone()))
    }

    /// Has the writer finish what waits, close the file and give the folder back.
    pub(crate) async fn close(&self) {
        let (answer, closed) = oneshot::channel();
        if self.requests.send(Request::Close(answer)).await.is_ok() {
            let _ = closed.await;
        }
    }
}

fn refusal<T>(error: &mpsc::error::TrySendError<T>) -> StoreError {
    match error {
        mpsc::error::TrySendError::Full(_) => {
            StoreError("the store has more to write than it can; try again".to_owned())
        }
        mpsc::error::TrySendError::Closed(_) => gone(),
    }
}

fn gone() -> StoreError {
    StoreError("the store is closed".to_owned())
}

/// Starts the writer of `file` on the current runtime.
pub(crate) fn spawn(folder: Folder, open: Open, lock: Lock) -> Queue {
    let (requests, waiting) = mpsc::channel(QUEUE_LENGTH);
    let (touches, waiting_touches) = mpsc::channel(TOUCH_QUEUE_LENGTH);
    let inbox = Arc::new(Inbox::default());
    let writer = Writer {
        write_back: WriteBack::spawn(&folder.store()),
        file: folder.store(),
        folder,
        open: Some(open),
        lines: Pending::new(Arc::clone(&inbox)),
        before_fault: None,
        waiting,
        waiting_touches,
        touches: VecDeque::new(),
    };
    tokio::spawn(auth::breathing(writer.run(lock)));
    Queue { requests, touches, inbox }
}

/// An open connection, and what it has written.
pub(crate) struct Open {
    connection: SqliteConnection,
    known: Known,
    ended: EndedSessions,
}

impl Open {
    /// Reads what a writer must know of the file.
    pub(crate) async fn read(mut connection: SqliteConnection) -> Result<Self, StoreError> {
        let known = Known::read(&mut connection).await?;
        let ended = EndedSessions::read(&mut connection).await?;
        Ok(Self { connection, known, ended })
    }
}

struct Writer {
    folder: Folder,
    file: PathBuf,
    write_back: WriteBack,
    /// The connection and what it has written; `None` after a fault, until the next operation opens it again.
    open: Option<Open>,
    /// Lines of the audit log that are not on disk yet.
    lines: Pending,
    /// Where the log ended before the fault: what a failed commit has written may be in the file after all.
    before_fault: Option<Chain>,
    waiting: mpsc::Receiver<Request>,
    waiting_touches: mpsc::Receiver<Touches>,
    touches: VecDeque<Touches>,
}

/// How the writer's day goes on.
enum Next {
    Work,
    Adopt(Box<Adopting>),
    Finish(Option<oneshot::Sender<()>>),
}

impl Writer {
    async fn run(mut self, lock: Lock) {
        let closed = loop {
            let (operations, next) = self.take_waiting().await;
            while let Ok(touches) = self.waiting_touches.try_recv() {
                self.touches.push_back(touches);
            }
            // After all of these were taken: a line that was added before one of them was asked for is written with it.
            if self.lines.take() || !operations.is_empty() {
                self.write(operations).await;
            }
            self.touch_some().await;
            match next {
                Next::Work => {}
                Next::Adopt(adopting) => self.adopt(*adopting).await,
                Next::Finish(closed) => break closed,
            }
        };
        self.waiting.close();
        self.lines.close();
        // Twice: the first may find that the connection is lost.
        for _ in 0..2 {
            if self.lines.take() {
                self.write(Vec::new()).await;
            }
        }
        while !self.touches.is_empty() {
            self.touch_some().await;
        }
        self.write_back.close().await;
        if let Some(Open { connection, .. }) = self.open.take() {
            // The last connection writes the log back; if it cannot, the next start does.
            let _ = connection.close().await;
        }
        drop(lock);
        if let Some(closed) = closed {
            let _ = closed.send(());
        }
    }

    /// Everything that waits, up to [`MAX_GROUP`]; if nothing does, waits for the first.
    async fn take_waiting(&mut self) -> (Vec<Operation>, Next) {
        let mut operations = Vec::new();
        if self.touches.is_empty() && self.waiting.is_empty() {
            let next = tokio::select! {
                biased;
                request = self.waiting.recv() => take(request, &mut operations),
                Some(touches) = self.waiting_touches.recv() => {
                    self.touches.push_back(touches);
                    Next::Work
                }
                () = self.lines.are_due() => Next::Work,
            };
            if !matches!(next, Next::Work) {
                return (operations, next);
            }
        }
        while operations.len() < MAX_GROUP {
            match self.waiting.try_recv() {
                Ok(request) => match take(Some(request), &mut operations) {
                    Next::Work => {}
                    other => return (operations, other),
                },
                Err(mpsc::error::TryRecvError::Empty) => break,
                Err(mpsc::error::TryRecvError::Disconnected) => return (operations, Next::Finish(None)),
            }
        }
        (operations, Next::Work)
    }

    /// Writes a group, with all lines of the audit log that wait, and answers everybody in it.
    async fn write(&mut self, operations: Vec<Operation>) {
        let works: Vec<&Work> = operations.iter().map(|operation| &operation.work).collect();
        if self.lines.entries().is_empty() && works.iter().all(|work| matches!(work, Work::Flush)) {
            return answer(operations, |_| Ok(Counted::default()));
        }
        match self.attempt(&works, true).await {
            Ok(outcomes) => {
                if works.iter().any(|work| sets_up(work)) {
                    self.secure_setup().await;
                }
                for (operation, outcome) in operations.into_iter().zip(outcomes) {
                    let _ = operation.answer.send(outcome);
                }
            }
            Err(Stopped { reach: Reach::Group, error, .. }) => self.write_what_fits(operations, error).await,
            Err(stopped) => answer(operations, |_| Err(stopped.error.clone())),
        }
    }

    /// There is no room for all: some may fit, above all the ends of sessions, which take next to none.
    ///
    /// Where the audit log's lines do not fit, nothing is done that would have to be told there, but for what ends or keeps
    /// out: a logout is done and its line waits, a login is not done.
    async fn write_what_fits(&mut self, operations: Vec<Operation>, error: StoreError) {
        let lined = match operations.len() {
            0 => Err(error),
            _ if self.lines.entries().is_empty() => Ok(()),
            _ => self.attempt(&[], true).await.map(drop).map_err(|stopped| stopped.error),
        };
        for operation in operations {
            let outcome = match &lined {
                Err(error) if operation.work.needs_its_line() => Err(error.clone()),
                _ => self.write_alone(&operation.work).await,
            };
            let _ = operation.answer.send(outcome);
        }
    }

    /// One operation in a transaction of its own. Ends that find no room take their sessions away instead, which gives some
    /// back: a full disk must not keep anybody in.
    async fn write_alone(&mut self, work: &Work) -> Outcome {
        let refused = match self.attempt(&[work], false).await {
            Ok(mut outcomes) => return outcomes.pop().unwrap_or_else(|| Err(gone())),
            Err(stopped) => stopped,
        };
        if let (Work::End(rows), Reach::Group) = (work, refused.reach) {
            let delete = Work::Delete(rows.iter().map(|row| row.token).collect());
            if let Ok(mut outcomes) = self.attempt(&[&delete], false).await
                && let Some(Ok(_)) = outcomes.pop()
            {
                return Ok(Counted::default());
            }
        }
        Err(refused.error)
    }

    /// One transaction: with the lines that wait, or without.
    async fn attempt(&mut self, works: &[&Work], with_lines: bool) -> Result<Vec<Outcome>, Stopped> {
        self.connect().await?;
        let Some(Open { connection, known, ended }) = &mut self.open else {
            return Err(Stopped::lost(gone()));
        };
        let lines = if with_lines { self.lines.entries() } else { &[] };
        let done = group::run(connection, known, ended, lines, works).await;
        if let Ok(done) = &done {
            ended.adopt(&done.ended, &done.forgotten);
        }
        let rows = lines.len() as u64;
        let done = self.settle(done).await?;
        let of_operation = |outcome: &Outcome| outcome.as_ref().map_or(0, |counted| counted.rows.max(1));
        self.write_back.wrote(rows + done.outcomes.iter().map(of_operation).sum::<u64>());
        self.lines.written(&done.places);
        Ok(done.outcomes)
    }

    /// Takes another store's content, while nothing else is written.
    async fn adopt(&mut self, adopting: Adopting) {
        let done = adopt::run(&self.file, &self.folder, &adopting.adoption).await;
        // What this connection and its tallies know is of the store before.
        if let Some(Open { connection, .. }) = self.open.take() {
            let _ = connection.close().await;
        }
        // Its log is written back at once, as after a setup; what fails here is tried again by the next operation.
        let _ = self.connect().await;
        let _ = adopting.answer.send(done);
    }

    /// Notes one piece of the activity that waits.
    async fn touch_some(&mut self) {
        let Some(mut touches) = self.touches.pop_front() else { return };
        let end = touches.rows.len().min(touches.done + MAX_TOUCHES);
        let piece = &touches.rows[touches.done..end];
        let done = match self.connect().await {
            Ok(Open { connection, ended, .. }) => group::touch(connection, ended, piece).await,
            Err(stopped) => Err(stopped),
        };
        self.write_back.wrote(piece.len() as u64);
        match self.settle(done).await {
            Ok(()) if end < touches.rows.len() => {
                touches.done = end;
                self.touches.push_front(touches);
            }
            done => {
                let _ = touches.answer.send(done.map(|()| Counted::of(end)).map_err(|stopped| stopped.error));
            }
        }
    }

    /// The open connection; opens it again after a fault. Then the log is written back first: what a failed commit left at
    /// its end must not be found by a later start.
    async fn connect(&mut self) -> Result<&mut Open, Stopped> {
        if self.open.is_none() {
            let reopened = reopen(&self.file).await.map_err(Stopped::lost)?;
            if let Some(before) = self.before_fault.take() {
                let found = before.found_of(&reopened.known.chain.head, self.lines.entries());
                self.lines.written(&found);
            }
            self.open = Some(reopened);
        }
        self.open.as_mut().ok_or_else(|| Stopped::lost(gone()))
    }

    /// After a fault: gives the connection up, unless the fault was the transaction's own.
    async fn settle<T>(&mut self, done: Result<T, Stopped>) -> Result<T, Stopped> {
        if let Err(Stopped { lost: true, .. }) = &done
            && let Some(Open { connection, known, .. }) = self.open.take()
        {
            self.before_fault = Some(known.chain);
            // Not with `close`, which waits for an answer: this one may have none to give.
            drop(connection);
        }
        done
    }

    /// The note of the setup goes into the main file at once: should the log be lost one day, the server must still know
    /// that it was set up, and not let the next comer choose the administrator's password.
    async fn secure_setup(&mut self) {
        if let Some(Open { connection, .. }) = &mut self.open {
            let _ = engine::checkpoint(connection).await;
        }
    }
}

fn take(request: Option<Request>, operations: &mut Vec<Operation>) -> Next {
    match request {
        Some(Request::Do(operation)) => {
            operations.push(operation);
            Next::Work
        }
        Some(Request::Adopt(adopting)) => Next::Adopt(adopting),
        Some(Request::Close(closed)) => Next::Finish(Some(closed)),
        None => Next::Finish(None),
    }
}

fn sets_up(work: &Work) -> bool {
    matches!(work, Work::Apply(changes) if changes.iter().any(|change| matches!(change, ChangeRow::Initialise(_))))
}

fn answer(operations: Vec<Operation>, outcome: impl Fn(&Work) -> Outcome) {
    for operation in operations {
        let outcome = outcome(&operation.work);
        let _ = operation.answer.send(outcome);
    }
}

async fn reopen(file: &std::path::Path) -> Result<Open, StoreError> {
    engine::check_header(file)?;
    let mut connection = engine::connect(file, Use::Write).await?;
    engine::checkpoint(&mut connection).await.map_err(|error| engine::opening_fault(file, &error))?;
    Open::read(connection).await
}
