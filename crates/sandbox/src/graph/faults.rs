//! What goes wrong, on demand and while the tenant runs: latency, throttling, outages, broken answers, refused
//! logins, missing permissions.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::retry_after::RetryAfter;
use super::rng::{hash, unit};

/// Which requests throttling meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// HTTP requests; a `$batch` call is one, and is decided anew each time.
    HttpRequests,
    /// The sub-requests of batches.
    SubRequests,
    /// Both.
    Everything,
}

impl Scope {
    fn covers(self, subject: &Subject<'_>) -> bool {
        match self {
            Self::HttpRequests => !subject.in_batch,
            Self::SubRequests => subject.in_batch,
            Self::Everything => true,
        }
    }
}

/// Throttling of a share of the requests.
#[derive(Debug, Clone, PartialEq)]
pub struct Throttling {
    /// From 0 to 1; which URLs it meets follows from the seed.
    pub share: f64,
    /// Which requests.
    pub scope: Scope,
    /// When they are told to come back.
    pub retry_after: RetryAfter,
    /// How many times in a row each URL that is met is refused; after that it is answered.
    pub times: u32,
}

/// Something that is done to a request instead of answering it properly.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fault {
    /// Refused with this status: 400 and up.
    Status(u16, RetryAfter),
    /// Done, and then answered with this status all the same: a 429 or 504 does not say that nothing happened.
    DoneButStatus(u16, RetryAfter),
    /// The connection is closed without an answer. A sub-request answers 502 instead.
    Close,
    /// The answer ends in the middle of its body. A sub-request answers 502 instead.
    CutBody,
    /// A proxy's HTML page with status 200.
    Html,
    /// Half of the JSON with status 200.
    BrokenJson,
    /// Answered properly, but this much later. Without effect on a sub-request.
    Delay(Duration),
}

type PathTest = Box<dyn Fn(&str) -> bool + Send>;

/// Which requests a [`Fault`] meets.
pub enum Target {
    /// Every HTTP request to Graph, `$batch` calls among them.
    HttpRequest,
    /// `$batch` calls as a whole.
    Batch,
    /// Requests to the token endpoint.
    Token,
    /// Requests, alone or in a batch, whose method and path with query (`GET /users/…?…`, below the version root)
    /// pass the test.
    Path(PathTest),
    /// PUTs to upload sessions.
    Upload,
}

impl Target {
    /// Requests whose method, path and query, as in `DELETE /users/a%40x/messages/…`, contain `part`.
    pub fn containing(part: impl Into<String>) -> Self {
        let part = part.into();
        Self::Path(Box::new(move |request| request.contains(&part)))
    }

    fn covers(&self, subject: &Subject<'_>) -> bool {
        match self {
            Self::HttpRequest => !subject.in_batch && matches!(subject.kind, Kind::Graph | Kind::Batch),
            Self::Batch => subject.kind == Kind::Batch,
            Self::Token => subject.kind == Kind::Token,
            Self::Upload => subject.kind == Kind::Upload,
            Self::Path(test) => subject.kind != Kind::Batch && test(subject.request),
        }
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HttpRequest => "HttpRequest",
            Self::Batch => "Batch",
            Self::Token => "Token",
            Self::Path(_) => "Path(..)",
            Self::Upload => "Upload",
        })
    }
}

/// Why Entra refuses to give a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenRefusal {
    /// AADSTS7000215: the secret is wrong.
    InvalidSecret,
    /// AADSTS7000222: the secret has expired.
    ExpiredSecret,
    /// AADSTS700016: the application is not in the tenant.
    UnknownApplication,
    /// AADSTS90002: there is no such tenant.
    UnknownTenant,
    /// AADSTS53003: conditional access forbids it.
    Blocked,
}

/// What a request looks like to the faults.
pub(super) struct Subject<'a> {
    pub(super) kind: Kind,
    pub(super) in_batch: bool,
    /// Method, path and query; for a `$batch` call with its number, since all have the same URL.
    pub(super) request: &'a str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Graph,
    Batch,
    Token,
    Upload,
}

/// The tenant's faults. Changes take effect with the next request.
#[derive(Debug)]
pub struct Faults {
    seed: u64,
    plan: Mutex<Plan>,
    quoting: AtomicBool,
}

