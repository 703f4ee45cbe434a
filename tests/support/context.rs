//! What functions work with when a test or a benchmark runs them without the broker.

use std::path::Path;

use fn_exchange_online::audit::{Initiator, Trail};
use fn_exchange_online::config::{Environment, Settings};
use fn_exchange_online::functions::{Call, Context, Lease, Status};
use fn_exchange_online::guard::{ChangePolicy, DeletionCount, Guard};

/// Connects to the SOAR and the tenant that the configuration file names.
pub(crate) async fn context(config: &Path) -> Context {
    let settings = Settings::load(config, &Environment::default()).unwrap().settings;
    Context {
        graph: graph::Client::new(&settings.graph).unwrap(),
        sink: soar::Client::connect(&settings.soar).await.unwrap().into(),
        call: Call::by_hand(),
        lease: Lease::undisputed(),
        guard: Guard::new(
            &ChangePolicy::new(settings.guard),
            Trail::in_log(),
            DeletionCount::default(),
            Initiator::default(),
        ),
        limits: settings.limits,
        zip_password: settings.zip_password,
        status: Status::channel().0,
    }
}
