use std::path::Path;

use clap::{Args, Command, FromArgMatches};
use history::{Settings, Target};

use super::*;

fn file(text: &str) -> Result<Plan, String> {
    Plan::from_text(Path::new("plan.toml"), text).map_err(|error| error.to_string())
}

fn flags(argv: &[&str]) -> Result<Plan, String> {
    let command = Plan::augment_args(Command::new("test").no_binary_name(true));
    let matches = command.try_get_matches_from(argv).map_err(|error| error.to_string())?;
    Ok(Plan::from_arg_matches(&matches).expect("clap has checked the flags"))
}

fn settings(plan: &Plan) -> Settings {
    plan.resolve(7).expect("a sound plan")
}

const EVERY_KEY: &str = r#"
nodes = 3
clients = 4
time = "2m"
rate = 12.5
workload = "register"
faults = ["kill", "partition:leader"]
scenario = "nemesis/scenarios/crown-chain.txt"
interval = 1.5
swarm = false
heal = "natural"
pcap = true
seed = 11
target = "zoobreak"
results = "elsewhere"
keys = 6
mutant = "x9"
tick-ms = 100
init-limit = 30
sync-limit = 5
session-timeout = "10s"
op-timeout = "750ms"
"#;

#[test]
fn a_file_and_flags_say_the_same() {
    let typed = flags(&[
        "--nodes=3",
        "--clients=4",
        "--time=2m",
        "--rate=12.5",
        "--workload=register",
        "--faults=kill,partition:leader",
        "--scenario=nemesis/scenarios/crown-chain.txt",
        "--interval=1.5",
        "--swarm=false",
        "--heal=natural",
        "--pcap",
        "--seed=11",
        "--target=zoobreak",
        "--results=elsewhere",
        "--keys=6",
        "--mutant=X9",
        "--tick-ms=100",
        "--init-limit=30",
        "--sync-limit=5",
        "--session-timeout=10s",
        "--op-timeout=750ms",
    ]);
    let plan = file(EVERY_KEY).unwrap();
    assert_eq!(plan, typed.unwrap());
    assert_eq!(plan.results(), Path::new("elsewhere"));
    let expected = Settings {
        target: Target::Zoobreak,
        nodes: 3,
        clients: 4,
        time_s: 120.0,
        rate: 12.5,
        workload: "register".to_owned(),
        faults: ["kill", "partition:leader", "scenario:file"].map(str::to_owned).to_vec(),
        phases: Vec::new(),
        scenario: Some(include_str!("../../nemesis/scenarios/crown-chain.txt").to_owned()),
        interval_s: 1.5,
        heal: history::Heal::Natural,
        pcap: true,
        seed: 11,
        keys: 6,
        tick_ms: 100,
        init_limit: 30,
        sync_limit: 5,
        session_ms: 10_000,
        op_timeout_ms: 750,
        mutant: Some("X9".to_owned()),
    };
    assert_eq!(settings(&plan), expected);
}

#[test]
fn every_flag_is_a_key() {
    for key in keys() {
        assert!(EVERY_KEY.contains(&format!("\n{key} = ")), "{key} is missing from the test");
    }
}

#[test]
fn the_help_tells_the_defaults() {
    let command = Plan::augment_args(Command::new("test"));
    let told: Vec<String> = command
        .get_arguments()
        .filter_map(|flag| {
            let help = flag.get_help()?.to_string();
            let default = help.split_once("[default: ")?.1.trim_end_matches(']').to_owned();
            (flag.get_id() != "seed").then(|| format!("--{}={default}", flag.get_long().unwrap()))
        })
        .collect();
    assert_eq!(told.len(), 16);
    let told: Vec<&str> = told.iter().map(String::as_str).collect();
    let plan = flags(&told).unwrap();
    assert_eq!(settings(&plan), settings(&Plan::default()));
    assert_eq!(plan.results(), Plan::default().results());
}

#[test]
fn an_unknown_key_is_refused_with_line_and_suggestion() {
    let error = file("nodes = 3\n\nclinets = 4\n").unwrap_err();
    assert!(
        error.starts_with("plan.toml:3: unknown key `clinets`; did you mean `clients`? (keys:")
    );
    let error = file("[servers]\nnodes = 3\n").unwrap_err();
    assert!(error.starts_with("plan.toml:1: unknown key `servers`"), "{error}");
}

#[test]
fn wrong_types_and_values_are_refused_with_line_key_and_what_is_allowed() {
    let whole = "expected a whole number from 1 to 20";
    let cases = [
        ("nodes = \"five\"", format!("nodes = \"five\": {whole}")),
        ("nodes = \"5\"", format!("nodes = \"5\": {whole}")),
        ("nodes = 0", format!("nodes = 0: {whole}")),
        ("nodes = 21", format!("nodes = 21: {whole}")),
        ("nodes = -3", format!("nodes = -3: {whole}")),
        ("nodes = 2.5", format!("nodes = 2.5: {whole}")),
        ("nodes = true", format!("nodes = true: {whole}")),
        ("nodes = [1]", format!("nodes = [1]: {whole}")),
        ("clients = 1001", "clients = 1001: expected a whole number from 1 to 1000".into()),
        ("rate = 0", "rate = 0: expected operations per second, above 0 and up to 1000000".into()),
        ("rate = nan", "rate = nan: expected operations per second, above 0 and up to 1000000".into()),
        ("time = \"25h\"", "time = \"25h\": expected a time from 1s to 24h, such as 2.5, 500ms, 30s, 2m or 1h".into()),
        ("time = \"1 day\"", "time = \"1 day\": expected a time from 1s to 24h, such as 2.5, 500ms, 30s, 2m or 1h".into()),
        ("time = -1", "time = -1: expected a time from 1s to 24h, such as 2.5, 500ms, 30s, 2m or 1h".into()),
        ("target = \"zookeper\"", "target = \"zookeper\": there is no target `zookeper`; did you mean `zookeeper`? (known: zoobreak, zookeeper)".into()),
        ("target = 3", "target = 3: expected a text in quotes".into()),
        ("workload = \"bank\"", "workload = \"bank\": there is no workload `bank` (known: register, znodes)".into()),
        ("results = 1", "results = 1: invalid type: integer `1`, expected path string".into()),
    ];
    for (text, expected) in cases {
        let error = file(&format!("# a plan\n{text}\n")).unwrap_err();
        assert_eq!(error, format!("plan.toml:2: {expected}"));
    }
}

