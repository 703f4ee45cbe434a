//! `[fn_exchange_online]`: Microsoft Graph, the limits of a call, the guard rails and the health endpoint.

use super::{APP, Choice, Number, Opt, OptionalNumber, Section};
use crate::config::{Deletion, SearchStrategy};
use graph::AssertionAlgorithm;

pub(in crate::config) static SECTION: Section = Section {
    name: APP,
    introduction: "Microsoft Graph, the limits of a call, and the guard rails.",
    groups: &[
        &[&MICROSOFT_GRAPH_TOKEN_URL, &MICROSOFT_GRAPH_URL, &UPLOAD_HOSTS],
        &[
            &TENANT_ID,
            &CLIENT_ID,
            &CLIENT_SECRET,
            &CLIENT_SECRET_FILE,
            &CLIENT_CERTIFICATE_FILE,
            &CLIENT_CERTIFICATE_KEY_FILE,
            &CLIENT_ASSERTION_ALGORITHM,
            &FEDERATED_TOKEN_FILE,
            &MANAGED_IDENTITY,
        ],
        &[
            &MAX_BATCHED_REQUESTS,
            &MAX_CONCURRENT_REQUESTS,
            &MAX_CONCURRENT_BATCHES,
            &MAX_MESSAGES,
            &MAX_USERS,
            &SEARCH_STRATEGY,
            &CALL_TIMEOUT,
            &MAX_CALL_AGE,
            &MAX_ATTACHMENT_MB,
            &ATTACHMENTS_ZIP_PASSWORD,
            &MAX_REPLY_MB,
        ],
        &[
            &MAX_DELETIONS,
            &MAX_DELETIONS_PER_HOUR,
            &MAX_PLAN_MESSAGES,
            &PLAN_LIFETIME,
            &FOUR_EYES,
            &APPROVAL_REQUIRED,
            &MAILBOXES_ALLOWED,
            &MAILBOXES_DENIED,
            &MAILBOXES_DENIED_READING,
            &DELETION,
            &DRY_RUN,
            &HOLD,
            &AUDIT_FILE,
            &AUDIT_FSYNC,
        ],
        &[&MAX_RETRIES_TOTAL, &MAX_RETRIES_BACKOFF_FACTOR],
        &[&TIMEOUT, &VERIFY, &TOKEN_VERIFY, &CLIENT_AUTH_CERT, &CLIENT_AUTH_KEY, &HTTP_PROXY, &HTTPS_PROXY],
        &[&HEALTH_LISTEN],
    ],
    ignored: &[],
};

const fn opt(key: &'static str, documentation: &'static str) -> Opt {
    Opt::new(APP, key, documentation)
}

pub(in crate::config) static MICROSOFT_GRAPH_TOKEN_URL: Opt = opt(
    "microsoft_graph_token_url",
    "Token endpoint of Entra ID (URL, https). {tenant} is replaced by `tenant_id`.",
)
.or("https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token")
.set("https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token");

pub(in crate::config) static MICROSOFT_GRAPH_URL: Opt =
    opt("microsoft_graph_url", "Microsoft Graph with its version (URL, https).")
        .or("https://graph.microsoft.com/v1.0")
        .set("https://graph.microsoft.com/v1.0");

pub(in crate::config) static UPLOAD_HOSTS: Opt = opt(
    "upload_hosts",
    "Further hosts, separated by commas, that Graph may name for the upload of a file over 3 MB. Its own and Outlook's \
     are known, those of the national clouds included.",
)
.suggested("outlook.example.com");

pub(in crate::config) static TENANT_ID: Opt =
    opt("tenant_id", "Directory (tenant) ID of the Entra application that reads and changes mailboxes.")
        .placeholder("xxx");

pub(in crate::config) static CLIENT_ID: Opt = opt(
    "client_id",
    "Application (client) ID of the Entra application. With `managed_identity`: the ID of the identity, where the machine \
     has several.",
)
.placeholder("xxx");

pub(in crate::config) static CLIENT_SECRET: Opt = opt(
    "client_secret",
    "Client secret of the Entra application. It can stay in the environment: client_secret=$VARIABLE. Exactly one of \
     `client_secret` (or `client_secret_file`), `client_certificate_file`, `federated_token_file` and `managed_identity` \
     may be set.",
)
.placeholder("xxx");

