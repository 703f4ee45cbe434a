//! What goes wrong, on demand and while the tenant runs: latency, throttling, outages, wrong responses, refused
//! logins, missing permissions.

mod fault;
mod index;
mod mailbox;
mod pace;
mod users;

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use parking_lot::{Mutex, MutexGuard};

pub use self::fault::{Fault, Scope, Target, Throttling, TokenRefusal};
pub(super) use self::fault::{Kind, Subject};
use self::index::Indexes;
pub(super) use self::index::Quota;
pub use self::mailbox::{MailboxFault, PageLoop};
pub(super) use self::pace::Work;
pub use self::pace::{Pace, Slow, optimum, optimum_with_refusals};
use super::refusal::Refusal;
use super::retry_after::RetryAfter;
use super::rng::{hash, unit};
use super::search::MOST_HITS;

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
    pace: Option<Pace>,
    /// How often the time of a request, by its hash, was drawn.
    drawn: HashMap<u64, u32>,
    application_limit: Option<usize>,
    gathering: usize,
    throttling: Option<Throttling>,
    throttled: HashMap<u64, u32>,
    everything: Option<(Instant, Scope, RetryAfter)>,
    rules: Vec<Rule>,
    mailbox_limit: usize,
    http_limit: Option<usize>,
    short_pages: bool,
    page_loop: Option<PageLoop>,
    mailboxes: HashMap<u32, Vec<MailboxFault>>,
    most_hits: usize,
    index_lag: Duration,
    visibility_lag: Duration,
    national: bool,
    left_out: Option<&'static str>,
    users_unfiltered: bool,
    messages_unfiltered: bool,
    listed_twice: Option<u32>,
    user_count: Option<usize>,
    token_refusal: Option<TokenRefusal>,
    token_lifetime: Duration,
    roles: HashSet<String>,
    roles_shown: bool,
    indexes: Indexes,
}

#[derive(Debug)]
struct Rule {
    left: usize,
    target: Target,
    fault: Fault,
}

/// The application permissions that the tenant's administrator consented to.
pub const ROLES: [&str; 5] =
    ["Calendars.ReadWrite", "Mail.ReadWrite", "Mail.Send", "MailboxSettings.Read", "User.Read.All"];

/// The application permissions that some functions can use and the administrator has not consented to.
/// [`Faults::give_role`] grants one.
pub const OPTIONAL_ROLES: [&str; 4] =
    ["ExchangeMessageTrace.Read.All", "ThreatHunting.Read.All", RESTORE_ROLES[0], RESTORE_ROLES[1]];

/// Those that restoring calendar entries in full fidelity needs.
pub const RESTORE_ROLES: [&str; 2] = ["MailboxItem.ImportExport.All", "MailboxFolder.Read.All"];

impl Faults {
    pub(super) fn new(seed: u64) -> Self {
        let plan = Plan {
            latency: Duration::ZERO,
            batch_latency: Duration::ZERO,
            pace: None,
            drawn: HashMap::new(),
            application_limit: None,
            gathering: 0,
            throttling: None,
            throttled: HashMap::new(),
            everything: None,
            rules: Vec::new(),
            mailbox_limit: 4,
            http_limit: None,
            short_pages: false,
            page_loop: None,
            mailboxes: HashMap::new(),
            most_hits: MOST_HITS,
            index_lag: Duration::ZERO,
            visibility_lag: Duration::ZERO,
            national: false,
            left_out: None,
            users_unfiltered: false,
            messages_unfiltered: false,
            listed_twice: None,
            user_count: None,
            token_refusal: None,
            token_lifetime: Duration::from_secs(3_599),
            roles: ROLES.into_iter().map(str::to_owned).collect(),
            roles_shown: true,
            indexes: Indexes::default(),
        };
        Self { seed, plan: Mutex::new(plan), quoting: AtomicBool::new(false) }
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock()
    }

    /// Holds responses back until this many HTTP requests are at work at once, so that a test can count them on a busy
    /// machine. Gives up after 20 s.
    pub fn gather(&self, requests: usize) {
        self.plan().gathering = requests;
    }

    pub(super) fn gathering(&self) -> usize {
        self.plan().gathering
    }

    /// Makes every refusal quote the request, as Graph sometimes does. [`Self::clear`] does not end it.
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

    /// Omits a property from every user, even if it is selected.
    pub fn leave_out(&self, property: &'static str) {
        self.plan().left_out = Some(property);
    }

