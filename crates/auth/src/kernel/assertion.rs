//! Those who come with the word of somebody in front of the gateway. Called by the kernel's door. Must never believe a word
//! that two realms read in two ways.

use std::net::IpAddr;

use super::Kernel;
use super::prove::{Vouching, verify};
use crate::reason::Reason;
use crate::trust::Authenticated;
use crate::witness::Event;
use crate::words::credential::{Asserted, AuthMethod, Evidence};
use crate::words::names::RealmName;

impl Kernel {
    /// By what somebody in front of the gateway says. Nobody's word that a realm does not take is as good as none.
    pub(super) async fn by_assertion(
        &self,
        asserted: Asserted,
        client: IpAddr,
    ) -> Result<Authenticated, Reason> {
        let before = self.parts.directory.held();
        let evidence = Evidence::Asserted(asserted);
        // Who it is about is not known then.
        let refused = |realm: &RealmName, reason: Reason| {
            self.parts.witness.note(&Event::LoginFailed {
                realm: Box::from(realm.as_str()),
                username: Box::default(),
                address: client,
                reason: reason.clone(),
            });
            reason
        };
        let mut vouching: Option<Vouching> = None;
        for realm in before.asserting() {
            if self.realm_in_force(realm.as_str()).is_err() {
                continue;
            }
            match verify(&before, realm.as_str(), &evidence).await {
                Err(Reason::UnknownUser) => {}
                Ok(_) if vouching.is_some() => {
                    let what = "two realms read who it is in the fields";
                    return Err(refused(realm, Reason::MalformedCredentials(what)));
                }
                Ok(one) => vouching = Some(one),
                Err(reason) => return Err(refused(realm, reason)),
            }
        }
        let vouching = vouching.ok_or(Reason::NoCredentials)?;
        let (realm, username) = (vouching.record.name.clone(), vouching.verified.username.clone());
        let known = match self.account_of(&before, vouching, client).await {
            Ok(proven) => {
                Authenticated::by_secret(&self.parts.directory.present(), &proven, AuthMethod::Header)
            }
            Err(reason) => Err(reason),
        };
        let known = known.map_err(|reason| self.refused(realm.as_str(), &username, client, reason))?;
        let id = *known.account().user.id.as_bytes();
        self.note_use(&known, id, client, self.parts.clock.now());
        Ok(known)
    }
}
