//! Several operations in one request: each behind a header, and a header that ends them.

use crate::jute::{Data, Error, Problem, Reader, Writer};
use crate::opcode;
use crate::records::Stat;
use crate::request::{self, Request};

/// What one operation of a multi or multiRead came to.
///
/// In a failed multi every one is an `Error`: 0 before the operation that failed, its code, and -2
/// (RuntimeInconsistency) behind it. Nothing was changed then.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of zookeeper.jute, under their names")]
pub enum OpResult {
    /// A znode is created.
    Create { path: String },
    /// The same, with its stat: for create2, containers and znodes with a time to live.
    Create2 { path: String, stat: Stat },
    /// A znode is deleted.
    Delete,
    /// Data is set.
    SetData { stat: Stat },
    /// The version is the expected one.
    Check,
    /// Data was read.
    GetData { data: Data, stat: Stat },
    /// Names of children were read.
    GetChildren { children: Vec<String> },
    /// The operation failed, or the multi did.
    Error { code: i32 },
}

impl OpResult {
    fn opcode(&self) -> i32 {
        match self {
            OpResult::Create { .. } => opcode::CREATE,
            OpResult::Create2 { .. } => opcode::CREATE2,
            OpResult::Delete => opcode::DELETE,
            OpResult::SetData { .. } => opcode::SET_DATA,
            OpResult::Check => opcode::CHECK,
            OpResult::GetData { .. } => opcode::GET_DATA,
            OpResult::GetChildren { .. } => opcode::GET_CHILDREN,
            OpResult::Error { .. } => opcode::ERROR,
        }
    }
}

/// Stands before each operation, before each result, and alone at the end.
struct Header {
    opcode: i32,
    done: bool,
    err: i32,
}

const END: Header = Header { opcode: opcode::ERROR, done: true, err: -1 };

impl Header {
    fn read(reader: &mut Reader<'_>) -> Result<Header, Error> {
        Ok(Header {
            opcode: reader.int("type")?,
            done: reader.boolean("done")?,
            err: reader.int("err")?,
        })
    }

    fn write(&self, writer: &mut Writer<'_>) {
        writer.int(self.opcode);
        writer.boolean(self.done);
        writer.int(self.err);
    }
}

/// The operations of a multi.
pub(crate) fn read_writes(reader: &mut Reader<'_>) -> Result<Vec<Request>, Error> {
    read_items(reader, |reader, header| match header.opcode {
        opcode::CHECK => {
            Ok(Request::Check { path: reader.string("path")?, version: reader.int("version")? })
        }
        opcode::CREATE
        | opcode::CREATE2
        | opcode::CREATE_CONTAINER
        | opcode::CREATE_TTL
        | opcode::DELETE
        | opcode::SET_DATA => request::read_body(reader, header.opcode),
        other => Err(unknown(reader, other)),
    })
}

/// The operations of a multiRead.
pub(crate) fn read_reads(reader: &mut Reader<'_>) -> Result<Vec<Request>, Error> {
    read_items(reader, |reader, header| match header.opcode {
        opcode::GET_DATA | opcode::GET_CHILDREN => request::read_body(reader, header.opcode),
        other => Err(unknown(reader, other)),
    })
}

pub(crate) fn write_ops(writer: &mut Writer<'_>, ops: &[Request]) {
    for op in ops {
        Header { opcode: op.opcode(), done: false, err: -1 }.write(writer);
        request::write_body(writer, op);
    }
    END.write(writer);
}

pub(crate) fn read_results(reader: &mut Reader<'_>) -> Result<Vec<OpResult>, Error> {
    read_items(reader, |reader, header| {
        Ok(match header.opcode {
            opcode::CREATE => OpResult::Create { path: reader.string("path")? },
            opcode::CREATE2 => {
                OpResult::Create2 { path: reader.string("path")?, stat: Stat::read(reader)? }
            }
            opcode::DELETE => OpResult::Delete,
            opcode::SET_DATA => OpResult::SetData { stat: Stat::read(reader)? },
            opcode::CHECK => OpResult::Check,
            opcode::GET_DATA => {
                OpResult::GetData { data: reader.data("data")?, stat: Stat::read(reader)? }
            }
            opcode::GET_CHILDREN => OpResult::GetChildren { children: reader.strings("children")? },
            opcode::ERROR => OpResult::Error { code: reader.int("err")? },
            other => return Err(unknown(reader, other)),
        })
    })
}

pub(crate) fn write_results(results: &[OpResult], writer: &mut Writer<'_>) {
    for result in results {
        let err = if let OpResult::Error { code } = result { *code } else { 0 };
        Header { opcode: result.opcode(), done: false, err }.write(writer);
        write_result(result, writer);
    }
    END.write(writer);
}

fn write_result(result: &OpResult, writer: &mut Writer<'_>) {
    match result {
        OpResult::Create { path } => writer.string(path),
        OpResult::Create2 { path, stat } => {
            writer.string(path);
            stat.write(writer);
        }
        OpResult::SetData { stat } => stat.write(writer),
        OpResult::GetData { data, stat } => {
            writer.buffer(data.as_deref());
            stat.write(writer);
        }
        OpResult::GetChildren { children } => writer.strings(children),
        OpResult::Error { code } => writer.int(*code),
        OpResult::Delete | OpResult::Check => {}
    }
}

/// Every item up to the header that says that it is the last.
fn read_items<T>(
    reader: &mut Reader<'_>,
    mut item: impl FnMut(&mut Reader<'_>, &Header) -> Result<T, Error>,
) -> Result<Vec<T>, Error> {
    let mut items = Vec::new();
    loop {
        let header = Header::read(reader)?;
        if header.done {
            return Ok(items);
        }
        items.push(item(reader, &header)?);
    }
}

fn unknown(reader: &Reader<'_>, opcode: i32) -> Error {
    Error { field: "type", offset: reader.offset(), problem: Problem::Unknown(opcode) }
}
