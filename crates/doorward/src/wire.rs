//! The wiring: settings become mounts, dialects and backends. The one file that knows every room by name: removing a
//! realm, a store or a dialect is removing its folder and its lines here.

use std::sync::Arc;
use std::time::Duration;

use api::Services;
use auth::permission::Permission;
use auth::{Scope, SessionLimits};
use config::{CookieSecure, Dialect as Spoken, Mistakes, RealmType, Settings, Upstream};
use dialects::{CookieSettings, Fusion, FusionParts, OwnEndpoints, Reserved, SameSite, SecureWhen};
use gateway::{Backends, Dialect, Endpoint, House, HouseParts, Journal, Mount, Route};
use rustls::ClientConfig;
use zeroize::Zeroizing;

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
    for realm in &settings.realms {
        if realm.kind != RealmType::Native {
            report.add(
                &format!("{}.type", realm.key()),
                "this type of realm is not in this version; `native` is",
            );
        } else if realm.name.as_str() != "native" {
            report.add(&format!("{}.name", realm.key()), "the realm of type `native` is called `native`");
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
        match mount(one, services, &client, setup_token) {
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
    }
}

fn mount(
    mount: &config::Mount,
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
        max_sessions_per_user: match mount.max_sessions_per_user {
            0 => None,
            cap => Some(usize::try_from(cap).unwrap_or(usize::MAX)),
        },
        own: OwnEndpoints(mount.own.iter().map(|own| own.as_str()).collect()),
        basic_challenge: mount.basic_challenge,
        setup_token: setup_token.cloned(),
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
    })
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
