//! Finds the plan among the files of the incident.

use super::refusal::Refusal;
use super::wish::Wish;
use crate::functions::error::Error;
use crate::functions::plan::{Files, LARGEST, Plan, Unusable, file_name};
use soar::Attachment;

/// The plan, which may have another digest, or why it is not applied.
pub(super) type Found = Result<Plan, Refusal>;

/// Reads the newest plan with the digest among the files that the call names, or else those that have its name. Where
/// there is none, it is the newest plan of the name.
///
/// # Errors
/// SOAR could not be read.
pub(super) async fn plan(files: &Files<'_>, listed: &[Attachment], wish: &Wish) -> Result<Found, Error> {
    let name = file_name(wish.digest);
    let is_it = |file: &&Attachment| match &wish.attachment {
        Some(wanted) => file.name == *wanted || file.id.to_string() == *wanted,
        None => file.name == name,
    };
    let mut other = None;
    for file in listed.iter().rev().filter(is_it) {
        match read(files, file).await? {
            Ok(plan) if plan.digest() == wish.digest => return Ok(Ok(plan)),
            // An older one may be the approved plan.
            Ok(plan) => {
                other.get_or_insert(Ok(plan));
            }
            Err(why) => {
                other.get_or_insert_with(|| {
                    let why = format!("the file {} cannot be used: {why}.", file.name);
                    Err(Refusal::new("PlanUnusable", why))
                });
            }
        }
    }
    Ok(other.unwrap_or_else(|| {
        let why = match &wish.attachment {
            Some(wanted) => format!("the incident has no file {wanted} (exo_plan_attachment)."),
            None => format!("the incident has no plan with this digest: there is no file {name}."),
        };
        Err(Refusal::new("PlanNotFound", why))
    }))
}

async fn read(files: &Files<'_>, file: &Attachment) -> Result<Result<Plan, Unusable>, Error> {
    let bytes = files.read(file, LARGEST).await?;
    Ok(bytes.map_or(Err(Unusable::TooLarge), |bytes| Plan::read(&bytes)))
}
