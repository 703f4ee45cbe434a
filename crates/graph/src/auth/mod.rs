//! Signing in to Microsoft Graph: credentials, token requests, and the token in use.

pub(crate) mod assertion;
pub(crate) mod claims;
pub(crate) mod credential;
pub(crate) mod error;
pub(crate) mod token;
pub(crate) mod token_request;
pub(crate) mod token_response;
