//! Who clicked on the links that a query looks for (Defender's table `UrlClickEvents`).

use std::collections::{HashMap, HashSet};

use serde::Serialize;
use tracing::warn;
use url::Url;

use super::Task;
use crate::functions::query_emails::query::shown;
use crate::functions::report::{counted, thousands};
use graph::{ClickCriteria, IndexLimits, UrlClick, hunt_clicks, urls};

/// So many clicks stand in a result.
const MOST_CLICKS: usize = 5_000;

/// The clicks on links that are looked for.
#[derive(Debug, Default, Serialize)]
pub(in crate::functions::query_emails) struct Clicks {
    #[serde(rename = "clicks")]
    shown: Vec<Click>,
    /// Clicks of users whose mail this integration must not read.
    hidden: usize,
    /// What is missing, in sentences.
    not_answered_for: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Click {
    user: String,
    time: String,
    url: String,
    action: String,
    /// Whether the user went on in spite of a warning.
    clicked_through: Option<bool>,
}

impl Clicks {
    /// Looks the clicks up. That they cannot be known is part of the answer.
    pub(super) async fn find(task: Task<'_>) -> Self {
        let Task { context, query, until } = task;
        let wanted = &query.criteria.indicators.urls;
        let criteria = ClickCriteria {
            urls: wanted.iter().map(|url| url.host().to_owned()).collect(),
            from: query.criteria.received_from,
            ..ClickCriteria::default()
        };
        let hunt = match hunt_clicks(&context.graph, &criteria, IndexLimits::until(until)).await {
            Ok(hunt) => hunt,
            Err(error) => {
                warn!(error = error.for_log(), "clicks cannot be looked up");
                return Self { not_answered_for: vec![error.to_string()], ..Self::default() };
            }
        };
        let is_wanted = |click: &UrlClick| {
            let url = urls::canonical(&click.url).and_then(|url| Url::parse(&url).ok());
            url.is_some_and(|url| wanted.iter().any(|wanted| wanted.matches(&url)))
        };
        let mut found = Self {
            not_answered_for: hunt.coverage.gaps.iter().map(ToString::to_string).collect(),
            ..Self::default()
        };
        let mut may_be_read: HashMap<String, bool> = HashMap::new();
        for click in hunt.rows.into_iter().filter(is_wanted) {
            if found.shown.len() == MOST_CLICKS {
                found.not_answered_for.push(format!("there are more than {} clicks", thousands(MOST_CLICKS)));
                break;
            }
            if !may_be_read.contains_key(&click.user) {
                may_be_read.insert(click.user.clone(), may_be_shown(task, &click.user).await);
            }
            if may_be_read.get(&click.user) == Some(&true) {
                found.shown.push(click.into());
            } else {
                found.hidden += 1;
            }
        }
        found
    }

    /// The sum in one line.
    pub(in crate::functions::query_emails) fn line(&self) -> String {
        let users: HashSet<&str> = self.shown.iter().map(|click| click.user.as_str()).collect();
        let clicks = match self.shown.len() {
            0 => "No click on the link is known.".to_owned(),
            clicks => format!("{} by {}.", counted(clicks, "click"), counted(users.len(), "user")),
        };
        let hidden = (self.hidden > 0).then(|| {
            format!("{} more by users whose mail must not be read here.", counted(self.hidden, "click"))
        });
        let missing =
            self.not_answered_for.iter().map(|missing| format!("Clicks may be missing: {missing}."));
        std::iter::once(clicks).chain(hidden).chain(missing).collect::<Vec<_>>().join(" ")
    }

    /// The clicks, one a line.
    pub(in crate::functions::query_emails) fn lines(&self) -> Vec<String> {
        let line = |Click { user, time, url, action, clicked_through }: &Click| {
            let through = if *clicked_through == Some(true) { ", went on in spite of a warning" } else { "" };
            format!("{time} {user}: {url} ({action}{through})")
        };
        self.shown.iter().map(line).collect()
    }
}

impl From<UrlClick> for Click {
    fn from(click: UrlClick) -> Self {
        Self {
            user: click.user,
            time: shown(click.time),
            url: click.url,
            action: click.action,
            clicked_through: click.clicked_through,
        }
    }
}

/// Whether the settings allow to read the user's mail.
async fn may_be_shown(task: Task<'_>, user: &str) -> bool {
    let context = task.context;
    match context.guard.read_policy() {
        None => true,
        Some(policy) => policy.authorize(&context.graph, &graph::Dispatch::Single, user).await.is_ok(),
    }
}
