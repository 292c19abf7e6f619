//! The HTTP client for providers and issuers: no proxy from the environment, no
//! redirects, Mozilla's authorities unless others are named.

use std::path::Path;
use std::time::Duration;

use reqwest::{Certificate, Client, redirect};

/// The longest any question may take, whatever its own limit.
const TIMEOUT: Duration = Duration::from_secs(15);

/// A client that trusts the bundled authorities, or those of a file.
#[expect(clippy::disallowed_methods, reason = "a file of settings")]
pub fn client(authorities: Option<&Path>) -> Result<Client, String> {
    let roots = match authorities {
        Some(path) => {
            let pem = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
            Certificate::from_pem_bundle(&pem).map_err(|error| format!("{}: {error}", path.display()))?
        }
        None => webpki_root_certs::TLS_SERVER_ROOT_CERTS
            .iter()
            .filter_map(|root| Certificate::from_der(root).ok())
            .collect(),
    };
    let name = concat!("hashinsight-calculation-core/", env!("CARGO_PKG_VERSION"));
    let builder = Client::builder().tls_certs_only(roots).no_proxy().redirect(redirect::Policy::none());
    builder.user_agent(name).timeout(TIMEOUT).connect_timeout(TIMEOUT).build().map_err(|error| error.to_string())
}
