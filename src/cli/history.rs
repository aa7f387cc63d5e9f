//! `zoobreak history`: histories for other checkers, and from them.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use checker::Exit;
use clap::{Args, Subcommand};
use history::foreign::{self, Format};

use super::Failure;
use super::check::Form;

/// Work with histories
#[derive(Debug, Args)]
pub(super) struct History {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    Convert(Convert),
}

/// Write a history in another form, for another checker
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
struct Convert {
    /// A history: of zoobreak's own (.jsonl), or from elsewhere
    #[arg(value_name = "IN")]
    input: PathBuf,
    /// The file to write
    #[arg(value_name = "OUT")]
    output: PathBuf,
    #[command(flatten)]
    form: Form,
    /// The form to write: edn, log, json or kv; told from OUT's name (.edn .log .json .jsonl .txt)
    /// otherwise
    #[arg(long, value_name = "FORM")]
    to: Option<Format>,
}

const AFTER_HELP: &str = "\
Forms:
  edn   Jepsen's, for Knossos and Elle; several keys become pairs of key and value
  log   lines of jepsen.util, as Porcupine's register tests read them; one register
  json  JSON lines with Jepsen's field names
  kv    Porcupine's text of a map's history

From zoobreak's own histories, reads after sync, writes and compare-and-sets are written; a
compare-and-set by version becomes a write, which allows more orders and never fewer.

Examples:
  zoobreak history convert results/latest/history.jsonl run.edn
  zoobreak history convert jepsen.log map.edn --from log";

impl History {
    pub(super) fn run(&self) -> Result<Exit, Failure> {
        let Task::Convert(convert) = &self.task;
        convert.run()
    }
}

impl Convert {
    fn run(&self) -> Result<Exit, Failure> {
        let Convert { input, output, form, to } = self;
        let to = to.or_else(|| by_name(output)).ok_or_else(|| {
            let output = output.display();
            Failure::Usage(format!(
                "{output}: the name tells no form; say --to edn, log, json or kv"
            ))
        })?;
        if !input.exists() {
            return Err(Failure::Usage(format!("{}: there is no such history", input.display())));
        }
        let history = foreign::read(input, form.options()).map_err(anyhow::Error::new)?;
        foreign::writable(&history, to).map_err(Failure::Usage)?;
        write(&history, to, output)?;
        let left_out = history.left_out.iter().chain(&history.cut);
        left_out.for_each(|what| eprintln!("left out: {what}"));
        Ok(Exit::Valid)
    }
}

fn by_name(path: &Path) -> Option<Format> {
    match path.extension()?.to_str()? {
        "edn" => Some(Format::Edn),
        "log" => Some(Format::Log),
        "json" | "jsonl" => Some(Format::Json),
        "txt" => Some(Format::Kv),
        _ => None,
    }
}

fn write(history: &foreign::Foreign, to: Format, path: &Path) -> anyhow::Result<()> {
    let file = File::create(path).with_context(|| path.display().to_string())?;
    let mut out = BufWriter::new(file);
    let written = foreign::write(history, to, &mut out).and_then(|()| out.flush());
    written.with_context(|| path.display().to_string())
}
