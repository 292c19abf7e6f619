//! Who asks, and what they may do. The tenant comes out of a signed token and
//! from nowhere else.

mod crypto;
pub mod keys;
pub mod limits;
pub mod token;

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Deserialize;
use tokio::sync::OwnedSemaphorePermit;

pub use crypto::install;
pub use keys::Keys;
pub use limits::{Account, Accounts};
pub use token::{Refused, Verifier};

/// What a person is to their tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub enum Role {
    /// Everything.
    Owner,
    /// Runs the machines.
    Operations,
    /// Looks after the money.
    Finance,
    /// Looks on.
    Investor,
}

/// What a request needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// Market data, catalogue, one machine's estimate.
    Read,
    /// Computations over fleets and time.
    Compute,
    /// Taking in fleets.
    Import,
}

impl Permission {
    /// Whom it is given to.
    pub const fn roles(self) -> &'static [Role] {
        match self {
            Self::Read => &[Role::Owner, Role::Operations, Role::Finance, Role::Investor],
            Self::Compute => &[Role::Owner, Role::Operations, Role::Finance],
            Self::Import => &[Role::Owner, Role::Operations],
        }
    }
}

/// Whoever asks.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Its tenant.
    pub tenant: Arc<str>,
    /// Its roles there.
    pub roles: BTreeSet<Role>,
    /// What its tenant may do.
    pub account: Arc<Account>,
    /// The request's place among its tenant's; work that goes on keeps it.
    pub under_way: Arc<OwnedSemaphorePermit>,
}

impl Caller {
    /// Whether one of its roles has the permission.
    pub fn may(&self, permission: Permission) -> bool {
        permission.roles().iter().any(|role| self.roles.contains(role))
    }
}
