//! Tokens: whose they are, whether they hold, and for which tenant.

use std::collections::BTreeSet;

use jsonwebtoken::dangerous::insecure_decode_claims;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, Validation, decode, decode_header};
use serde::Deserialize;

use super::{Keys, Role};
use crate::metrics::Metrics;
use crate::settings::AuthSettings;

/// Bytes of a token.
const TOKEN_MAX: usize = 8 * 1024;
/// Roles in a token that are read.
const ROLES_MAX: usize = 32;
/// Seconds by which clocks may differ.
const LEEWAY: u64 = 30;

/// Why a token is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// There is none.
    Missing,
    /// It is none, or too long.
    Malformed,
    /// It bears no signature of the two kinds that count.
    Algorithm,
    /// Its issuer is not known here.
    Issuer,
    /// It is for somebody else.
    Audience,
    /// Its time has passed.
    Expired,
    /// Its time has not come.
    Early,
    /// Its key is not known, or its signature does not hold.
    Signature,
    /// It names no tenant, or no name of one.
    Tenant,
    /// It gives no role here.
    Role,
    /// No key of its issuer could be had yet.
    NoKeys,
    /// No issuer is set at all.
    NotSet,
}

impl Refused {
    /// A stable name.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Malformed => "malformed",
            Self::Algorithm => "algorithm",
            Self::Issuer => "issuer",
            Self::Audience => "audience",
            Self::Expired => "expired",
            Self::Early => "early",
            Self::Signature => "signature",
            Self::Tenant => "tenant",
            Self::Role => "role",
            Self::NoKeys => "no_keys",
            Self::NotSet => "not_set",
        }
    }
}

/// What a token says that counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The tenant.
    pub tenant: String,
    /// The roles known here.
    pub roles: BTreeSet<Role>,
}

#[derive(Deserialize)]
struct Claims {
    tenant: Option<String>,
    #[serde(default)]
    roles: Vec<String>,
}

#[derive(Deserialize)]
struct Whose {
    iss: String,
}

struct Issuer {
    name: String,
    audience: String,
    keys: Keys,
}

/// Verifies tokens of the issuers that are set.
pub struct Verifier {
    issuers: Vec<Issuer>,
    metrics: Metrics,
}

impl Verifier {
    /// For these issuers; their keys are not read yet.
    pub fn new(settings: &AuthSettings, client: &reqwest::Client, metrics: &Metrics) -> Self {
        let issuers = settings.issuers.iter().map(|of| Issuer {
            name: of.issuer.clone(),
            audience: of.audience.clone(),
            keys: Keys::new(of, client, metrics),
        });
        Self { issuers: issuers.collect(), metrics: metrics.clone() }
    }

    /// Whether any issuer is set.
    pub fn is_set(&self) -> bool {
        !self.issuers.is_empty()
    }

    /// Issuers of which no key is known.
    pub fn without_keys(&self) -> Vec<&str> {
        self.issuers.iter().filter(|issuer| !issuer.keys.any()).map(|issuer| issuer.name.as_str()).collect()
    }

    /// Reads all keys anew.
    pub async fn refresh(&self) {
        futures::future::join_all(self.issuers.iter().map(|issuer| issuer.keys.refresh())).await;
    }

    /// What the header `Authorization` proves.
    pub async fn verify(&self, authorization: Option<&str>) -> Result<Said, Refused> {
        let said = self.proven(authorization).await;
        if let Err(refused) = &said {
            self.metrics.refused_tokens.with_label_values(&[refused.name()]).inc();
        }
        said
    }

    async fn proven(&self, authorization: Option<&str>) -> Result<Said, Refused> {
        if !self.is_set() {
            return Err(Refused::NotSet);
        }
        let (scheme, token) = authorization.ok_or(Refused::Missing)?.split_once(' ').ok_or(Refused::Malformed)?;
        if !scheme.eq_ignore_ascii_case("bearer") || token.len() > TOKEN_MAX {
            return Err(Refused::Malformed);
        }
        let header = decode_header(token).map_err(|error| match error.kind() {
            // An algorithm this library has no name for, such as none.
            ErrorKind::Json(_) => Refused::Algorithm,
            _ => Refused::Malformed,
        })?;
        // What a token insists on that is not understood here is refused (RFC 7515, 4.1.11).
        if header.crit.is_some() || !matches!(header.alg, Algorithm::RS256 | Algorithm::EdDSA) {
            return Err(Refused::Algorithm);
        }
        // Not believed yet: it only chooses whose keys must prove it.
        let whose: Whose = insecure_decode_claims(token).map_err(|_| Refused::Malformed)?;
        let issuer = self.issuers.iter().find(|issuer| issuer.name == whose.iss).ok_or(Refused::Issuer)?;
        let key = issuer.keys.find(&header.kid.ok_or(Refused::Signature)?).await;
        let key = key.ok_or(if issuer.keys.any() { Refused::Signature } else { Refused::NoKeys })?;
        if key.algorithm != header.alg {
            return Err(Refused::Algorithm);
        }
        let mut validation = Validation::new(key.algorithm);
        validation.leeway = LEEWAY;
        validation.validate_nbf = true;
        validation.set_audience(&[&issuer.audience]);
        validation.set_issuer(&[&issuer.name]);
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        let claims: Claims = decode(token, &key.key, &validation).map_err(|error| why(error.kind()))?.claims;
        let tenant = claims.tenant.filter(|tenant| is_tenant(tenant)).ok_or(Refused::Tenant)?;
        let roles = claims.roles.into_iter().take(ROLES_MAX);
        let roles: BTreeSet<Role> = roles.filter_map(|role| serde_json::from_value(role.into()).ok()).collect();
        if roles.is_empty() { Err(Refused::Role) } else { Ok(Said { tenant, roles }) }
    }
}

fn why(kind: &ErrorKind) -> Refused {
    match kind {
        ErrorKind::ExpiredSignature => Refused::Expired,
        ErrorKind::ImmatureSignature => Refused::Early,
        ErrorKind::InvalidAudience => Refused::Audience,
        ErrorKind::InvalidIssuer => Refused::Issuer,
        ErrorKind::InvalidAlgorithm | ErrorKind::InvalidAlgorithmName => Refused::Algorithm,
        ErrorKind::MissingRequiredClaim(claim) if claim == "exp" => Refused::Expired,
        ErrorKind::MissingRequiredClaim(claim) if claim == "aud" => Refused::Audience,
        ErrorKind::InvalidSignature => Refused::Signature,
        _ => Refused::Malformed,
    }
}

/// A name that may be a label and part of a file's name.
fn is_tenant(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&name.len()) && name.bytes().all(inner) && !name.starts_with('-') && !name.ends_with('-')
}
