//! Attachments, whose bytes are files in the store's directory.

use std::path::PathBuf;

use super::{Attachment, Author, Incidents, Missing, Owner, State, now};

/// Removes the bytes of attachments. The directory is removed with the store, so a failure does no harm.
pub(super) fn remove(attachments: Vec<Attachment>) {
    for attachment in attachments {
        let _ = std::fs::remove_file(attachment.path);
    }
}

impl Incidents {
    /// The number and the file of an attachment that is being written; [`Incidents::attach`] adds it.
    pub(in crate::soar) fn new_file(&self) -> (i64, PathBuf) {
        let id = self.shared.state.change(State::next_id);
        (id, self.shared.directory.join(id.to_string()))
    }

    /// Adds an attachment whose bytes are written.
    pub(in crate::soar) fn attach(&self, attachment: Attachment) -> Result<(), Missing> {
        let incident = self.look(|state| state.owning(attachment.owner))?;
        self.change(incident, |incident, _| {
            incident.attachments.push(attachment);
            Ok(())
        })
    }

    /// Attaches a file with these bytes.
    pub async fn add_attachment(
        &self,
        owner: Owner,
        name: &str,
        content_type: &str,
        bytes: &[u8],
        by: &Author,
    ) -> std::io::Result<Attachment> {
        let (id, path) = self.new_file();
        tokio::fs::write(&path, bytes).await?;
        let attachment = Attachment {
            id,
            owner,
            name: name.to_owned(),
            content_type: content_type.to_owned(),
            description: String::new(),
            size: bytes.len() as u64,
            author: by.clone(),
            created: now(),
            path,
        };
        self.attach(attachment.clone()).map_err(std::io::Error::other)?;
        Ok(attachment)
    }

    /// Removes an attachment, and returns it. Its file is still there.
    pub(in crate::soar) fn detach(&self, owner: Owner, id: i64) -> Result<Attachment, Missing> {
        let incident = self.look(|state| state.owning(owner))?;
        self.change(incident, |incident, _| {
            let at = incident.attachments.iter().position(|one| one.id == id && one.owner == owner);
            at.map(|at| incident.attachments.remove(at)).ok_or(Missing { what: "attachment", id })
        })
    }
}
