//! How many files and connections the system lets this process have.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Those that are not clients': log and snapshots, the other servers, operators.
const OTHERS: usize = 128;

/// Raises the limit as far as it may be, and tells how many connections of clients there may be:
/// a server that cannot open its log would have to stop. `asked`: `maxCnxns`.
pub(crate) fn room_for_clients(asked: usize) -> usize {
    let room = room(raised_open_files_max());
    if asked == 0 { room } else { asked.min(room) }
}

/// How many the system lets this process have.
pub(crate) fn open_files_max() -> Option<usize> {
    let (soft, _) = getrlimit(Resource::RLIMIT_NOFILE).ok()?;
    usize::try_from(soft).ok()
}

fn raised_open_files_max() -> usize {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return usize::MAX };
    let raised = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    usize::try_from(if raised.is_ok() { hard } else { soft }).unwrap_or(usize::MAX)
}

fn room(files_max: usize) -> usize {
    files_max.saturating_sub(OTHERS).max(files_max / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_leave_room_for_the_servers_own_files() {
        assert_eq!((room(20_000), room(200), room(1024)), (19_872, 100, 896));
        assert!(room_for_clients(0) > 7);
        assert_eq!(room_for_clients(7), 7);
    }
}
