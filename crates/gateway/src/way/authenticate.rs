//! Step 5, authenticate: asks the kernel whose credentials these are. Does not choose a status code.

use auth::trust::Caller;

use super::present::Shown;
use super::record::Record;
use super::route::Routed;
use crate::house::House;
use crate::refusal::Refusal;

/// A request and who asks.
pub(crate) struct Asked<'r> {
    pub(super) routed: Routed<'r>,
    pub(super) caller: Caller,
}

/// Finds out who asks.
pub(super) async fn authenticate<'r>(
    house: &House,
    shown: Shown<'r>,
    record: &mut Record<'r>,
) -> Result<Asked<'r>, Refusal> {
    let Shown { routed, presented } = shown;
    let caller = match presented {
        None => Caller::Anonymous,
        Some(presented) => {
            let counts = routed.mount.dialect.counts_as_activity(routed.clean);
            house.kernel.authenticate(presented, &routed.mount.scope, routed.clean.client(), counts).await?
        }
    };
    record.known(&caller);
    Ok(Asked { routed, caller })
}
