//! The directory's id of a mailbox that is known by another of its addresses (Graph page "List users").

use serde::Deserialize;

use crate::client::Client;
use crate::error::Error;
use crate::path::Path;
use crate::request::Request;
use net::untrusted::json::Bounded;

#[derive(Deserialize)]
struct Holders {
    value: Bounded<Holder, 2>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Holder {
    id: String,
    #[serde(default)]
    proxy_addresses: Vec<String>,
}

/// Asks the directory for the id of the user whose mailbox has `address`; `None` where there is no such user, or more
/// than one.
pub(super) async fn id_of(client: &Client, address: &str) -> Result<Option<String>, Error> {
    let path = Path::users_with_address(address).option("$select", "id,proxyAddresses").option("$top", "2");
    let Holders { value } = client.send(&Request::get(path)).await?.parse()?;
    let Ok([holder]) = <[Holder; 1]>::try_from(value.0) else { return Ok(None) };
    let wanted = address.to_lowercase();
    let has_it =
        |proxy: &String| proxy.split_once(':').is_some_and(|(_, known)| known.to_lowercase() == wanted);
    // A directory that ignores the filter would name another user. One that leaves the addresses out is believed.
    let is_holder = holder.proxy_addresses.is_empty() || holder.proxy_addresses.iter().any(has_it);
    Ok(Some(holder.id).filter(|_| is_holder))
}

/// Whether the directory has a user who is called `name`: a guest is known by a principal name that is no address.
pub(super) async fn has_user(client: &Client, name: &str) -> Result<bool, Error> {
    let path = Path::user(name)?.option("$select", "id");
    match client.send(&Request::get(path)).await {
        Ok(_) => Ok(true),
        Err(error) if error.status() == Some(404) => Ok(false),
        Err(error) => Err(error),
    }
}
