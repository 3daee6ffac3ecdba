//! Several futures at a time, in one task.
//!
//! Called by `groups.rs` and `look.rs` for searches that don't depend on each other. Must never be given more than a handful: it
//! asks each of them again whenever one of them got further.

use std::future::poll_fn;
use std::task::Poll;

use auth::Pending;

/// What they come to, in their order; the first that fails ends it.
pub(super) async fn together<T, E>(mut futures: Vec<Pending<'_, Result<T, E>>>) -> Result<Vec<T>, E> {
    let mut done: Vec<Option<T>> = futures.iter().map(|_| None).collect();
    poll_fn(|context| {
        let mut is_pending = false;
        for (future, done) in futures.iter_mut().zip(&mut done) {
            if done.is_some() {
                continue;
            }
            match future.as_mut().poll(context) {
                Poll::Ready(Ok(value)) => *done = Some(value),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => is_pending = true,
            }
        }
        if is_pending { Poll::Pending } else { Poll::Ready(Ok(())) }
    })
    .await?;
    Ok(done.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn all_come_to_their_end_in_their_order() {
        let (release, mut held) = tokio::sync::watch::channel(false);
        let late: Pending<'_, Result<u8, ()>> = Box::pin(async move {
            held.changed().await.unwrap();
            Ok(1)
        });
        let early: Pending<'_, Result<u8, ()>> = Box::pin(async move {
            release.send_replace(true);
            Ok(2)
        });
        assert_eq!(together(vec![late, early]).await, Ok(vec![1, 2]));
        assert_eq!(together(Vec::<Pending<'_, Result<u8, ()>>>::new()).await, Ok(vec![]));
    }

    #[tokio::test]
    async fn one_that_fails_ends_it() {
        let never: Pending<'_, Result<u8, u8>> = Box::pin(std::future::pending());
        let failing: Pending<'_, Result<u8, u8>> = Box::pin(async { Err(3) });
        assert_eq!(together(vec![never, failing]).await, Err(3));
    }
}
