//! The one who signs, as the other rooms know him.
//!
//! Made by `doorward`; called through [`Signatory`]. Must never sign with another key than the current one of the snapshot that
//! he is given.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use arc_swap::ArcSwapOption;
use auth::directory::Snapshot;
use auth::trust::Authenticated;
use auth::{
    Audience, BearerClaims, BearerText, Clock, KeyRing, Moment, RoleName, Rotation, RotationFault, SignFault,
    Signatory, SigningAlgorithm,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::claims::{BearerTokenClaims, IdentityClaims, Seconds, Text, amr};
use crate::keys::Pair;
use crate::limits::MAX_IDENTITY_TOKEN_BYTES;
use crate::remembered::{Place, Remembered, Signed};
use crate::{jwk, jwt, keys, rotation};

/// A ring of which everything is computed once.
struct Ready {
    ring: Arc<KeyRing>,
    key_set: Arc<str>,
    signing: Result<Arc<Signing>, SignFault>,
}

/// The key that signs.
struct Signing {
    id: Box<str>,
    /// What its identity tokens begin with.
    identity: String,
    /// What its bearer tokens begin with.
    bearer: String,
    pair: Pair,
}

/// Signs in the name of one issuer.
pub struct Signer {
    issuer: Box<str>,
    clock: Arc<dyn Clock>,
    ready: ArcSwapOption<Ready>,
    remembered: Remembered,
}

impl Signer {
    /// A signer whose tokens' `iss` is `issuer`. Their times are told by `clock`'s wall, as others hold them against theirs;
    /// all that is decided here is decided in house time.
    #[must_use]
    pub fn new(issuer: &str, clock: Arc<dyn Clock>) -> Self {
        Self {
            issuer: Box::from(issuer),
            clock,
            ready: ArcSwapOption::empty(),
            remembered: Remembered::new(),
        }
    }

    /// What is computed of this snapshot's keys, and the key that signs.
    fn ready(&self, snapshot: &Snapshot) -> Result<Arc<Ready>, SignFault> {
        let ring = snapshot.key_ring().ok_or(SignFault::NoKeys)?;
        let present = self.ready.load();
        if let Some(ready) = &*present
            && Arc::ptr_eq(&ready.ring, ring)
        {
            return Ok(Arc::clone(ready));
        }
        // Whoever still holds an older snapshot puts its keys back, and the next one these: each gets his own.
        let current = ring.current();
        let same = present.as_ref().and_then(|ready| ready.signing.as_ref().ok());
        let signing = match same.filter(|signing| signing.id == current.id) {
            Some(signing) => Ok(Arc::clone(signing)),
            None => Pair::read(current).map(|pair| {
                let (identity, bearer) =
                    (jwt::beginning(current, jwt::IDENTITY), jwt::beginning(current, jwt::BEARER));
                Arc::new(Signing { id: current.id.clone(), identity, bearer, pair })
            }),
        };
        let ready = Ready { ring: Arc::clone(ring), key_set: Arc::from(jwk::set(Some(ring))), signing };
        let ready = Arc::new(ready);
        self.ready.store(Some(Arc::clone(&ready)));
        Ok(ready)
    }

    /// Signs an identity token.
    fn sign(
        &self,
        known: &Authenticated,
        snapshot: &Snapshot,
        audience: &Audience,
        now: Moment,
    ) -> Result<Signed, SignFault> {
        let ready = self.ready(snapshot)?;
        let signing = ready.signing.as_ref().map_err(Clone::clone)?;
        let account = known.account();
        let roles: Box<[RoleName]> = snapshot.roles_of(account).map(|role| role.role.name.clone()).collect();
        let wall = self.clock.wall();
        let issued = Seconds::of(wall);
        let expires = Seconds::of(issued.start().plus(audience.lifetime()));
        let claims = IdentityClaims {
            iss: &self.issuer,
            sub: &account.id_text,
            aud: audience.name(),
            iat: issued,
            exp: expires,
            name: account.user.username.shown(),
            realm: &account.user.realm,
            roles: &roles,
            sid: known.session().map(|session| Text(session.id)),
            auth_time: known.session().map(|session| Seconds::of(wall.minus(now.since(session.created)))),
            amr: amr(known.method()),
        };
        let token = jwt::compact(&signing.identity, &claims, &signing.pair, MAX_IDENTITY_TOKEN_BYTES)?;
        let half = expires.start().minus(audience.lifetime() / 2);
        Ok(Signed {
            account: Arc::clone(account),
            roles,
            key: signing.id.clone(),
            generation: AtomicU64::new(snapshot.generation()),
            fresh_until: now.plus(half.since(wall)),
            on_the_wall: issued.start()..=half,
            token: Arc::from(token),
        })
    }
}

impl Signatory for Signer {
    fn identity_token(
        &self,
        known: &Authenticated,
        snapshot: &Snapshot,
        audience: &Audience,
        now: Moment,
    ) -> Result<Arc<str>, SignFault> {
        let place = Place::of(known, audience);
        if let Some(token) =
            self.remembered.recall(&place, known.account(), snapshot, (now, self.clock.wall()))
        {
            return Ok(token);
        }
        // Several may sign the same at once; one of their tokens is remembered, and all are good.
        let signed = self.sign(known, snapshot, audience, now)?;
        let token = Arc::clone(&signed.token);
        self.remembered.remember(place, signed);
        Ok(token)
    }

    fn bearer_token(
        &self,
        snapshot: &Snapshot,
        claims: &BearerClaims,
        now: Moment,
    ) -> Result<BearerText, SignFault> {
        let ready = self.ready(snapshot)?;
        let signing = ready.signing.as_ref().map_err(Clone::clone)?;
        let wall = self.clock.wall();
        let claims = BearerTokenClaims {
            iss: &self.issuer,
            sub: Text(claims.subject),
            client_id: Text(claims.subject),
            aud: &self.issuer,
            iat: Seconds::of(wall),
            exp: Seconds::of(wall.plus(claims.expires.since(now))),
            sid: Text(claims.session),
            jti: URL_SAFE_NO_PAD.encode(claims.unique),
        };
        let token = jwt::compact(&signing.bearer, &claims, &signing.pair, usize::MAX)?;
        Ok(BearerText::new(token))
    }

    fn key_set(&self, snapshot: &Snapshot) -> Arc<str> {
        match self.ready(snapshot) {
            Ok(ready) => Arc::clone(&ready.key_set),
            Err(_) => Arc::from(jwk::set(None)),
        }
    }

    fn first_keys(&self, algorithm: SigningAlgorithm, now: Moment) -> Result<KeyRing, SignFault> {
        let (current, next) = (keys::make(algorithm, now)?, keys::make(algorithm, now)?);
        rotation::begun(current, next).ok_or(SignFault::System)
    }

    fn rotated(&self, ring: &KeyRing, rotation: Rotation, now: Moment) -> Result<KeyRing, RotationFault> {
        rotation::permit(ring, rotation.forced, now)?;
        rotation::rotated(ring, keys::make(rotation.algorithm, now)?, rotation, now)
    }

    fn withdrawn(
        &self,
        ring: &KeyRing,
        id: &str,
        algorithm: SigningAlgorithm,
        now: Moment,
    ) -> Result<Option<KeyRing>, SignFault> {
        rotation::withdrawn(ring, id, || keys::make(algorithm, now))
    }

    fn swept(&self, ring: &KeyRing, now: Moment) -> Option<KeyRing> {
        rotation::swept(ring, now)
    }
}