    pub(super) fn left_out(&self) -> Option<&'static str> {
        self.plan().left_out
    }

    /// Ignores `$filter` in lists of messages.
    pub fn filter_no_messages(&self) {
        self.plan().messages_unfiltered = true;
    }

    pub(super) fn filters_no_messages(&self) -> bool {
        self.plan().messages_unfiltered
    }

    pub(super) fn fail_mailbox(&self, mailbox: u32, fault: MailboxFault) {
        self.plan().mailboxes.entry(mailbox).or_default().push(fault);
    }

    /// The refusal of a request to a mailbox, which the URL names as `user`.
    pub(super) fn mailbox_refusal(&self, mailbox: u32, user: &str) -> Option<Refusal> {
        self.plan().mailboxes.get(&mailbox)?.iter().find_map(|fault| fault.refusal(user))
    }

    /// The refusal of a list of messages with pages of `top`, which covers `span`; `None` is an infinite span.
    pub(super) fn list_refusal(&self, mailbox: u32, top: usize, span: Option<TimeDelta>) -> Option<Refusal> {
        self.plan().mailboxes.get(&mailbox)?.iter().find_map(|fault| fault.list_refusal(top, span))
    }

    /// Whether the mailbox refuses changes of extended properties.
    pub(super) fn refuses_extended_properties(&self, mailbox: u32) -> bool {
        let plan = self.plan();
        let mut faults = plan.mailboxes.get(&mailbox).into_iter().flatten();
        faults.any(|fault| *fault == MailboxFault::NoExtendedProperties)
    }

    /// How much longer a request to the mailbox takes.
    pub(super) fn mailbox_latency(&self, mailbox: u32) -> Duration {
        let plan = self.plan();
        let faults = plan.mailboxes.get(&mailbox).into_iter().flatten();
        faults.map(|fault| if let MailboxFault::Slow(more) = fault { *more } else { Duration::ZERO }).sum()
    }

    /// Sets how many hits a `$search` returns at most: 1,000 as documented until changed. 250 and 275 were seen
    /// (microsoft-graph-docs issue 6665).
    pub fn set_most_hits(&self, most: usize) {
        self.plan().most_hits = most;
    }

    pub(super) fn most_hits(&self) -> usize {
        self.plan().most_hits
    }

    /// Sets how long it takes until `$search` finds a message that was added while the tenant runs. `$filter` finds
    /// it at once.
    pub fn set_index_lag(&self, lag: Duration) {
        self.plan().index_lag = lag;
    }

    pub(super) fn index_lag(&self) -> Duration {
        self.plan().index_lag
    }

    /// Sets how long a new draft or upload session answers 404 (msgraph-sdk-dotnet issue 1287).
    pub fn set_visibility_lag(&self, lag: Duration) {
        self.plan().visibility_lag = lag;
    }

    pub(super) fn visibility_lag(&self) -> Duration {
        self.plan().visibility_lag
    }

    /// Makes `@odata.nextLink` lead in a circle; `None` ends it.
    pub fn loop_pages(&self, page_loop: Option<PageLoop>) {
        self.plan().page_loop = page_loop;
    }

    pub(super) fn page_loop(&self) -> Option<PageLoop> {
        self.plan().page_loop
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

    /// Applies `fault` to the next `count` requests that `target` covers. Faults that were added earlier come first.
    pub fn next(&self, count: usize, target: Target, fault: Fault) {
        self.plan().rules.push(Rule { left: count, target, fault });
    }

    /// Sets how many requests may be at work in one mailbox before it answers `ApplicationThrottled`. The default is
    /// Outlook's limit, 4.
    pub fn set_mailbox_limit(&self, limit: usize) {
        self.plan().mailbox_limit = limit;
    }

    /// Sets how many HTTP requests may be at work before more are throttled. There is no limit by default.
    pub fn set_http_limit(&self, limit: Option<usize>) {
        self.plan().http_limit = limit;
    }

    /// Makes pages of users and messages hold half of the requested entries, although more follow: the service may
    /// return smaller pages than `$top` ("Paging Microsoft Graph data in your app").
    pub fn set_short_pages(&self, short: bool) {
        self.plan().short_pages = short;
    }

    /// Refuses every request for a token; `None` ends it.
    pub fn refuse_tokens(&self, refusal: Option<TokenRefusal>) {
        self.plan().token_refusal = refusal;
    }

    /// Sets the lifetime of tokens that are issued from now on, in whole seconds.
    pub fn set_token_lifetime(&self, lifetime: Duration) {
        self.plan().token_lifetime = lifetime;
    }

    /// Removes an application permission immediately.
    pub fn take_role(&self, role: &str) {
        self.plan().roles.remove(role);
    }

    /// Grants an application permission immediately.
    pub fn give_role(&self, role: &str) {
        self.plan().roles.insert(role.to_owned());
    }

    /// Sets whether tokens show the application's permissions. They do not show those that Exchange grants by RBAC for
    /// Applications.
    pub fn show_roles(&self, shown: bool) {
        self.plan().roles_shown = shown;
    }

    /// Ends every fault and restores the permissions of [`ROLES`]. Those of [`OPTIONAL_ROLES`] and the limits of the
    /// indexes stay as they are.
    pub fn clear(&self) {
        let mut new = Self::new(self.seed).plan.into_inner();
        let mut plan = self.plan();
        new.roles.extend(plan.roles.drain().filter(|role| OPTIONAL_ROLES.contains(&role.as_str())));
        new.indexes = std::mem::take(&mut plan.indexes);
        *plan = new;
    }

    pub(super) fn mailbox_limit(&self) -> usize {
        self.plan().mailbox_limit
    }

    pub(super) fn http_limit(&self) -> Option<usize> {
        self.plan().http_limit
    }

    /// The number of entries in a page if `asked` were requested.
    pub(super) fn page(&self, asked: usize) -> usize {
        if self.plan().short_pages { asked.div_ceil(2) } else { asked }
    }

    /// Where the next page of `found` entries begins, after one of `top` entries that follow the first `skipped`.
    /// `None` is the end.
    pub(super) fn next_page(&self, top: usize, skipped: usize, found: usize) -> Option<usize> {
        let end = skipped.saturating_add(top);
        let next = (found > end).then_some(end);
        match self.page_loop() {
            Some(page_loop) => page_loop.next(0, skipped, next, found),
            None => next,
        }
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

    /// The permissions that a token shows.
    pub(super) fn roles(&self) -> Vec<String> {
        let plan = self.plan();
        let mut roles: Vec<String> = plan.roles.iter().filter(|_| plan.roles_shown).cloned().collect();
        roles.sort();
        roles
    }

    /// The fault of this request, if any.
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
