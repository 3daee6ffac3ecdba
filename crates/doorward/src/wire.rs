//! The wiring: settings become mounts, dialects and backends. The one file that knows every room by name: removing a
//! realm, a store or a dialect is removing its folder and its lines here.

use std::sync::Arc;
use std::time::Duration;

use api::Services;
use auth::path::below_mount;
use auth::permission::Permission;
use auth::{AtCap, Moment, RealmFault, RealmMaker as _, Scope, SessionCap, SessionLimits};
use config::{AtSessionCap, CookieSecure, Dialect as Spoken, Mistakes, Settings, Upstream};
use dialects::{
    CookieSettings, Foreknowledge, Foreknown, Fusion, FusionParts, OwnEndpoints, Reserved, SameSite,
    SecureWhen,
};
use gateway::{Backends, Dialect, Endpoint, House, HouseParts, Journal, Mount, NoRefresh, Route};
use rustls::ClientConfig;
use zeroize::Zeroizing;

use crate::core::realm_record;
use crate::realms::Judge;
use crate::tls::{self, Certificate};

/// The one-time token that allows the first start from elsewhere.
pub(crate) type SetupToken = Arc<Zeroizing<String>>;

/// A listener with its certificate, if it has one.
pub(crate) struct Door {
    pub(crate) endpoint: Endpoint,
    pub(crate) certificate: Option<Arc<Certificate>>,
}

/// The listeners of the settings.
pub(crate) fn doors(settings: &Settings) -> Result<Vec<Door>, Mistakes> {
    let mut report = settings.report();
    let mut doors = Vec::new();
    for listen in &settings.listen {
        let certificate = match listen.tls.as_ref().map(Certificate::new) {
            None => None,
            Some(Ok(certificate)) => Some(Arc::new(certificate)),
            Some(Err(message)) => {
                report.add(&format!("{}.certificate", listen.key), message);
                continue;
            }
        };
        let tls = certificate.clone().map(tls::server);
        doors.push(Door {
            endpoint: Endpoint { address: listen.address, tls, administration: false },
            certificate,
        });
    }
    if let Some(address) = settings.admin {
        doors.push(Door {
            endpoint: Endpoint { address, tls: None, administration: true },
            certificate: None,
        });
    }
    report.finish().map(|()| doors)
}

/// Says what of the settings this build cannot do, each at its place.
pub(crate) fn check(settings: &Settings) -> Result<(), Mistakes> {
    let mut report = settings.report();
    for mount in &settings.mounts {
        match mount.dialect {
            Spoken::Fusion(_) => {}
            Spoken::Ovirt | Spoken::Plain => {
                let message = format!("the dialect `{}` is not in this version; `fusion` is", mount.dialect);
                report.add(&format!("{}.dialect", mount.key), message);
            }
        }
    }
    for realm in settings.realms.iter().filter(|realm| !realm.key().is_empty()) {
        if let Err(RealmFault { field, why }) = Judge.make(&realm_record(realm, Moment::default())) {
            let field = field.as_deref().map_or("type", |field| field.trim_start_matches("config."));
            report.add(&format!("{}.{field}", realm.key()), why);
        }
    }
    report.finish()
}

/// The house of the settings.
pub(crate) fn house(
    settings: &Settings,
    services: &Services,
    journal: Arc<dyn Journal>,
    setup_token: Option<&SetupToken>,
) -> Result<House, Mistakes> {
    check(settings)?;
    let mut report = settings.report();
    let client = tls::client();
    let mut mounts = vec![reserved()];
    for one in &settings.mounts {
        match mount(one, &settings.mounts, services, &client, setup_token) {
            Ok(mount) => mounts.push(mount),
            Err((key, message)) => report.add(&format!("{}.{key}", one.key), message),
        }
    }
    report.finish()?;
    Ok(House::new(HouseParts {
        kernel: Arc::clone(&services.kernel),
        mounts,
        trusted_proxies: settings.trusted_proxies.clone(),
        separate_administration: settings.admin.is_some(),
        journal,
    }))
}

/// What belongs to the gateway on every listener.
fn reserved() -> Mount {
    Mount {
        path: Box::from(Reserved::PATH),
        scope: Scope::new(Reserved::PATH),
        dialect: Arc::new(Reserved::new()),
        routes: Vec::new(),
        backend: None,
        strip: false,
        no_refresh: NoRefresh::default(),
    }
}