#[derive(Debug)]
struct Plan {
    latency: Duration,
    batch_latency: Duration,
    gathering: usize,
    throttling: Option<Throttling>,
    throttled: HashMap<u64, u32>,
    everything: Option<(Instant, Scope, RetryAfter)>,
    rules: Vec<Rule>,
    mailbox_limit: usize,
    http_limit: Option<usize>,
    short_pages: bool,
    national: bool,
    left_out: Option<&'static str>,
    unfiltered: bool,
    token_refusal: Option<TokenRefusal>,
    token_lifetime: Duration,
    roles: HashSet<String>,
    roles_shown: bool,
}

#[derive(Debug)]
struct Rule {
    left: usize,
    target: Target,
    fault: Fault,
}

/// The application permissions the tenant's administrator consented to.
pub const ROLES: [&str; 5] =
    ["Calendars.ReadWrite", "Mail.ReadWrite", "Mail.Send", "MailboxSettings.Read", "User.Read.All"];

impl Faults {
    pub(super) fn new(seed: u64) -> Self {
        let plan = Plan {
            latency: Duration::ZERO,
            batch_latency: Duration::ZERO,
            gathering: 0,
            throttling: None,
            throttled: HashMap::new(),
            everything: None,
            rules: Vec::new(),
            mailbox_limit: 4,
            http_limit: None,
            short_pages: false,
            national: false,
            left_out: None,
            unfiltered: false,
            token_refusal: None,
            token_lifetime: Duration::from_secs(3_599),
            roles: ROLES.into_iter().map(str::to_owned).collect(),
            roles_shown: true,
        };
        Self { seed, plan: Mutex::new(plan), quoting: AtomicBool::new(false) }
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every HTTP request takes this long, and every `$batch` call `more` on top.
    pub fn set_latency(&self, each: Duration, more: Duration) {
        let mut plan = self.plan();
        (plan.latency, plan.batch_latency) = (each, more);
    }

    /// Holds responses back until this many HTTP requests are at work at once, so that a test can count them on a busy
    /// machine. Gives up after 20 s.
    pub fn gather(&self, requests: usize) {
        self.plan().gathering = requests;
    }

    pub(super) fn gathering(&self) -> usize {
        self.plan().gathering
    }

    /// Has every refusal quote the request, as the real Graph does now and then. [`Self::clear`] does not end it.
    pub fn quote_requests(&self) {
        self.quoting.store(true, Ordering::Relaxed);
    }

    pub(super) fn quotes_requests(&self) -> bool {
        self.quoting.load(Ordering::Relaxed)
    }

    /// Makes the tenant one of a national cloud, which has no `permanentDelete`.
    pub fn be_national(&self) {
        self.plan().national = true;
    }

    pub(super) fn is_national(&self) -> bool {
        self.plan().national
    }

    /// Leaves a property out of every user, though it is selected.
    pub fn leave_out(&self, property: &'static str) {
        self.plan().left_out = Some(property);
    }

    pub(super) fn left_out(&self) -> Option<&'static str> {
        self.plan().left_out
    }

    /// Lets a filter on users filter nothing, as Graph does with options that it does not know.
    pub fn filter_no_users(&self) {
        self.plan().unfiltered = true;
    }

    pub(super) fn filters_no_users(&self) -> bool {
        self.plan().unfiltered
    }

    /// Throttles a share of the requests; `None` ends it.
    pub fn throttle(&self, throttling: Option<Throttling>) {
        let mut plan = self.plan();
        plan.throttling = throttling;
        plan.throttled.clear();
    }

    /// Throttles every request in `scope` for some time from now.
    pub fn throttle_everything(&self, duration: Duration, scope: Scope, retry_after: RetryAfter) {
        self.plan().everything = Some((Instant::now() + duration, scope, retry_after));
    }

    /// Does this to the next `count` requests that are its target. Faults that were asked for earlier come first.
    pub fn next(&self, count: usize, target: Target, fault: Fault) {
        self.plan().rules.push(Rule { left: count, target, fault });
    }

