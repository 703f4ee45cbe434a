//! The trail's file. This program only appends to it and never rotates it. If the file is moved away (logrotate), a new
//! one is created, whose first line is chained to the last one of the file before.
//!
//! Several processes may append to one file. Each holds the file's lock while it writes, and reads the last line where
//! another process wrote it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::chain::{LineHash, chained};
use crate::own_file;

/// The owner writes, the group may read.
const MODE: u32 = 0o640;
/// How much of the file is read at once to find its last line.
const BLOCK: usize = 64 << 10;

#[derive(Debug, Default)]
pub(super) struct TrailFile {
    path: PathBuf,
    open: Option<Open>,
    /// The hash of the last line that this process knows of.
    last: Option<LineHash>,
}

#[derive(Debug)]
struct Open {
    file: File,
    /// Whether it is a regular file: not a pipe or a device.
    is_regular: bool,
    /// The file's size after the last line whose hash is known; `None` after a failure.
    end: Option<u64>,
}

/// How many lines were written, and why not all of them.
pub(super) struct Written {
    pub(super) lines: usize,
    pub(super) result: io::Result<()>,
}

impl TrailFile {
    /// Continues at `path`. The file is opened with the next line.
    pub(super) fn move_to(&mut self, path: &Path) {
        if self.path != path {
            (self.path, self.open) = (path.to_owned(), None);
        }
    }

    /// Appends lines, in order. Without lines, checks whether the file can be opened.
    pub(super) fn append<'l>(&mut self, lines: impl IntoIterator<Item = &'l str>) -> Written {
        let mut written = 0;
        let result = self.append_counted(lines, &mut written);
        if result.is_err()
            && let Some(open) = &mut self.open
        {
            open.end = None;
        }
        Written { lines: written, result }
    }

    fn append_counted<'l>(
        &mut self,
        lines: impl IntoIterator<Item = &'l str>,
        written: &mut usize,
    ) -> io::Result<()> {
        let Self { path, open, last } = self;
        let Open { file, is_regular, end } = follow(open, path)?;
        // Closing the file, or the end of the process, releases the lock as well.
        let is_locked = *is_regular && file.lock().is_ok();
        let result = (|| {
            if *is_regular {
                let size = file.metadata()?.len();
                if *end != Some(size) {
                    find_last(file, size, last)?;
                    *end = Some(file.metadata()?.len());
                }
            }
            for line in lines {
                let line = chained(line, last.as_ref());
                file.write_all(line.as_bytes())?;
                *last = Some(LineHash::of(line.as_bytes()));
                *end = end.map(|end| end + line.len() as u64);
                *written += 1;
            }
            Ok(())
        })();
        if is_locked {
            file.unlock()?;
        }
        result
    }

    /// Forces what was written to the disk.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        match &self.open {
            Some(Open { file, is_regular: true, .. }) => file.sync_data(),
            _ => Ok(()),
        }
    }
}

/// Checks whether the file at `path` can be opened for appending. Creates it if it does not exist.
pub(super) fn can_be_opened(path: &Path) -> io::Result<()> {
    append_to(path).map(drop)
}

/// Reopens the file if `path` names another one by now.
fn follow<'f>(open: &'f mut Option<Open>, path: &Path) -> io::Result<&'f mut Open> {
    if let Some(Open { file, .. }) = open {
        let ours = file.metadata()?;
        match fs::metadata(path) {
            Ok(there) if (there.dev(), there.ino()) == (ours.dev(), ours.ino()) => {}
            _ => *open = None,
        }
    }
    match open {
        Some(open) => Ok(open),
        None => Ok(open.insert(append_to(path)?)),
    }
}

fn append_to(path: &Path) -> io::Result<Open> {
    // A pipe that is opened for reading as well would have this process as its reader.
    let is_special = fs::metadata(path).is_ok_and(|there| !there.is_file());
    let mut options = OpenOptions::new();
    options.read(!is_special).append(true).create(true).mode(MODE);
    let file = own_file::open_record(&mut options, path)?;
    let is_regular = file.metadata()?.is_file();
    Ok(Open { file, is_regular, end: None })
}

/// Finds the hash of the file's last line, which may be another process's. Ends a line that was cut off, because the
/// disk was full or the machine stopped. An empty file leaves the hash of the file before it.
fn find_last(file: &mut File, size: u64, last: &mut Option<LineHash>) -> io::Result<()> {
    if size == 0 {
        return Ok(());
    }
    let mut line = Vec::new();
    let mut start = size;
    // The end of the last line does not end the search for its beginning.
    let begins = |line: &[u8]| line[..line.len() - 1].iter().rposition(|byte| *byte == b'\n');
    let at = loop {
        let length = start.min(BLOCK as u64);
        start -= length;
        let mut block = vec![0; usize::try_from(length).unwrap_or(BLOCK)];
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(&mut block)?;
        block.append(&mut line);
        line = block;
        if let Some(end) = begins(&line) {
            break end + 1;
        }
        if start == 0 {
            break 0;
        }
    };
    let is_whole = line.ends_with(b"\n");
    *last = Some(LineHash::of(&line[at..]));
    if !is_whole {
        file.write_all(b"\n")?;
    }
    Ok(())
}
