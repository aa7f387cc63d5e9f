use super::*;

fn create(path: &str) -> Op {
    Op::Create { path: path.to_owned(), data: "d".to_owned(), owner: None, sequential: false }
}

fn ephemeral(path: &str, session: u64) -> Op {
    Op::Create {
        path: path.to_owned(),
        data: String::new(),
        owner: Some(session),
        sequential: false,
    }
}

fn numbered(path: &str) -> Op {
    Op::Create { path: path.to_owned(), data: String::new(), owner: None, sequential: true }
}

fn set(path: &str, data: &str, version: i32) -> Op {
    Op::Set { path: path.to_owned(), data: data.to_owned(), version }
}

fn delete(path: &str, version: i32) -> Op {
    Op::Delete { path: path.to_owned(), version }
}

fn get(path: &str) -> Op {
    Op::Get { path: path.to_owned() }
}

fn exists(path: &str) -> Op {
    Op::Exists { path: path.to_owned() }
}

fn children(path: &str) -> Op {
    Op::Children { path: path.to_owned() }
}

fn check(path: &str, version: i32) -> Op {
    Op::Check { path: path.to_owned(), version }
}

fn created(path: &str) -> Ret {
    Ret::Created { path: path.to_owned(), stat: Stat::default() }
}

fn listed(names: &[&str]) -> Ret {
    let names = names.iter().map(|name| (*name).to_owned()).collect();
    Ret::Children { names, stat: Stat::default() }
}

fn holds(data: &str) -> Ret {
    Ret::Data { data: data.to_owned(), stat: Stat::default() }
}

const TOLD: Ret =
    Ret::Stat(Stat { version: None, cversion: None, owner: None, length: None, children: None });
const NO_NODE: Ret = Ret::Refused(Refusal::NoNode);

/// Each in turn, from a tree with /a, which holds "d".
fn after_a(steps: impl IntoIterator<Item = (Op, Ret)>) -> bool {
    let first = [(create("/a"), created("/a"))];
    Znodes::default().is_valid_history(first.into_iter().chain(steps))
}

#[test]
fn a_znode_needs_its_parent_and_is_there_once() {
    assert!(after_a([
        (create("/a"), Ret::Refused(Refusal::NodeExists)),
        (create("/"), Ret::Refused(Refusal::NodeExists)),
        (create("/b/c"), NO_NODE),
        (create("/a/b"), created("/a/b")),
        (create("/a/b/c"), created("/a/b/c")),
        (create("/ab"), created("/ab")),
        (children("/"), listed(&["a", "ab"])),
        (children("/a"), listed(&["b"])),
        (delete("/a", -1), Ret::Refused(Refusal::NotEmpty)),
        (delete("/", -1), Ret::Refused(Refusal::BadArguments)),
        (delete("/a/b/c", -1), Ret::Done),
        (delete("/a/b", -1), Ret::Done),
        (exists("/a/b"), NO_NODE),
        (delete("/a/b", -1), NO_NODE),
    ]));
}

#[test]
fn versions_guard_changes() {
    assert!(after_a([
        (set("/a", "1", 1), Ret::Refused(Refusal::BadVersion)),
        (set("/a", "1", 0), Ret::Stat(Stat { version: Some(1), ..Stat::default() })),
        (set("/a", "2", -1), Ret::Stat(Stat { version: Some(2), ..Stat::default() })),
        (get("/a"), holds("2")),
        (delete("/a", 1), Ret::Refused(Refusal::BadVersion)),
        (check("/a", 2), Ret::Done),
        (check("/a", 1), Ret::Refused(Refusal::BadVersion)),
        (check("/b", -1), NO_NODE),
        (delete("/a", 2), Ret::Done),
        (create("/a"), created("/a")),
        (check("/a", 0), Ret::Done),
    ]));
}

#[test]
fn a_stat_counts_children_and_their_changes() {
    let stat = Stat {
        version: Some(0),
        cversion: Some(3),
        owner: Some(0),
        length: Some(1),
        children: Some(1),
    };
    assert!(after_a([
        (create("/a/b"), created("/a/b")),
        (create("/a/c"), created("/a/c")),
        (delete("/a/b", -1), Ret::Done),
        (exists("/a"), Ret::Stat(stat)),
    ]));
    for wrong in [
        Stat { version: Some(1), ..stat },
        Stat { cversion: Some(2), ..stat },
        Stat { owner: Some(1), ..stat },
        Stat { length: Some(0), ..stat },
        Stat { children: Some(2), ..stat },
    ] {
        let steps = [
            (create("/a/b"), created("/a/b")),
            (create("/a/c"), created("/a/c")),
            (delete("/a/b", -1), Ret::Done),
            (exists("/a"), Ret::Stat(wrong)),
        ];
        assert!(!after_a(steps), "{wrong:?}");
    }
}

#[test]
fn the_parent_counts_for_sequential_ones() {
    assert!(after_a([
        (numbered("/a/n"), created("/a/n0000000000")),
        (create("/a/b"), created("/a/b")),
        (delete("/a/n0000000000", -1), Ret::Done),
        (numbered("/a/m-"), created("/a/m-0000000002")),
        (numbered("/a/"), created("/a/0000000003")),
        (numbered("/"), created("/0000000001")),
    ]));
    assert!(!after_a([(numbered("/a/n"), created("/a/n0000000001"))]));
    assert!(!after_a([(numbered("/a/n"), created("/a/n"))]));
}

#[test]
fn ephemerals_go_with_their_session_and_have_no_children() {
    assert!(after_a([
        (ephemeral("/a/e", 7), created("/a/e")),
        (ephemeral("/a/f", 8), created("/a/f")),
        (create("/a/e/c"), Ret::Refused(Refusal::NoChildrenForEphemerals)),
        (Op::Close { session: 7 }, Ret::Done),
        (children("/a"), listed(&["f"])),
        (exists("/a"), Ret::Stat(Stat { cversion: Some(3), children: Some(1), ..Stat::default() })),
        (ephemeral("/a/e", 7), Ret::Refused(Refusal::SessionExpired)),
        (Op::Close { session: 7 }, Ret::Refused(Refusal::SessionExpired)),
    ]));
}

#[test]
fn a_multi_does_all_or_nothing() {
    let both = |second: Op| Op::Multi(vec![create("/a/b"), second]);
    assert!(after_a([
        (both(check("/a", 1)), Ret::Refused(Refusal::BadVersion)),
        (exists("/a/b"), NO_NODE),
        (both(create("/a/b/c")), Ret::Multi(vec![created("/a/b"), created("/a/b/c")])),
        (exists("/a/b/c"), TOLD),
    ]));
    assert!(!after_a([(both(check("/a", 0)), Ret::Multi(vec![created("/a/b")]))]));
}

#[test]
fn wrong_answers_are_refused() {
    let cases = [
        (get("/a"), holds("x")),
        (get("/a"), NO_NODE),
        (exists("/b"), TOLD),
        (children("/a"), listed(&["b"])),
        (create("/a"), created("/a")),
        (create("/a/b"), created("/a/c")),
        (delete("/a", 1), Ret::Done),
        (Op::Close { session: 1 }, Ret::Refused(Refusal::SessionExpired)),
    ];
    for case in cases {
        assert!(!after_a([case.clone()]), "{case:?}");
    }
}

#[test]
fn paths() {
    assert_eq!(["/", "/a", "/a/b"].map(parent), [None, Some("/"), Some("/a")]);
    assert!(["/", "/a", "/a/b"].into_iter().all(is_path));
    assert!(!["", "a", "/a/", "//", "/a//b"].into_iter().any(is_path));
}
