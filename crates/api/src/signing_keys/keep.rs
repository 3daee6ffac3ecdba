//! Housekeeping of the signing keys: the first ones are made, those that nobody needs any more go. Called by the binary at its
//! start and from time to time; nobody else may.

use auth::directory::ChangeError;
use auth::{Change, SigningAlgorithm};

use crate::error::Error;
use crate::services::Services;

/// Sees to it that there are keys, of `algorithm` where there were none, and that none is kept whose last token has expired.
///
/// # Errors
/// [`Error::Unsigned`], [`Error::Kernel`]: the next call tries again.
pub async fn run(services: &Services, algorithm: SigningAlgorithm) -> Result<(), Error> {
    let (directory, now) = (services.kernel.directory(), services.kernel.clock().now());
    let kept = directory.amend(|snapshot| {
        let ring = match snapshot.key_ring() {
            None => Some(services.signatory.first_keys(algorithm, now).map_err(Error::Unsigned)?),
            Some(ring) => services.signatory.swept(ring, now),
        };
        Ok::<_, Error>((ring.map(|ring| Change::PutKeyRing(Box::new(ring))).into_iter().collect(), ()))
    });
    kept.await.map_err(|error: ChangeError<Error>| error.into())
}