pub(in crate::config) static CLIENT_SECRET_FILE: Opt =
    opt("client_secret_file", "File that holds the client secret, instead of `client_secret`.");

pub(in crate::config) static CLIENT_CERTIFICATE_FILE: Opt = opt(
    "client_certificate_file",
    "Certificate (PEM) of the Entra application, instead of the secret. It is read again for every token.",
);

pub(in crate::config) static CLIENT_CERTIFICATE_KEY_FILE: Opt = opt(
    "client_certificate_key_file",
    "RSA key (PEM, 2048 to 4096 bits, without a password) of the certificate.",
)
.or("the value of `client_certificate_file`");

pub(in crate::config) static CLIENT_ASSERTION_ALGORITHM: Choice<AssertionAlgorithm> = Choice {
    opt: opt("client_assertion_algorithm", "Algorithm by which the key signs.").suggested("PS256"),
    choices: &[("PS256", AssertionAlgorithm::Ps256), ("RS256", AssertionAlgorithm::Rs256)],
    default: AssertionAlgorithm::Ps256,
    aliases: &[],
};

pub(in crate::config) static FEDERATED_TOKEN_FILE: Opt = opt(
    "federated_token_file",
    "File with the token of another issuer (workload identity), instead of the secret: a path, or \
     $AZURE_FEDERATED_TOKEN_FILE. It is read again for every token.",
);

pub(in crate::config) static MANAGED_IDENTITY: Opt = opt(
    "managed_identity",
    "true: the managed identity of the Azure machine that runs this program, instead of the secret. `tenant_id` is not \
     needed then.",
)
.or("false")
.suggested("false");

pub(in crate::config) static MAX_BATCHED_REQUESTS: Number<usize> = Number {
    opt: opt("max_batched_requests", "Requests in one $batch of Graph.").set("20"),
    range: 1..=20,
    default: 20,
};

pub(in crate::config) static MAX_CONCURRENT_REQUESTS: Number<usize> = Number {
    opt: opt(
        "max_concurrent_requests",
        "Requests that Graph works on at the same time; fewer while it throttles. Of a $batch it works on four.",
    )
    .suggested("256"),
    range: 1..=1000,
    default: 256,
};

pub(in crate::config) static MAX_CONCURRENT_BATCHES: Number<usize> = Number {
    opt: opt(
        "max_concurrent_batches",
        "$batch requests at the same time, where batches are faster than single requests.",
    )
    .suggested("8"),
    range: 1..=32,
    default: 8,
};

/// The most messages that a query can return, and mailboxes that it can search.
const MOST: usize = 1_000_000;

pub(in crate::config) static MAX_MESSAGES: Number<usize> = Number {
    opt: opt("max_messages", "Messages that one query returns, over all mailboxes.").set("100"),
    range: 1..=MOST,
    default: 100,
};

pub(in crate::config) static MAX_USERS: Number<usize> = Number {
    opt: opt("max_users", "Mailboxes that one query searches.").set("2000"),
    range: 1..=MOST,
    default: 2000,
};

pub(in crate::config) static SEARCH_STRATEGY: Choice<SearchStrategy> = Choice {
    opt: opt(
        "search_strategy",
        "How a query of all mailboxes finds messages. auto: a query with a Message-ID or another criterion that an index of \
         mail knows asks the index, where its permission is granted, and the mailboxes of the recipients; all others search \
         the mailboxes.",
    )
    .suggested("auto"),
    choices: &SearchStrategy::NAMES,
    default: SearchStrategy::Auto,
    aliases: &[],
};

pub(in crate::config) static CALL_TIMEOUT: Number<u64> = Number {
    opt: opt(
        "call_timeout",
        "Seconds that one call may take. A deletion that ends at this limit still accounts for every message.",
    )
    .suggested("86400"),
    range: 1..=7 * 24 * 3600,
    default: 24 * 3600,
};

pub(in crate::config) static MAX_CALL_AGE: Number<u64> = Number {
    opt: opt(
        "max_call_age",
        "Seconds after SOAR sent it for which a call that changes something is carried out. An older one is answered with \
         an error.",
    )
    .suggested("86400"),
    range: 60..=10 * 365 * 24 * 3600,
    default: 24 * 3600,
};

pub(in crate::config) static MAX_ATTACHMENT_MB: Number<u64> = Number {
    opt: opt("max_attachment_mb", "Size in MiB of a file that is read from SOAR or written to it.")
        .suggested("1024"),
    range: 1..=1 << 20,
    default: 1024,
};