fn mount(
    mount: &config::Mount,
    all: &[config::Mount],
    services: &Services,
    client: &Arc<ClientConfig>,
    setup_token: Option<&SetupToken>,
) -> Result<Mount, (String, String)> {
    let scope = Scope::new(&mount.path);
    let dialect: Arc<dyn Dialect> = Arc::new(Fusion::new(FusionParts {
        services: services.clone(),
        cookie: cookie(mount),
        scope: scope.clone(),
        limits: SessionLimits { idle_timeout: mount.idle_timeout, max_lifetime: mount.max_lifetime },
        cap: cap(mount),
        no_refresh_query: mount.no_refresh_query.as_deref().map(Box::from),
        own: own_endpoints(mount),
        basic_challenge: mount.basic_challenge,
        setup_token: setup_token.cloned(),
        foreknown: foreknowledge(mount, all)?,
    }));
    let mut routes = Vec::new();
    for (number, one) in mount.routes.iter().enumerate() {
        routes.push(route(one, mount.upstream_timeout, client).map_err(|m| (format!("route[{number}]"), m))?);
    }
    let backend =
        backends(&mount.upstream, mount.upstream_timeout, client).map_err(|m| ("upstream".to_owned(), m))?;
    Ok(Mount {
        path: Box::from(mount.path.as_str()),
        scope,
        dialect,
        routes,
        backend: Some(Arc::new(backend)),
        strip: mount.strip,
        no_refresh: NoRefresh::new(&mount.no_refresh),
    })
}

/// Which of our endpoints a mount answers.
pub(crate) fn own_endpoints(mount: &config::Mount) -> OwnEndpoints {
    OwnEndpoints(mount.own.iter().map(|own| own.as_str()).collect())
}

/// What the settings alone say of requests below `mount`, which is one of `all`: for those who have it explained.
///
/// # Errors
/// The key in the mount that is wrong, and why.
pub(crate) fn foreknowledge(
    mount: &config::Mount,
    all: &[config::Mount],
) -> Result<Foreknowledge, (String, String)> {
    let mut routes = Vec::new();
    for (number, one) in mount.routes.iter().enumerate() {
        let rule = rule(one).map_err(|message| (format!("route[{number}]"), message))?;
        routes.push(Route::new(&rule, one.public, None));
    }
    let paths = all.iter().map(|mount| mount.path.as_str()).chain([Reserved::PATH]);
    let inner = |path: &str| Some((below_mount(path, &mount.path)?.to_owned(), path.to_owned()));
    let mut inner: Vec<_> = paths.filter(|path| *path != mount.path).filter_map(inner).collect();
    inner.sort_by_key(|(_, path)| std::cmp::Reverse(path.len()));
    Ok(Arc::new(move |method, below| {
        if let Some((_, path)) = inner.iter().find(|(inner, _)| below_mount(below, inner).is_some()) {
            return Some(Foreknown::OtherMount(path.clone()));
        }
        Route::public_rule(&routes, method, below).map(|rule| Foreknown::Public(rule.to_string()))
    }))
}

fn cap(mount: &config::Mount) -> Option<SessionCap> {
    let then = match mount.at_session_cap {
        AtSessionCap::EndOldest => AtCap::EndOldest,
        AtSessionCap::Refuse => AtCap::Refuse,
    };
    let most = usize::try_from(mount.max_sessions_per_user).unwrap_or(usize::MAX);
    (most > 0).then_some(SessionCap { most, then })
}

fn route(route: &config::Route, answer: Duration, client: &Arc<ClientConfig>) -> Result<Route, String> {
    let rule = rule(route)?;
    let backend = match &route.upstream {
        None => None,
        Some(upstreams) => Some(Arc::new(backends(upstreams, answer, client)?)),
    };
    Ok(Route::new(&rule, route.public, backend))
}

/// What a route is for, as a permission: matched as strictly.
pub(crate) fn rule(route: &config::Route) -> Result<Permission, String> {
    Permission::new(route.methods, &route.path.to_string(), [], []).map_err(|error| error.to_string())
}

fn backends(
    upstreams: &[Upstream],
    answer: Duration,
    client: &Arc<ClientConfig>,
) -> Result<Backends, String> {
    let addresses: Vec<String> = upstreams.iter().map(ToString::to_string).collect();
    Backends::new(addresses.iter().map(String::as_str), answer, client)
}

fn cookie(mount: &config::Mount) -> CookieSettings {
    CookieSettings {
        path: Box::from(mount.path.as_str()),
        secure: match mount.cookie_secure {
            CookieSecure::Auto => SecureWhen::Auto,
            CookieSecure::Always => SecureWhen::Always,
            CookieSecure::Never => SecureWhen::Never,
        },
        same_site: match mount.cookie_same_site {
            config::SameSite::Lax => SameSite::Lax,
            config::SameSite::Strict => SameSite::Strict,
            config::SameSite::None => SameSite::None,
            config::SameSite::Off => SameSite::Off,
        },
    }
}
