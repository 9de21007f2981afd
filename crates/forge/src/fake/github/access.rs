//! Who calls, and what they may: the App by its own signature, an installation's token with what it was made for, a
//! person, or nobody.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use data_encoding::BASE64URL_NOPAD;
use jiff::Timestamp;
use ring::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey};
use rustls::pki_types::PrivatePkcs1KeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::Value;

use super::reply::Reply;
use super::world::{APP_ID, Grant, Repository, World};

/// The App's private key, made for tests and good for nothing else.
pub(super) const KEY: &str = include_str!("key.pem");
/// GitHub takes no App's token that is good for longer, in seconds.
const APP_TOKEN_SECONDS_MAX: i64 = 600;

#[derive(Clone, Debug)]
pub(super) enum Actor {
    Nobody,
    App,
    User(String),
    Installation {
        id: u64,
        repositories: Option<std::collections::BTreeSet<u64>>,
        permissions: Option<BTreeMap<String, String>>,
    },
}

/// What a call needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Needs {
    Nothing,
    App,
    User,
    /// A repository, of which this may be read.
    Read(&'static str),
    /// The same, to be written.
    Write(&'static str),
    /// The same, and only by Apps.
    AppWrite(&'static str),
    /// The administration of a repository.
    Admin,
}

/// Who an `Authorization` header is of.
pub(super) fn actor(world: &World, header: Option<&str>) -> Result<Actor, Reply> {
    let Some(header) = header else {
        return Ok(Actor::Nobody);
    };
    let bad = || Reply::problem(401, "Bad credentials");
    let token = header
        .strip_prefix("Bearer ")
        .or_else(|| header.strip_prefix("token "))
        .ok_or_else(bad)?;
    if token.split('.').count() == 3 {
        return app(token)
            .map(|()| Actor::App)
            .map_err(|why| Reply::problem(401, why));
    }
    match world.tokens.get(token) {
        Some(Grant::User(login)) => Ok(Actor::User(login.clone())),
        Some(Grant::Installation {
            id,
            repositories,
            permissions,
            expires,
        }) if *expires > Timestamp::now() => Ok(Actor::Installation {
            id: *id,
            repositories: repositories.clone(),
            permissions: permissions.clone(),
        }),
        _ => Err(bad()),
    }
}

/// Whether the App itself signed this, not too long ago and for not too long.
fn app(token: &str) -> Result<(), &'static str> {
    const UNREADABLE: &str = "A JSON web token could not be decoded";
    let (signed, signature) = token.rsplit_once('.').ok_or(UNREADABLE)?;
    let (header, claims) = signed.split_once('.').ok_or(UNREADABLE)?;
    let read = |part: &str| -> Option<Value> {
        let bytes = BASE64URL_NOPAD.decode(part.as_bytes()).ok()?;
        serde_json::from_slice(&bytes).ok()
    };
    let (header, claims) = (read(header).ok_or(UNREADABLE)?, read(claims).ok_or(UNREADABLE)?);
    let signature = BASE64URL_NOPAD
        .decode(signature.as_bytes())
        .map_err(|_| UNREADABLE)?;
    let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public_key());
    if header["alg"] != "RS256" || key.verify(signed.as_bytes(), &signature).is_err() {
        return Err(UNREADABLE);
    }
    let number = |name: &str| claims[name].as_i64();
    let (Some(issued), Some(expires)) = (number("iat"), number("exp")) else {
        return Err("Missing 'exp' or 'iat' claim");
    };
    let now = Timestamp::now().as_second();
    if claims["iss"].as_str() != Some(&APP_ID.to_string()) {
        return Err("Integration not found");
    }
    if issued > now || expires <= now {
        return Err(
            "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued",
        );
    }
    match expires - now > APP_TOKEN_SECONDS_MAX {
        true => Err("'Expiration time' claim ('exp') is too far in the future"),
        false => Ok(()),
    }
}

fn public_key() -> &'static [u8] {
    static PUBLIC: OnceLock<Vec<u8>> = OnceLock::new();
    PUBLIC.get_or_init(|| {
        let der = PrivatePkcs1KeyDer::from_pem_slice(KEY.as_bytes()).expect("a key");
        let pair = RsaKeyPair::from_der(der.secret_pkcs1_der()).expect("a key");
        pair.public_key().as_ref().to_vec()
    })
}

/// Whether `actor` may do what the call needs, with `repository` where it is about one. What must not be seen is "not
/// found"; what may be seen and not done is forbidden.
pub(super) fn allowed(
    world: &World,
    actor: &Actor,
    needs: Needs,
    repository: Option<&Repository>,
) -> Result<(), Reply> {
    let forbidden = || Reply::problem(403, "Resource not accessible by integration");
    match (needs, actor) {
        (Needs::Nothing, _) | (Needs::App, Actor::App) | (Needs::User, Actor::User(_)) => return Ok(()),
        (Needs::App, _) => return Err(Reply::problem(401, "A JSON web token could not be decoded")),
        (Needs::User, Actor::Nobody) => return Err(Reply::problem(401, "Requires authentication")),
        (Needs::User, _) => return Err(forbidden()),
        _ => {}
    }
    let repository = repository.ok_or_else(|| Reply::problem(404, "Not Found"))?;
    if !sees(world, actor, repository) {
        return Err(Reply::problem(404, "Not Found"));
    }
    match actor {
        Actor::Installation { permissions, .. } => match permissions {
            _ if needs == Needs::Admin => Err(forbidden()),
            Some(permissions) if !held(permissions, needs) => Err(forbidden()),
            _ => Ok(()),
        },
        Actor::User(login) => person(repository, login, needs),
        _ if matches!(needs, Needs::Read(_)) => Ok(()),
        _ => Err(Reply::problem(401, "Requires authentication")),
    }
}

fn sees(world: &World, actor: &Actor, repository: &Repository) -> bool {
    let is_public = !repository.private;
    match actor {
        Actor::Nobody | Actor::App => is_public,
        Actor::User(login) => is_public || repository.roles.contains_key(login),
        Actor::Installation { id, repositories, .. } => {
            let installation = world.installations.get(id);
            let is_of = installation.is_some_and(|i| !i.suspended && i.owner == repository.name.owner());
            is_of
                && repositories
                    .as_ref()
                    .is_none_or(|ids| ids.contains(&repository.id))
        }
    }
}

fn held(permissions: &BTreeMap<String, String>, needs: Needs) -> bool {
    let level = |name: &str| permissions.get(name).map(String::as_str);
    match needs {
        Needs::Read("metadata") => true,
        Needs::Read(name) => level(name).is_some(),
        Needs::Write(name) | Needs::AppWrite(name) => level(name) == Some("write"),
        _ => false,
    }
}

fn person(repository: &Repository, login: &str, needs: Needs) -> Result<(), Reply> {
    let role = repository.roles.get(login).map(String::as_str);
    match needs {
        Needs::Read(_) | Needs::Write("issues") => Ok(()),
        Needs::Write(_) if matches!(role, Some("write" | "maintain" | "admin")) => Ok(()),
        Needs::Admin if role == Some("admin") => Ok(()),
        Needs::AppWrite(_) => Err(Reply::problem(403, "You must authenticate via a GitHub App.")),
        Needs::Admin => Err(Reply::problem(404, "Not Found")),
        _ => Err(Reply::problem(403, "Must have push access to repository")),
    }
}
