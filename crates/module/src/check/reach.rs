//! Which directory keeps this very process from a file: for httpd's children, which learn by themselves what they may reach. What
//! others may is `files`' part.

use std::path::{Path, PathBuf};

/// The first directory above `path` that this very process cannot pass.
#[must_use]
pub fn stops_here(path: &Path) -> Option<PathBuf> {
    let mut above: Vec<&Path> = path.ancestors().skip(1).collect();
    above.reverse();
    let denied = |directory: &&Path| {
        let inside = directory.join(".");
        inside.metadata().is_err_and(|error| error.kind() == std::io::ErrorKind::PermissionDenied)
    };
    above.into_iter().find(denied).map(Path::to_path_buf)
}
