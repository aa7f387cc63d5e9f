use super::*;

fn entry(epoch: u32, counter: u32) -> Entry<u64> {
    Entry { zxid: Zxid::new(epoch, counter), txn: u64::from(counter) }
}

fn open(dir: &Path) -> (Store<u64, Vec<u8>>, Recovered<u64, Vec<u8>>) {
    Store::open(dir).unwrap()
}

fn zxids(recovered: &Recovered<u64, Vec<u8>>) -> Vec<Zxid> {
    recovered.log.iter().map(|entry| entry.zxid).collect()
}

#[test]
fn what_was_synced_is_there_after_a_restart_and_the_rest_need_not_be() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, recovered) = open(dir.path());
    assert!(recovered.snapshot.is_none() && recovered.log.is_empty());
    store.append(&entry(1, 1)).unwrap();
    store.save_epochs(2, 1).unwrap();
    store.append(&entry(1, 2)).unwrap();
    drop(store);
    let (_, recovered) = open(dir.path());
    assert_eq!((recovered.accepted_epoch, recovered.current_epoch), (2, 1));
    assert_eq!(zxids(&recovered), [Zxid::new(1, 1)], "the second append was never synced");
}

#[test]
fn snapshots_bound_the_log_and_truncation_crosses_segments() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = open(dir.path());
    for n in 1..=10 {
        store.append(&entry(1, n * 2 - 1)).unwrap();
        store.append(&entry(1, n * 2)).unwrap();
        store.snapshot(Zxid::new(1, n * 2 - 1), vec![n as u8]).unwrap();
    }
    assert!(store.segments.len() <= SNAPSHOTS_KEPT + 1, "{}", store.segments.len());
    store.append(&entry(1, 21)).unwrap();
    store.truncate(Zxid::new(1, 19)).unwrap();
    store.append(&entry(2, 1)).unwrap();
    store.sync().unwrap();
    let (_, recovered) = open(dir.path());
    assert_eq!(recovered.snapshot, Some((Zxid::new(1, 19), vec![10])));
    assert_eq!(zxids(&recovered), [Zxid::new(2, 1)]);
}

#[test]
fn a_snapshot_beyond_a_truncation_goes_with_the_entries_it_holds() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = open(dir.path());
    for n in 1..=4 {
        store.append(&entry(1, n)).unwrap();
        store.snapshot(Zxid::new(1, n), vec![n as u8]).unwrap();
    }
    store.truncate(Zxid::new(1, 3)).unwrap();
    let (_, recovered) = open(dir.path());
    assert_eq!(recovered.snapshot, Some((Zxid::new(1, 3), vec![3])));
    assert_eq!(zxids(&recovered), []);
}

#[test]
fn a_damaged_newest_snapshot_is_passed_over_with_a_note() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = open(dir.path());
    for n in 1..=3 {
        store.append(&entry(1, n)).unwrap();
        store.snapshot(Zxid::new(1, n), vec![n as u8; 100]).unwrap();
    }
    let path = store.directory().join("snapshot.0000000100000003");
    let mut bytes = fs::read(&path).unwrap();
    bytes[50] ^= 1;
    fs::write(&path, bytes).unwrap();
    let (_, recovered) = open(dir.path());
    assert_eq!(recovered.snapshot, Some((Zxid::new(1, 2), vec![2; 100])));
    assert_eq!(zxids(&recovered), [Zxid::new(1, 3)]);
    assert!(recovered.notes[0].contains("wrong checksum"));
}

#[test]
fn a_store_without_a_readable_snapshot_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = open(dir.path());
    store.append(&entry(1, 1)).unwrap();
    store.snapshot(Zxid::new(1, 1), vec![1; 100]).unwrap();
    let path = store.directory().join("snapshot.0000000100000001");
    let mut bytes = fs::read(&path).unwrap();
    bytes[50] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let said = Store::<u64, Vec<u8>>::open(dir.path()).unwrap_err().to_string();
    assert!(said.contains("no snapshot is readable"), "{said}");
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

#[test]
fn an_installed_snapshot_replaces_everything_and_leftovers_are_removed() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = open(dir.path());
    store.append(&entry(1, 1)).unwrap();
    store.append(&entry(1, 2)).unwrap();
    store.sync().unwrap();
    store.install(Zxid::new(3, 7), &b"state".to_vec(), &[entry(3, 8)]).unwrap();
    store.append(&entry(3, 9)).unwrap();
    store.sync().unwrap();
    fs::create_dir(store.root.join("g9")).unwrap();
    let (store, recovered) = open(dir.path());
    assert_eq!(recovered.snapshot, Some((Zxid::new(3, 7), b"state".to_vec())));
    assert_eq!(zxids(&recovered), [Zxid::new(3, 8), Zxid::new(3, 9)]);
    assert!(!store.root.join("g0").exists() && !store.root.join("g9").exists());
}

#[test]
fn a_crash_before_the_switch_leaves_the_old_generation_in_force() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = open(dir.path());
    store.append(&entry(1, 1)).unwrap();
    store.sync().unwrap();
    let half = store.root.join("g1");
    fs::create_dir(&half).unwrap();
    snapshot::write(&half, Zxid::new(3, 7), &b"state".to_vec()).unwrap();
    let (_, recovered) = open(dir.path());
    assert!(recovered.snapshot.is_none());
    assert_eq!(zxids(&recovered), [Zxid::new(1, 1)]);
}

#[test]
fn without_its_state_file_nothing_is_taken_for_leftovers() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = open(dir.path());
    for install in [false, true] {
        if install {
            store.install(Zxid::new(3, 7), &b"state".to_vec(), &[entry(3, 8)]).unwrap();
        } else {
            store.append(&entry(1, 1)).unwrap();
            store.sync().unwrap();
        }
        let directory = store.directory();
        fs::rename(store.root.join("state"), store.root.join("kept")).unwrap();
        let error = Store::<u64, Vec<u8>>::open(dir.path()).unwrap_err().to_string();
        assert!(error.contains("state is missing"), "{error}");
        assert!(!listed(&directory, "log.").unwrap().is_empty(), "nothing was deleted");
        fs::rename(store.root.join("kept"), store.root.join("state")).unwrap();
    }
    fs::remove_file(store.directory().join("snapshot.0000000300000007")).unwrap();
    let error = Store::<u64, Vec<u8>>::open(dir.path()).unwrap_err().to_string();
    assert!(error.contains("its snapshot is missing"), "{error}");
}