pub(in crate::config) static ATTACHMENTS_ZIP_PASSWORD: Opt = opt(
    "attachments_zip_password",
    "Password of the ZIP file (AES-256) in which get attachments stores files in an incident. Without it they are stored \
     as they are, and a virus scanner on the way may remove them.",
)
.suggested("infected");

/// The STOMP session takes no larger message than 96 MiB.
pub(in crate::config) static MAX_REPLY_MB: Number<usize> = Number {
    opt: opt(
        "max_reply_mb",
        "Size in MiB of a reply to SOAR; larger results are answered with an error. The broker's own limit (ActiveMQ's \
         maxFrameSize, 100 MiB as delivered) must not be lower.",
    )
    .suggested("96"),
    range: 1..=96,
    default: 96,
};

pub(in crate::config) static MAX_DELETIONS: OptionalNumber<usize> = OptionalNumber {
    opt: opt("max_deletions", "Guard rail: messages that one call may delete. A call for more deletes none.")
        .or("the value of `max_messages`"),
    range: 1..=MOST,
};

pub(in crate::config) static MAX_DELETIONS_PER_HOUR: OptionalNumber<usize> = OptionalNumber {
    opt: opt(
        "max_deletions_per_hour",
        "Guard rail: messages that all calls of this process together may delete within an hour, single deletions \
         included. A call for more than is left deletes none.",
    )
    .or("no limit"),
    range: 1..=MOST,
};

/// The most messages of a plan: with so many it is a file of some 80 MB.
const MOST_PLANNED: usize = 100_000;

pub(in crate::config) static MAX_PLAN_MESSAGES: Number<usize> = Number {
    opt: opt(
        "max_plan_messages",
        "Guard rail: messages that one removal plan may hold. A plan with more is neither made nor applied. Applying a plan \
         is bounded by this instead of `max_deletions`, and counts for `max_deletions_per_hour`.",
    )
    .suggested("10000"),
    range: 1..=MOST_PLANNED,
    default: 10_000,
};

pub(in crate::config) static PLAN_LIFETIME: Number<u64> = Number {
    opt: opt(
        "plan_lifetime",
        "Guard rail: seconds after it was made for which a removal plan can be applied.",
    )
    .suggested("86400"),
    range: 60..=30 * 24 * 3600,
    default: 24 * 3600,
};

pub(in crate::config) static FOUR_EYES: Choice<bool> = Choice {
    opt: opt(
        "four_eyes",
        "Guard rail: true: a removal plan is applied only if another person than its maker approved it \
         (`exo_approved_by`).",
    )
    .suggested("false"),
    choices: YES_OR_NO,
    default: false,
    aliases: YES_OR_NO_ALIASES,
};

pub(in crate::config) static APPROVAL_REQUIRED: Choice<bool> = Choice {
    opt: opt(
        "approval_required",
        "Guard rail: true: messages are deleted by an approved removal plan only. The functions that delete without one \
         answer with what to do instead.",
    )
    .suggested("false"),
    choices: YES_OR_NO,
    default: false,
    aliases: YES_OR_NO_ALIASES,
};

pub(in crate::config) static MAILBOXES_ALLOWED: Opt = opt(
    "mailboxes_allowed",
    "Guard rail: mailboxes that may be changed, as patterns of addresses, separated by commas or one per line, with * for \
     any characters and ? for one. Takes the permission User.Read.All.",
)
.or("all")
.suggested("*@example.com");

pub(in crate::config) static MAILBOXES_DENIED: Opt = opt(
    "mailboxes_denied",
    "Guard rail: mailboxes that may not be changed, written as in `mailboxes_allowed`, over which it takes precedence.",
)
.suggested("ceo@example.com, board-*@example.com");

pub(in crate::config) static MAILBOXES_DENIED_READING: Opt = opt(
    "mailboxes_denied_reading",
    "Guard rail: mailboxes whose mail may not be read, searched or traced, written as in `mailboxes_allowed`.",
)
.suggested("board-*@example.com");

pub(in crate::config) static DELETION: Choice<Deletion> = Choice {
    opt: opt(
        "deletion",
        "Where deleted messages go: Recoverable Items, Deleted Items, nowhere (permanent), or a hidden folder of the \
         mailbox, from which they can be restored (quarantine).",
    )
    .suggested("recoverable"),
    choices: &[
        ("recoverable", Deletion::Recoverable),
        ("deleted_items", Deletion::DeletedItems),
        ("permanent", Deletion::Permanent),
        ("quarantine", Deletion::Quarantine),
    ],
    default: Deletion::Recoverable,
    aliases: &[],
};