    /// How many requests may work in one mailbox at once before it answers `ApplicationThrottled`; Outlook's
    /// limit, 4, until changed.
    pub fn set_mailbox_limit(&self, limit: usize) {
        self.plan().mailbox_limit = limit;
    }

    /// How many HTTP requests may be at work at once before more are throttled; no limit until changed.
    pub fn set_http_limit(&self, limit: Option<usize>) {
        self.plan().http_limit = limit;
    }

    /// Lets pages of users and messages hold half of what was asked for, though more follows: `$top` is a wish
    /// ("Paging Microsoft Graph data in your app").
    pub fn set_short_pages(&self, short: bool) {
        self.plan().short_pages = short;
    }

    /// Refuses every request for a token; `None` ends it.
    pub fn refuse_tokens(&self, refusal: Option<TokenRefusal>) {
        self.plan().token_refusal = refusal;
    }

    /// How long the tokens live that are given from now on, in whole seconds.
    pub fn set_token_lifetime(&self, lifetime: Duration) {
        self.plan().token_lifetime = lifetime;
    }

    /// Takes an application permission away, at once.
    pub fn take_role(&self, role: &str) {
        self.plan().roles.remove(role);
    }

    /// Gives an application permission, at once.
    pub fn give_role(&self, role: &str) {
        self.plan().roles.insert(role.to_owned());
    }

    /// Whether tokens show the application's permissions. Those that Exchange grants by RBAC for Applications they do
    /// not show.
    pub fn show_roles(&self, shown: bool) {
        self.plan().roles_shown = shown;
    }

    /// Ends every fault and gives the permissions of [`ROLES`] again.
    pub fn clear(&self) {
        *self.plan() = Self::new(self.seed).plan.into_inner().unwrap_or_else(PoisonError::into_inner);
    }

    pub(super) fn latency(&self, kind: Kind) -> Duration {
        let plan = self.plan();
        if kind == Kind::Batch { plan.latency + plan.batch_latency } else { plan.latency }
    }

    pub(super) fn mailbox_limit(&self) -> usize {
        self.plan().mailbox_limit
    }

    pub(super) fn http_limit(&self) -> Option<usize> {
        self.plan().http_limit
    }

    /// How many items a page holds where so many were asked for.
    pub(super) fn page(&self, asked: usize) -> usize {
        if self.plan().short_pages { asked.div_ceil(2) } else { asked }
    }

    pub(super) fn token_refusal(&self) -> Option<TokenRefusal> {
        self.plan().token_refusal
    }

    pub(super) fn token_lifetime(&self) -> Duration {
        self.plan().token_lifetime
    }

    pub(super) fn has_any_role(&self, roles: &[&str]) -> bool {
        let plan = self.plan();
        roles.iter().any(|role| plan.roles.contains(*role))
    }

    /// What a token shows.
    pub(super) fn roles(&self) -> Vec<String> {
        let plan = self.plan();
        let mut roles: Vec<String> = plan.roles.iter().filter(|_| plan.roles_shown).cloned().collect();
        roles.sort();
        roles
    }

    /// What shall be done to this request.
    pub(super) fn judge(&self, subject: &Subject<'_>) -> Option<Fault> {
        let mut plan = self.plan();
        if let Some(rule) = plan.rules.iter_mut().find(|rule| rule.target.covers(subject)) {
            let fault = rule.fault;
            rule.left = rule.left.saturating_sub(1);
            plan.rules.retain(|rule| rule.left > 0);
            return Some(fault);
        }
        if !matches!(subject.kind, Kind::Graph | Kind::Batch) {
            return None;
        }
        if let Some((until, scope, retry_after)) = plan.everything {
            if Instant::now() >= until {
                plan.everything = None;
            } else if scope.covers(subject) {
                return Some(Fault::Status(429, retry_after));
            }
        }
        let Throttling { share, scope, retry_after, times } = plan.throttling.clone()?;
        let chosen = hash(self.seed, subject.request);
        if !scope.covers(subject) || unit(chosen) >= share {
            return None;
        }
        let met = plan.throttled.entry(chosen).or_default();
        *met += 1;
        (*met <= times).then_some(Fault::Status(429, retry_after))
    }
}
