//! What a path may look like (`PathUtils.validatePath`), and its parts.

/// Why a string is not a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Nothing at all.
    #[error("the path is empty")]
    Empty,
    /// No slash at the start.
    #[error("the path does not start with '/'")]
    NotAbsolute,
    /// A slash at the end.
    #[error("the path ends with '/'")]
    TrailingSlash,
    /// Two slashes in a row.
    #[error("the path has an empty component")]
    EmptyComponent,
    /// `.` or `..` as a component.
    #[error("the path has a relative component")]
    Relative,
    /// A character that is not allowed.
    #[error("the path has the character {0:?}")]
    Character(char),
}

/// Whether `path` names a znode.
///
/// Refused are control characters, surrogates, private use (U+E000–F8FF), U+FFF0–FFFF and, since
/// Java sees them as surrogates, everything above U+FFFF.
pub fn validate(path: &str) -> Result<(), PathError> {
    let rest = match path.strip_prefix('/') {
        None if path.is_empty() => return Err(PathError::Empty),
        None => return Err(PathError::NotAbsolute),
        Some(rest) => rest,
    };
    if rest.is_empty() {
        return Ok(());
    }
    if rest.ends_with('/') {
        return Err(PathError::TrailingSlash);
    }
    rest.split('/').try_for_each(validate_component)
}

/// Whether `path` may be created. For a sequential znode this is asked of the path with its
/// number, so `path` itself may end with a slash.
pub fn validate_create(path: &str, sequential: bool) -> Result<(), PathError> {
    if sequential { validate(&format!("{path}1")) } else { validate(path) }
}

/// The path of the parent; `None` for `/` and for strings without a slash.
#[must_use]
pub fn parent(path: &str) -> Option<&str> {
    match path.rfind('/')? {
        0 if path.len() == 1 => None,
        0 => Some("/"),
        slash => Some(&path[..slash]),
    }
}

/// The last component; empty for `/`.
#[must_use]
pub fn name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The path of the child `name` of `parent`.
#[must_use]
pub fn join(parent: &str, name: &str) -> String {
    if parent == "/" { format!("/{name}") } else { format!("{parent}/{name}") }
}

fn validate_component(component: &str) -> Result<(), PathError> {
    match component {
        "" => Err(PathError::EmptyComponent),
        "." | ".." => Err(PathError::Relative),
        _ => component.chars().find(|&c| is_forbidden(c)).map_or(Ok(()), character),
    }
}

fn character(c: char) -> Result<(), PathError> {
    Err(PathError::Character(c))
}

fn is_forbidden(c: char) -> bool {
    matches!(c,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{e000}'..='\u{f8ff}' | '\u{fff0}'..)
}