pub(in crate::config) static DRY_RUN: Choice<bool> = Choice {
    opt: opt("dry_run", "true: no mailbox is changed; results and notes say what would have been done.")
        .suggested("false"),
    choices: YES_OR_NO,
    default: false,
    aliases: YES_OR_NO_ALIASES,
};

pub(in crate::config) static HOLD: Choice<bool> = Choice {
    opt: opt(
        "hold",
        "true: all changes are on hold. Running calls begin no further change, and calls that change something fail. \
         The signal SIGUSR1 does the same at once, and SIGUSR2 ends that.",
    )
    .suggested("false"),
    choices: YES_OR_NO,
    default: false,
    aliases: YES_OR_NO_ALIASES,
};

const YES_OR_NO: &[(&str, bool)] = &[("true", true), ("false", false)];
const YES_OR_NO_ALIASES: &[(&str, bool)] =
    &[("yes", true), ("1", true), ("on", true), ("no", false), ("0", false), ("off", false)];

pub(in crate::config) static AUDIT_FILE: Opt = opt(
    "audit_file",
    "Audit trail: the record of all changes, in `logdir` if the path is relative. Without a log file, or if empty, the \
     changes are recorded in the log only.",
)
.or("audit.log")
.suggested("audit.log");

pub(in crate::config) static AUDIT_FSYNC: Choice<bool> = Choice {
    opt: opt(
        "audit_fsync",
        "true: a change begins after its line in the audit trail is forced to the disk, so that a power cut cannot lose it. \
         This takes a few milliseconds for each change or batch.",
    )
    .suggested("false"),
    choices: YES_OR_NO,
    default: false,
    aliases: YES_OR_NO_ALIASES,
};

pub(in crate::config) static MAX_RETRIES_TOTAL: Number<u32> = Number {
    opt: opt("max_retries_total", "Repetitions of a request that Graph throttles or fails.").set("10"),
    range: 0..=1000,
    default: 10,
};

pub(in crate::config) static MAX_RETRIES_BACKOFF_FACTOR: Number<f64> = Number {
    opt: opt(
        "max_retries_backoff_factor",
        "Seconds before the first repetition, unless Graph names a time. Each further delay is twice as long, up to 60 \
         seconds.",
    )
    .set("5"),
    range: 0.0..=3600.0,
    default: 5.0,
};

pub(in crate::config) static TIMEOUT: OptionalNumber<u64> = OptionalNumber {
    opt: opt("timeout", "Seconds to wait for data from Graph.")
        .or("the value in `[integrations]`")
        .suggested("30"),
    range: 1..=3600,
};

pub(in crate::config) static VERIFY: Opt = opt(
    "verify",
    "File (PEM) of certificate authorities to trust for Graph in addition to the system's. false turns verification off. \
     If absent, the file that the environment variable REQUESTS_CA_BUNDLE names is used.",
)
.or("true")
.suggested("true");

pub(in crate::config) static TOKEN_VERIFY: Opt =
    opt("token_verify", "As `verify`, for the token endpoint.").or("the value of `verify`").suggested("true");

pub(in crate::config) static CLIENT_AUTH_CERT: Opt = opt(
    "client_auth_cert",
    "Client certificate (PEM), where a proxy asks for one. Takes `client_auth_key` as well.",
);

pub(in crate::config) static CLIENT_AUTH_KEY: Opt =
    opt("client_auth_key", "Private key (PEM) of `client_auth_cert`.");

pub(in crate::config) static HTTP_PROXY: Opt =
    opt("http_proxy", "Proxy for http URLs, instead of that of `[integrations]`.");

pub(in crate::config) static HTTPS_PROXY: Opt =
    opt("https_proxy", "Proxy for https URLs, instead of that of `[integrations]`.")
        .suggested("http://proxy.example.com:8080");

pub(in crate::config) static HEALTH_LISTEN: Opt = opt(
    "health_listen",
    "Address and port that serve health (/healthz, /readyz) and metrics for Prometheus (/metrics). There is no login, so \
     an address of this machine only is best. If absent, nothing is served.",
)
.suggested("127.0.0.1:9108");
