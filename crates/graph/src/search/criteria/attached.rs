//! Whether the attachments of a message meet the indicators.

use serde_json::value::RawValue;
use tracing::debug;

use super::check::{Match, Met, found};
use super::indicators::Indicators;
use crate::attachments::{Limits, MessageAttachments, Traits, Unexamined, Wanted};

impl Indicators {
    /// Adds the names and digests that the attachments of `message` meet to the `matches`. The message was requested with
    /// its attachments; their contents are read as far as they are needed, those of attached messages, too.
    pub(crate) async fn met_by_attachments(
        &self,
        reader: MessageAttachments<'_>,
        message: &RawValue,
        mut matches: Vec<Match>,
    ) -> Met {
        if !self.needs_attachments() {
            return Met::All(matches);
        }
        let attachments = match reader.expanded(message).await {
            Ok(attachments) => attachments,
            Err(error) => {
                debug!(error = error.for_log(), "the attachments of a message cannot be listed");
                return Met::Unknown;
            }
        };
        let wanted = if self.attachment_digests.is_empty() { Wanted::Names } else { Wanted::Digests };
        let files = reader.examine(&attachments, wanted, Limits::default()).await;
        let traits = Traits::of(&files);
        let lists = [
            found("attachmentName", &self.attachment_names, |wanted| {
                traits.names.iter().any(|name| wanted.matches(name))
            }),
            found("attachmentSha256", &self.attachment_digests, |wanted| traits.digests.contains(wanted)),
        ];
        for (_, list) in lists.into_iter().flatten() {
            if list.is_empty() {
                // A link to the cloud has no content; all others may hold what is looked for.
                let is_hidden = traits.unexamined.iter().any(|(_, why)| {
                    !matches!(why, Unexamined::NotRequested | Unexamined::Link | Unexamined::NoContent)
                });
                return if is_hidden { Met::Unknown } else { Met::NotAll };
            }
            matches.extend(list);
        }
        Met::All(matches)
    }
}
