//! The `app.config` that a new installation starts from, section by section.

use std::sync::LazyLock;

use super::options::{APP, INTEGRATIONS, RESILIENT};

/// `[resilient]`, which every app of an installation shares.
const RESILIENT_TEMPLATE: &str = r"[resilient]
# Where SOAR is, and who we are to it. Lines that begin with # or ; are comments; a # within a line is not.
# A secret can stay in the environment: name = $VARIABLE, or ${VARIABLE} within a text. Or in a file of its own:
# every secret has a second option with _file at its end, which is used instead.

# Host name of SOAR, without https://.
host=resilient
# Port of its REST interface, 1 to 65535.
port=443
# The organisation: its name, uuid or cloud account.
org=My Org

# The API key (SOAR: Administrator Settings, Users, API Keys).
api_key_id=ApiKeyId
api_key_secret=ApiKeySecret
#api_key_secret_file=
# An account instead of an API key works as well; SOAR advises against it.
#email=soar_integration@example.com
#password=
#password_file=

# Certificate authorities (PEM) to trust for SOAR beside the system's; false turns verification off.
#cafile=~/.resilient/cert.cer
# A client certificate and its key (PEM), where SOAR or a proxy before it asks for one.
#client_auth_cert=
#client_auth_key=
# Path of SOAR within Cloud Pak for Security. Environment: RESOURCE_PREFIX.
#resource_prefix=/api/respond

# A proxy for SOAR's REST interface. HTTPS_PROXY and HTTP_PROXY in the environment win over it.
#proxy_host=
#proxy_port=
#proxy_user=
#proxy_password=
#proxy_password_file=

# How often signing in is tried at start. Where this is absent, 0 or -1, it is tried without end, so SOAR may come later.
# On App Host the environment decides: RESILIENT_MAX_CONNECTION_RETRIES.
#max_connection_retries=10
# How often one request is tried, the seconds before the second try, and by how much each further wait is longer.
#request_max_retries=5
#request_retry_delay=2
#request_retry_backoff=2

# The message broker; without stomp_host it is on the same host. The port is 443 on Cloud Pak for Security.
#stomp_host=
#stomp_port=65001
# Certificate authorities to trust for the broker; cafile where this is absent.
#stomp_cafile=
# An http proxy on the way to the broker: http://user:password@proxy.example.com:8080, or environment for that of
# HTTPS_PROXY unless NO_PROXY has the broker. Without it the way is straight, whatever the environment has.
#stomp_proxy=
# Seconds the broker may take to answer, 1 to 3600; 60 where this is absent. Environment: RESILIENT_STOMP_TIMEOUT.
#stomp_timeout=120
# Messages the broker hands out before they are answered, 1 to 2000; num_workers where this is absent.
#stomp_prefetch_limit=50

# Calls worked on at once, 1 to 2000; 25 where this is absent.
num_workers=50
# true: a function that fails is answered as a completed one with success = false.
trap_exception=False
# Seconds each step of the self test may take, 1 to 3600.
selftest_timeout=10

# The log: its directory, file, and level (DEBUG, INFO, WARNING, ERROR or CRITICAL).
# The directory has to be there; with an empty logfile the log goes to stderr only, where it goes anyway.
# Environment: LOGLEVEL wins over loglevel, APP_LOG_DIR is the directory where logdir is absent; systemd and App Host
# set it, so leave logdir out there. The audit trail is there, too, and /tmp does not last.
logdir=/tmp
logfile=app.log
loglevel=INFO
# Form of its lines: text or json.
#log_format=text
# Size at which the file is rotated (0: never, otherwise at least 100000), and rotated files kept (0: not rotated).
#log_max_bytes=10000000
#log_backup_count=10
";

/// `[integrations]`, which every app of an installation shares.
const INTEGRATIONS_TEMPLATE: &str = r"[integrations]
# Proxies for calls to the world outside; an app's section may name its own.
# HTTPS_PROXY and HTTP_PROXY in the environment win over both.
#http_proxy=
#https_proxy=http://proxy.example.com:8080
# Seconds a server may be silent.
#timeout=30
";

