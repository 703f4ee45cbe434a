//! x
use super::Failure;
/// x
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {}
pub(super) async fn sandbox(_: Arguments) -> Result<(), Failure> {
    Ok(())
}
