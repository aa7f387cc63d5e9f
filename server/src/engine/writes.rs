//! Which transaction a request asks for. Pure.

use tree::WriteOp;
use wire::{Acl, CreateMode, Data, ErrorCode, Request};

/// The write in a request; `None` for a read. One that makes no sense still takes its place in
/// the order, as a refused write. Times to live must be allowed by the configuration.
pub(super) fn write_op(request: &Request, extended_types: bool) -> Option<WriteOp> {
    Some(match request {
        Request::Create { path, data, acl, flags }
        | Request::Create2 { path, data, acl, flags } => {
            let with_stat = matches!(request, Request::Create2 { .. });
            match CreateMode::from_flags(*flags) {
                // Only createContainer makes containers, in ZooKeeper too.
                Ok(CreateMode::Container) => {
                    create(path, data, acl, CreateMode::Persistent, with_stat)
                }
                Ok(mode) if mode.is_ttl() && !extended_types => unimplemented(),
                Ok(mode) => create(path, data, acl, mode, with_stat),
                Err(code) => WriteOp::Error { code },
            }
        }
        Request::CreateContainer { path, data, acl, flags } => {
            match CreateMode::from_flags(*flags) {
                Ok(CreateMode::Container | CreateMode::Persistent) => {
                    create(path, data, acl, CreateMode::Container, true)
                }
                _ => WriteOp::Error { code: ErrorCode::BadArguments },
            }
        }
        Request::CreateTtl { .. } if !extended_types => unimplemented(),
        Request::CreateTtl { path, data, acl, flags, ttl } => {
            let (path, data, acl) = (path.clone(), data.clone(), acl.clone());
            match CreateMode::from_flags(*flags) {
                Ok(mode) if mode.is_ttl() => {
                    WriteOp::Create { path, data, acl, mode, ttl_ms: *ttl, with_stat: true }
                }
                _ => WriteOp::Error { code: ErrorCode::BadArguments },
            }
        }
        Request::Delete { path, version } => {
            WriteOp::Delete { path: path.clone(), version: *version }
        }
        Request::SetData { path, data, version } => {
            WriteOp::SetData { path: path.clone(), data: data.clone(), version: *version }
        }
        Request::SetAcl { path, acl, version } => {
            WriteOp::SetAcl { path: path.clone(), acl: acl.clone(), version: *version }
        }
        Request::Check { path, version } => {
            WriteOp::Check { path: path.clone(), version: *version }
        }
        Request::Unreadable { opcode } if is_write(*opcode) => {
            WriteOp::Error { code: ErrorCode::MarshallingError }
        }
        Request::Multi { ops } => WriteOp::Multi {
            ops: ops.iter().filter_map(|op| write_op(op, extended_types)).collect(),
        },
        _ => return None,
    })
}

fn is_write(opcode: i32) -> bool {
    use wire::opcode::{
        CREATE, CREATE_CONTAINER, CREATE_TTL, CREATE2, DELETE, MULTI, SET_ACL, SET_DATA,
    };
    [CREATE, CREATE2, CREATE_CONTAINER, CREATE_TTL, DELETE, SET_DATA, SET_ACL, MULTI]
        .contains(&opcode)
}

fn create(path: &str, data: &Data, acl: &[Acl], mode: CreateMode, with_stat: bool) -> WriteOp {
    let (path, data, acl) = (path.to_owned(), data.clone(), acl.to_vec());
    WriteOp::Create { path, data, acl, mode, ttl_ms: -1, with_stat }
}

fn unimplemented() -> WriteOp {
    WriteOp::Error { code: ErrorCode::Unimplemented }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(request: &Request, extended_types: bool) -> Result<(CreateMode, i64), ErrorCode> {
        match write_op(request, extended_types) {
            Some(WriteOp::Create { mode, ttl_ms, .. }) => Ok((mode, ttl_ms)),
            Some(WriteOp::Error { code }) => Err(code),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_opcode_decides_and_not_the_flags_alone() {
        let path = || "/a".to_owned();
        let plain = |flags| Request::Create { path: path(), data: None, acl: vec![], flags };
        assert_eq!(mode(&plain(3), false), Ok((CreateMode::EphemeralSequential, -1)));
        assert_eq!(mode(&plain(4), false), Ok((CreateMode::Persistent, -1)));
        assert_eq!(mode(&plain(9), false), Err(ErrorCode::BadArguments));
        assert_eq!(mode(&plain(5), false), Err(ErrorCode::Unimplemented));
        let container =
            |flags| Request::CreateContainer { path: path(), data: None, acl: vec![], flags };
        assert_eq!(mode(&container(4), false), Ok((CreateMode::Container, -1)));
        assert_eq!(mode(&container(1), false), Err(ErrorCode::BadArguments));
        let ttl = |flags, ttl| {
            let (path, acl) = (path(), vec![]);
            Request::CreateTtl { path, data: None, acl, flags, ttl }
        };
        assert_eq!(mode(&ttl(5, 7), false), Err(ErrorCode::Unimplemented));
        assert_eq!(mode(&ttl(6, 7), true), Ok((CreateMode::TtlSequential, 7)));
        assert_eq!(
            mode(&ttl(0, -1), true),
            Err(ErrorCode::BadArguments),
            "it ends ZooKeeper 3.8.0"
        );
    }

    #[test]
    fn a_multi_has_all_of_its_operations() {
        let check = Request::Check { path: "/a".into(), version: 3 };
        let bad = Request::Create { path: "/a".into(), data: None, acl: vec![], flags: 9 };
        let expected = vec![
            WriteOp::Check { path: "/a".into(), version: 3 },
            WriteOp::Error { code: ErrorCode::BadArguments },
        ];
        let op = write_op(&Request::Multi { ops: vec![check, bad] }, false);
        assert_eq!(op, Some(WriteOp::Multi { ops: expected }));
        assert_eq!(write_op(&Request::WhoAmI, false), None);
    }
}
