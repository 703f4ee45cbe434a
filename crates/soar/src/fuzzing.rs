//! What the fuzz targets need of this crate's internals. No part of the public interface.

use chrono::{DateTime, Utc};
use reqwest::header::HeaderMap;

use super::client::{Answered, Attachment};
use super::clock::{Clock, ClockDifference};
use super::rest;
use super::sign_in::Session;
use net::{Scrubber, Secret};

use crate::Login;

/// How far SOAR's clock seems to differ, by the `Date` of an answer that came at `received`.
pub fn clock_difference(date: &str, received: DateTime<Utc>) -> Option<ClockDifference> {
    let clock = Clock::default();
    clock.measure(Some(date), received, received);
    clock.difference()
}

/// An answer of SOAR, read as everything it might be.
pub fn soar_answers(data: &[u8]) {
    let nothing = Scrubber::new([]);
    if let Ok(session) = serde_json::from_slice::<Session>(data) {
        match session.organisation("My Org", &nothing) {
            Ok(organisation) => assert_eq!(organisation.name, "My Org"),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
        let login =
            Login::Password { email: "a@b.example".to_owned(), password: Secret::new("x".to_owned()) };
        let headers = session.headers(&login, &HeaderMap::new());
        assert!(headers.get("x-sess-id").is_none_or(reqwest::header::HeaderValue::is_sensitive));
    }
    if let Ok(answered) = serde_json::from_slice::<Answered<Attachment>>(data) {
        let _ = answered.into_vec();
    }
    if let Some(words) = rest::message(data, &nothing) {
        assert!(words.chars().count() <= 10 * rest::MESSAGE && !words.contains(['\n', '\r']));
    }
}
