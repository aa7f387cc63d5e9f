use std::fs;

use super::*;

fn reading(text: &str, keyed: bool) -> Result<Foreign, ReadError> {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let path = scratch.path().join("history");
    fs::write(&path, text).expect("an empty scratch directory");
    read(&path, Options { format: None, keyed })
}

fn foreign(text: &str) -> Foreign {
    reading(text, false).expect("a good history")
}

fn refusal(text: &str) -> String {
    reading(text, false).expect_err("a bad history").to_string()
}

fn written(foreign: &Foreign, format: Format) -> String {
    let mut out = Vec::new();
    write(foreign, format, &mut out).expect("a vector takes everything");
    String::from_utf8(out).expect("text")
}

const EDN: &str = "\
{:process 0, :type :invoke, :f :write, :value 1, :index 4, :time 9}
{:process :nemesis, :type :info, :f :kill, :value nil}
{:process 1, :type :invoke, :f :cas, :value [1 2]}
{:process 0, :type :ok, :f :write, :value 1, :index 10}
{:process 1, :type :fail, :f :cas, :value [1 2], :error :differs}
{:process 2, :type :invoke, :f :read, :value nil}
{:process 2, :type :info, :f :read, :value :timed-out, :error :timeout}
{:process 3, :type :invoke, :f :write, :value 5}
";

#[test]
fn events_are_paired() {
    let history = foreign(EDN);
    let statuses: Vec<_> = history.deeds.iter().map(|deed| deed.status).collect();
    assert_eq!(statuses, [Status::Ok, Status::Fail, Status::Unknown, Status::Unknown]);
    assert_eq!(history.others, 1);
    assert!(history.deeds[1].differs() && !history.deeds[2].differs());
    let places: Vec<_> = history.deeds.iter().map(|deed| (deed.invoke, deed.complete)).collect();
    assert_eq!(places, [(0, Some(3)), (2, Some(4)), (5, Some(6)), (7, None)]);
}

#[test]
fn a_vector_a_tag_and_broken_lines_say_the_same() {
    let lines: Vec<_> = EDN.lines().collect();
    let tagged: Vec<_> = lines.iter().map(|line| format!("#jepsen.history.Op{line}")).collect();
    let broken = format!("[\n{}\n]\n", tagged.join("\n").replace(", :f", ",\n  :f"));
    let (one, other) = (foreign(EDN), foreign(&broken));
    let strip = |history: Foreign| -> Vec<Deed> {
        history.deeds.into_iter().map(|deed| Deed { line: 0, ..deed }).collect()
    };
    assert_eq!(strip(one), strip(other));
    assert_eq!(foreign(&broken).deeds[1].line, 6);
}

#[test]
fn logs_are_read_between_other_lines() {
    let history = foreign(
        "INFO  jepsen.util - 0\t:invoke\t:read\tnil\nINFO  something else\n\
         INFO  jepsen.util - :nemesis\t:info\t:start\n\
         INFO  jepsen.util - 1\t:invoke\t:cas\t[1 2]\nINFO  jepsen.util - 0\t:ok\t:read\t3\n\
         INFO  jepsen.util - 1\t:fail\t:cas\t[1 2]\n",
    );
    assert_eq!(history.deeds[0].answered, Some(Datum::Int(3)));
    assert!(history.deeds[1].differs(), "a failed cas of a log has compared");
    assert_eq!(history.others, 1);
}

#[test]
fn every_form_carries_a_register() {
    let history = foreign(EDN);
    for format in [Format::Edn, Format::Log, Format::Json] {
        let again = foreign(&written(&history, format));
        let brief = |history: &Foreign| -> Vec<_> {
            let deeds = history.deeds.iter();
            deeds
                .map(|deed| (deed.f.clone(), deed.asked.clone(), deed.status, deed.differs()))
                .collect()
        };
        assert_eq!(brief(&history), brief(&again), "{format:?}");
    }
}