/// Our own section.
const APP_TEMPLATE: &str = r"[fn_exchange_online]
# The token endpoint of Entra ID (URL, https); {tenant} is replaced by tenant_id.
microsoft_graph_token_url=https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token
# Microsoft Graph with its version (URL, https).
microsoft_graph_url=https://graph.microsoft.com/v1.0

# The Entra application that may read and change mailboxes (text, all three needed). The secret can stay in the
# environment: client_secret=$VARIABLE
tenant_id=xxx
client_id=xxx
client_secret=xxx
#client_secret_file=
# Instead of the secret, exactly one of these three. A certificate and its RSA key (PEM; the key may stand in the
# certificate's file), and how assertions are signed: PS256 or RS256. Its files are read anew for every token.
#client_certificate_file=
#client_certificate_key_file=
#client_assertion_algorithm=PS256
# Another issuer's token (workload identity), read anew each time: a file, or $AZURE_FEDERATED_TOKEN_FILE.
#federated_token_file=
# true: the managed identity of the Azure machine this runs on; client_id only where it has several.
#managed_identity=false

# Requests put together into one $batch of Graph (number, 1 to 20).
max_batched_requests=20
# $batch calls that may be under way at once; fewer are while Graph throttles (number, 1 to 32).
#max_concurrent_batches=8
# Messages one query returns, over all mailboxes (number, 1 to 1000000).
max_messages=100
# Mailboxes one query looks into (number, 1 to 1000000).
max_users=2000
# Seconds one call may take (number, 1 to 604800).
#call_timeout=86400
# Size of a file that is read from SOAR or written to it, in MiB (number, 1 to 1048576).
#max_attachment_mb=1024
# Size of a reply to SOAR, in MiB (number, 1 to 96); the broker's own limit must not be lower.
#max_reply_mb=96

# Guard rails. Messages one call may delete (number, 1 to 1000000; absent: all); one that is to delete more deletes none.
#max_deletions=
# Mailboxes that may be changed (absent: all), and those that may not, which win: patterns of addresses, separated by
# commas or one a line, with * for any characters and ? for one. They take the permission User.Read.All.
#mailboxes_allowed=*@example.com
#mailboxes_denied=ceo@example.com, board-*@example.com
# Where a deleted message goes: recoverable (Recoverable Items), deleted_items (Deleted Items) or permanent (gone).
#deletion=recoverable
# true: no mailbox is changed, and what would be is told.
#dry_run=false
# The record of all that is changed, in logdir where the path is relative; empty: in the log only.
#audit_file=audit.log

# How often a request that Graph throttles or fails is repeated (number, 0 to 1000).
max_retries_total=10
# Seconds before the first repeat where Graph names none; each further wait is twice as long (number, 0 to 3600).
max_retries_backoff_factor=5

# Seconds Graph may be silent (number, 1 to 3600); [integrations] where this is absent.
#timeout=30
# Certificate authorities (PEM) to trust for Graph beside the system's; false turns verification off.
#verify=true
# The same for the token endpoint, where it has other ones.
#token_verify=true
# A client certificate and its key (PEM), where a proxy asks for one.
#client_auth_cert=
#client_auth_key=
# Proxies for Graph instead of those of [integrations].
#http_proxy=
#https_proxy=http://proxy.example.com:8080

# Where the daemon tells how it is (/healthz, /readyz) and its metrics for Prometheus (/metrics): address and port.
# There is no login, so this machine's own address is best; nothing is told anywhere where this is absent.
#health_listen=127.0.0.1:9108
";

/// The sections by name, in the order of the file.
pub const TEMPLATE: [(&str, &str); 3] =
    [(RESILIENT, RESILIENT_TEMPLATE), (INTEGRATIONS, INTEGRATIONS_TEMPLATE), (APP, APP_TEMPLATE)];

/// The whole file: what `--print-config` prints.
pub fn template() -> &'static str {
    static WHOLE: LazyLock<String> = LazyLock::new(|| TEMPLATE.map(|(_, text)| text).join("\n"));
    &WHOLE
}
