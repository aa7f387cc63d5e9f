//! Paths of znodes.

/// The path above, none of the root's.
#[must_use]
pub fn parent(path: &str) -> Option<&str> {
    let (above, name) = path.rsplit_once('/')?;
    match (above, name) {
        ("", "") => None,
        ("", _) => Some("/"),
        _ => Some(above),
    }
}

/// Is it the path of a znode: absolute, without an empty name or a slash at its end?
#[must_use]
pub fn is_path(path: &str) -> bool {
    path == "/" || path.strip_prefix('/').is_some_and(|rest| rest.split('/').all(|n| !n.is_empty()))
}

/// What the paths of everything below begin with.
pub(super) fn below(path: &str) -> String {
    if path == "/" { path.to_owned() } else { format!("{path}/") }
}
