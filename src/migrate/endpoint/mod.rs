//! Another server or account with the Route 53 API.
//!
//! - `credentials`: the key that requests are signed with, as the `aws` command finds it.
//! - `connection`: one request after the other, again when the server asks to wait.
//! - `copy`: the lists that make an account.

mod connection;
mod copy;
mod credentials;

pub(crate) use connection::{AMAZON, Connection};
pub(crate) use copy::copy;
pub(crate) use credentials::{Environment, NoCredentials, find_credentials};
