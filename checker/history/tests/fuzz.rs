//! Nearly right histories and manifests: refused with their place, or read; never a panic, never
//! more memory than a few times their size.

use std::cell::Cell;
use std::fs;
use std::path::Path;

use fuzz::{Counting, Target};
use history::RunDir;
use history::foreign::{Format, Options};

mod sample;

use sample::manifest;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const OWN: &str = r#"{"index":0,"time":0,"process":"run","type":"info","f":"phase","value":"final-reads"}
{"index":1,"time":1,"process":"probe","type":"info","f":"role","node":"n1","value":{"role":"leader","epoch":3}}
{"index":2,"time":5,"process":3,"type":"invoke","f":"cas","key":"/r2","value":[1,7]}
{"index":3,"time":9,"process":3,"type":"ok","f":"cas","key":"/r2","value":[1,7],"node":"n2","session":"0x2a","zxid":"0x100000004","stat":{"czxid":"0x1","mzxid":"0x100000004","version":2}}
"#;
const EDN: &str = "\
{:process 0, :type :invoke, :f :write, :value 1, :index 4, :time 9}
{:process :nemesis, :type :info, :f :kill, :value #{1 nil \"a\\n\"}} ; a comment
#jepsen.history.Op{:process 1, :type :invoke, :f :cas, :value [1 2]}
{:process 0, :type :ok, :f :write, :value 1, :index 10}
{:process 1, :type :fail, :f :cas, :value (1 2), :error :differs}
";
const LOG: &str = "\
INFO  jepsen.util - 0\t:invoke\t:write\t3
INFO  jepsen.util - 1\t:invoke\t:read\tnil
INFO  jepsen.util - 0\t:ok\t:write\t3
INFO  jepsen.util - 1\t:ok\t:read\t3
";
const JSON: &str = r#"{"process":0,"type":"invoke","f":"write","value":1}
{"process":0,"type":"ok","f":"write","value":[1,{"a":null}],"time":12}
"#;
const KV: &str = "\
{:process 0, :type :invoke, :f :put, :key \"a\", :value \"x\"}
{:process 0, :type :ok, :f :put, :key \"a\", :value \"x\"}
{:process 1, :type :invoke, :f :get, :key \"a\", :value nil}
{:process 1, :type :ok, :f :get, :key \"a\", :value \"x\"}
";

fn target<'a>(name: &'a str, sample: &str) -> Target<'a> {
    // A reader has its buffer, and JSON's numbers become values of 32 bytes.
    Target { name, samples: vec![sample.into()], bytes_per_byte: 256, floor: 256 << 10 }
}

#[test]
fn own_histories() {
    let read = Cell::new(0);
    target("history.jsonl", OWN).survives(|bytes| {
        match history::read_from(bytes, Path::new("h.jsonl"), usize::MAX) {
            Ok(_) => read.set(read.get() + 1),
            Err(error) => assert!(error.to_string().starts_with("h.jsonl"), "{error}"),
        }
    });
    assert!(read.get() > 1, "not all damage is fatal");
}

#[test]
fn histories_from_elsewhere() {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let path = scratch.path().join("h");
    let forms = [(EDN, Format::Edn), (LOG, Format::Log), (JSON, Format::Json), (KV, Format::Kv)];
    for (sample, format) in forms {
        fs::write(&path, sample).expect("a scratch directory");
        let options = Options { format: Some(format), keyed: false };
        history::foreign::read(&path, options).expect("a valid history");
        target(&format!("{format:?}"), sample).survives(|bytes| {
            fs::write(&path, bytes).expect("a scratch directory");
            for format in [Some(format), None] {
                for keyed in [false, true] {
                    let read = history::foreign::read(&path, Options { format, keyed });
                    drop(
                        read.map_err(|error| assert!(error.to_string().contains("/h"), "{error}")),
                    );
                }
            }
        });
    }
}

/// Nothing that nests exhausts the stack.
#[test]
fn deep_nesting_is_refused() {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let path = scratch.path().join("h");
    for (open, format) in [
        ("[", Format::Edn),
        ("{:a ", Format::Edn),
        ("#{", Format::Edn),
        ("#_", Format::Edn),
        ("#a ", Format::Edn),
        ("[", Format::Json),
        ("{\"a\":", Format::Json),
        ("{:value ", Format::Kv),
    ] {
        fs::write(&path, open.repeat(300_000)).expect("a scratch directory");
        let options = Options { format: Some(format), keyed: false };
        assert!(history::foreign::read(&path, options).is_err(), "{open}");
        assert!(history::read(&path, usize::MAX).is_err(), "{open}");
    }
    let values = format!("INFO  jepsen.util - 0\t:invoke\t:write\t{}\n", "[".repeat(300_000));
    fs::write(&path, values).expect("a scratch directory");
    let options = Options { format: Some(Format::Log), keyed: false };
    assert!(history::foreign::read(&path, options).is_err());
}

#[test]
fn manifests() {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let path = scratch.path().join("manifest.json");
    let sample = serde_json::to_string_pretty(&manifest()).expect("plain data");
    fs::write(&path, &sample).expect("a scratch directory");
    RunDir::open(scratch.path()).expect("a valid manifest");
    target("manifest.json", &sample).survives(|bytes| {
        fs::write(&path, bytes).expect("a scratch directory");
        if let Err(error) = RunDir::open(scratch.path()) {
            assert!(error.to_string().contains("manifest.json"), "{error}");
        }
    });
}