#[test]
fn a_wrong_fault_names_the_nearest() {
    let error = file("faults = [\n  \"kill\",\n  \"partition:leaders\",\n]").unwrap_err();
    assert!(error.starts_with("plan.toml:1: faults = [ \"kill\", \"partition:leaders\", ]: there is no kind of fault `partition:leaders`; did you mean `partition:leader`? (known: "), "{error}");
    for wrong in [
        "faults = 3",
        "faults = [3]",
        "faults = \"\"",
        "faults = \"kill,\"",
        "faults = [\"none\", \"kill\"]",
    ] {
        assert!(file(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn what_is_not_toml_is_refused_with_its_line() {
    let error = file("nodes = 3\nnodes = 4\n").unwrap_err();
    assert_eq!(error, "plan.toml:2: duplicate key");
    let error = file("nodes = 3\nclients 4\n").unwrap_err();
    assert!(error.starts_with("plan.toml:2: "), "{error}");
    let error = Plan::from_file(Path::new("no/such/plan.toml")).unwrap_err().to_string();
    assert!(error.starts_with("no/such/plan.toml: cannot read the plan: "), "{error}");
}

#[test]
fn flags_are_refused_in_the_same_words() {
    let error = flags(&["--nodes", "50"]).unwrap_err();
    assert!(
        error.contains("'50' for '--nodes <N>': expected a whole number from 1 to 20"),
        "{error}"
    );
    assert!(flags(&["--nodes", "3", "--nodes", "4"]).is_err());
    assert!(flags(&["--nods", "3"]).is_err());
}

#[test]
fn flags_win_over_the_file() {
    let plan = flags(&["--nodes=7"]).unwrap().over(file("nodes = 3\nclients = 4").unwrap());
    let settings = settings(&plan);
    assert_eq!((settings.nodes, settings.clients, settings.keys), (7, 4, 10));
}

#[test]
fn a_seed_is_drawn_only_if_none_was_typed() {
    assert_eq!(settings(&Plan::default()).seed, 7);
    assert_eq!(settings(&file("seed = 0").unwrap()).seed, 0);
}

#[test]
fn times_and_faults_are_read_in_every_form() {
    for (text, seconds) in
        [("30", 30.0), ("2.5", 2.5), ("1500ms", 1.5), ("2m", 120.0), ("1h", 3600.0)]
    {
        let plan = flags(&["--time", text]).unwrap();
        assert_eq!(settings(&plan).time_s, seconds, "{text}");
    }
    for text in [
        "faults = \"kill+pause\"",
        "faults = \"kill, pause\"",
        "faults = [\"kill\", \"pause\", \"kill\"]",
    ] {
        assert_eq!(settings(&file(text).unwrap()).faults, ["kill", "pause"], "{text}");
    }
    for text in ["faults = \"none\"", "faults = []", "faults = [\"none\"]"] {
        assert!(settings(&file(text).unwrap()).faults.is_empty(), "{text}");
    }
}

#[test]
fn phases_follow_each_other() {
    let plan = flags(&["--faults", "kill,pause,then,partition,kill"]).unwrap();
    let settings = settings(&plan);
    assert_eq!(settings.faults, ["kill", "pause", "partition", "kill"]);
    assert_eq!(settings.phases, [2, 2]);
    assert_eq!(settings.faults_in_words("+"), "kill+pause then partition+kill");
    assert_eq!(
        plan,
        file("faults = [\"kill\", \"pause\", \"then\", \"partition\", \"kill\"]").unwrap()
    );
    for wrong in ["then", "kill,then", "then,kill", "kill,then,then,pause", "kill,then,none"] {
        assert!(flags(&["--faults", wrong]).is_err(), "{wrong}");
    }
    let swarm = flags(&["--faults", "kill,then,pause", "--swarm"]).unwrap().resolve(1);
    assert!(swarm.unwrap_err().to_string().contains("leave `then` out"));
}

#[test]
fn values_that_do_not_go_together_are_refused() {
    let error = |text: &str| file(text).unwrap().resolve(1).unwrap_err().to_string();
    assert!(error("mutant = \"X9\"\ntarget = \"zookeeper\"").starts_with("mutant X9 is a defect"));
    assert!(error("nodes = 1").starts_with("fault kill needs 3 nodes or more, this plan has 1"));
    assert!(error("nodes = 4\nfaults = \"partition:ring\"").contains("needs 5 nodes"));
    assert!(file("nodes = 1\nfaults = \"none\"").unwrap().resolve(1).is_ok());
    assert!(file("nodes = 2\nfaults = \"partition\"").unwrap().resolve(1).is_ok());
}
