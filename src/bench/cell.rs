//! What is measured, cell by cell: an operation, a size, and how many clients ask how hard.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};
use workloads::Work;

/// One line of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    /// The operation.
    pub work: Work,
    /// Bytes in each znode.
    pub data_len: usize,
    /// Sessions, and requests that each has in flight.
    pub shape: Shape,
}

/// Sessions × requests that each has in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Sessions.
    pub clients: usize,
    /// Requests that each has in flight.
    pub depth: usize,
}

/// The operations, and the sizes of data that each is measured with.
const KINDS: [(&str, Work, &[usize]); 4] = [
    ("create", Work::Create, &[100]),
    ("setData", Work::SetData, &[100, 1024]),
    ("getData", Work::GetData, &[100]),
    ("mixed", Work::Mixed, &[100]),
];

/// At ten and fifty clients with one request each the disk decides; the last fills the processors.
const SHAPES: [Shape; 3] = [
    Shape { clients: 10, depth: 1 },
    Shape { clients: 50, depth: 1 },
    Shape { clients: 50, depth: 32 },
];

/// Bounds that keep a typing error from filling the memory.
const CLIENTS_MAX: usize = 1000;
const DEPTH_MAX: usize = 1000;
const DATA_LEN_MAX: usize = 1_000_000;

/// All cells of the default table.
#[must_use]
pub fn default_cells() -> Vec<Cell> {
    KINDS.iter().flat_map(|(name, ..)| expand(name).expect("it is a name")).collect()
}

/// The cells that `text` stands for: `KIND[:BYTES][:CLIENTSxDEPTH]`; what is left out is the default
/// table's.
///
/// # Errors
/// What is wrong with it, in words.
pub fn expand(text: &str) -> Result<Vec<Cell>, String> {
    let mut parts = text.split(':');
    let name = parts.next().unwrap_or_default();
    let kind = KINDS.iter().find(|(known, ..)| *known == name);
    let (_, work, sizes) = *kind.ok_or_else(|| {
        format!("{text}: no operation `{name}` (known: create, setData, getData, mixed)")
    })?;
    let (mut sizes, mut shapes) = (sizes.to_vec(), SHAPES.to_vec());
    for part in parts {
        match part.parse() {
            Ok(shape) => shapes = vec![shape],
            Err(_) => sizes = vec![bytes(part).ok_or_else(|| wrong(text, part))?],
        }
    }
    let cells = sizes.iter().flat_map(|data_len| {
        shapes.iter().map(move |shape| Cell { work, data_len: *data_len, shape: *shape })
    });
    Ok(cells.collect())
}

fn bytes(text: &str) -> Option<usize> {
    text.parse().ok().filter(|len| *len <= DATA_LEN_MAX)
}

fn wrong(text: &str, part: &str) -> String {
    format!(
        "{text}: `{part}` is neither a number of bytes (up to {DATA_LEN_MAX}) nor CLIENTSxDEPTH \
         (each 1 to {CLIENTS_MAX}), as in setData:1024:50x32"
    )
}

impl FromStr for Shape {
    type Err = ();

    fn from_str(text: &str) -> Result<Shape, ()> {
        let (clients, depth) = text.split_once(['x', '×']).ok_or(())?;
        let number =
            |text: &str, max| text.parse().ok().filter(|n| (1..=max).contains(n)).ok_or(());
        Ok(Shape { clients: number(clients, CLIENTS_MAX)?, depth: number(depth, DEPTH_MAX)? })
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}×{}", self.clients, self.depth)
    }
}

impl Cell {
    /// "setData 1 KiB".
    #[must_use]
    pub fn operation(&self) -> String {
        match self.data_len {
            1024 => format!("{} 1 KiB", self.work),
            len => format!("{} {len} B", self.work),
        }
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.operation(), self.shape)
    }
}

impl Serialize for Cell {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<String> {
        expand(text).expect("it makes sense").iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_default_table_has_fifteen_cells() {
        let cells: Vec<String> = default_cells().iter().map(ToString::to_string).collect();
        assert_eq!(cells.len(), 15);
        assert_eq!(cells[0], "create 100 B 10×1");
        assert_eq!(cells[8], "setData 1 KiB 50×32");
        assert_eq!(cells[14], "mixed 70/30 100 B 50×32");
    }

    #[test]
    fn what_is_left_out_is_the_default() {
        assert_eq!(texts("setData:100:5x2"), ["setData 100 B 5×2"]);
        assert_eq!(texts("setData:50x32"), ["setData 100 B 50×32", "setData 1 KiB 50×32"]);
        assert_eq!(texts("create:7").len(), 3);
    }

    #[test]
    fn nonsense_is_refused_with_what_is_known() {
        for text in
            ["", "delete", "create:", "create:x", "create:0x1", "create:1x9999", "create:-1"]
        {
            assert!(expand(text).is_err(), "{text}");
        }
        let error = expand("crate:1x1").unwrap_err();
        assert!(error.contains("create, setData, getData, mixed"), "{error}");
    }
}