#[test]
fn keys_are_pairs_in_edn_and_fields_elsewhere() {
    let text = "{:process 0, :type :invoke, :f :write, :value [\"x\" 1]}\n\
                {:process 0, :type :ok, :f :write, :value [\"x\" 1]}\n";
    let history = reading(text, true).expect("keyed");
    assert_eq!(history.deeds[0].key, Some(Datum::Text("x".to_owned())));
    assert_eq!(history.deeds[0].asked, Datum::Int(1));
    assert!(written(&history, Format::Edn).contains(":value [\"x\" 1]"));
    assert!(written(&history, Format::Json).contains("\"key\":\"x\""));
    let kv = written(&history, Format::Kv);
    assert!(kv.contains(":key \"x\", :value \"1\""), "{kv}");
    assert_eq!(foreign(&kv).deeds[0].key, history.deeds[0].key);
    assert!(write(&history, Format::Log, &mut Vec::new()).is_err());
    let message = reading(EDN, true).expect_err("no pairs").to_string();
    assert!(message.contains("pair of key and value"), "{message}");
}

#[test]
fn own_histories_lose_their_versions() {
    let history = foreign(
        r#"{"process":0,"type":"invoke","f":"connect","value":"n1"}
{"process":0,"type":"ok","f":"connect","session":"0x1"}
{"process":0,"type":"invoke","f":"cas","key":"/r","value":[3,7]}
{"process":0,"type":"ok","f":"cas","key":"/r","value":[3,7],"zxid":"0x1"}
"#,
    );
    let [deed] = history.deeds.as_slice() else { panic!("{history:?}") };
    assert_eq!((deed.f.as_str(), &deed.asked), ("write", &Datum::Int(7)));
    assert_eq!(history.left_out.len(), 2);
}

#[test]
fn a_cut_end_is_dropped_and_said() {
    let json = "{\"process\":0,\"type\":\"invoke\",\"f\":\"read\"}\n{\"process\":0,\"ty";
    let log = "INFO  jepsen.util - 0\t:invoke\t:read\tnil\nINFO  jepsen.util - 0\t:ok\t:read\t[1";
    for text in [format!("{EDN}{{:process 0, :ty"), json.to_owned(), log.to_owned()] {
        let history = foreign(&text);
        assert!(history.cut.is_some(), "{text}");
        assert_eq!(history.deeds.last().map(|deed| deed.status), Some(Status::Unknown));
    }
}

#[test]
fn what_makes_no_sense_is_refused_with_its_line() {
    let invoke = "{:process 0, :type :invoke, :f :read, :value nil, :index 3}\n";
    let cases = [
        (invoke.repeat(2).replacen(":index 3", ":index 2", 1), ":2: field `type`"),
        (invoke.repeat(2), ":2: field `index`"),
        (invoke.replace("invoke", "ok"), "has not invoked"),
        (invoke.replace(":invoke", ":maybe"), ":1: field `type`"),
        (invoke.replace("process 0", "process -1"), "field `process`"),
        (invoke.replace("process 0", "process 1.5"), "field `process`"),
        (invoke.replace(":f :read, ", ""), "field `f`"),
        (invoke.replace(":index 3", ":index \"3\""), "field `index`"),
        (format!("{invoke}{{:process 0, :type :ok, :f :write, :index 4}}"), "field `f`"),
        (format!("{invoke}}}\n"), "closes nothing"),
        ("garbage of no form\n".to_owned(), "expected a map"),
        ("INFO  jepsen.util - 0 :invoke\n".to_owned(), "field `f`: missing"),
        ("{\"process\": 0, \"type\": }\n".to_owned(), "not JSON"),
        ("\n\n".to_owned(), "empty"),
    ];
    for (text, part) in cases {
        let message = refusal(&text);
        assert!(message.contains(part), "{text} gives {message}");
    }
}

#[test]
fn an_endless_line_is_refused() {
    let message = refusal(&format!("{{:process {}", "1".repeat(17 << 20)));
    assert!(message.contains("longer than 16 MiB"), "{message}");
}

/// An event that is looked through again at each of its lines would take hours.
#[test]
fn an_event_of_a_million_lines_is_read_or_refused() {
    let event = |end: &str| {
        format!("{{:process 0, :type :invoke, :f :read, :value [{}{end}", "1\n".repeat(1 << 20))
    };
    assert_eq!(foreign(&event("]}")).deeds.len(), 1);
    assert!(foreign(&(event("]}") + &event(""))).cut.is_some());
    assert!(refusal(&event(&"1\n".repeat(9 << 20))).contains("longer than 16 MiB"));
}

#[test]
fn a_vector_on_one_line_is_read_event_by_event() {
    let event = "{:process 0, :type :invoke, :f :read} {:process 0, :type :ok, :f :read} ";
    assert_eq!(foreign(&format!("[{}]", event.repeat(20_000))).deeds.len(), 20_000);
}
