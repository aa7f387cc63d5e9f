use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::*;

fn rng(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

fn file(image: &mut Image, dir: Ino, name: &str, text: &str) -> Ino {
    let empty = Body::File(Content::default());
    let ino = image.create(dir, name.as_ref(), 0o644, empty).expect("a new name");
    image.write(ino, 0, text.as_bytes()).expect("there is room");
    ino
}

fn dir(image: &mut Image, parent: Ino, name: &str) -> Ino {
    let empty = Body::Dir(Dir::default());
    image.create(parent, name.as_ref(), 0o755, empty).expect("a new name")
}

fn names(image: &Image) -> Vec<String> {
    image.paths().iter().map(|path| path.display().to_string()).collect()
}

fn cut(image: &mut Image, rules: Rules) -> Lost {
    image.lose(Loss::Everything, rules, &mut rng(1))
}

fn rename(image: &mut Image, from: &str, to: &str) {
    image.rename((ROOT, from.as_ref()), (ROOT, to.as_ref()), true).expect("it is there");
}

#[test]
fn a_synced_file_in_a_directory_that_was_not_synced_has_no_name() {
    let mut image = Image::new();
    let log = file(&mut image, ROOT, "log", "synced");
    image.sync(log).expect("it is there");
    let lost = cut(&mut image, Rules::Posix);
    assert_eq!((lost.names, names(&image)), (vec![PathBuf::from("log")], vec![]));
    assert_eq!(image.file(log).err(), Some(Errno::ESTALE));
}

#[test]
fn a_journal_keeps_the_name_of_a_synced_file_and_what_changed_before() {
    let mut image = Image::new();
    let sub = dir(&mut image, ROOT, "sub");
    let log = file(&mut image, sub, "log", "synced");
    image.sync(log).expect("it is there");
    file(&mut image, sub, "later", "unsynced");
    let lost = cut(&mut image, Rules::Ext4);
    assert_eq!(lost.names, [PathBuf::from("sub/later")]);
    assert_eq!(names(&image), ["sub", "sub/log"]);
}

#[test]
fn a_synced_directory_keeps_names_and_a_file_of_no_synced_byte_is_empty() {
    let mut image = Image::new();
    let log = file(&mut image, ROOT, "log", "unsynced");
    image.sync(ROOT).expect("it is there");
    let lost = cut(&mut image, Rules::Posix);
    assert_eq!((lost.bytes, lost.files, lost.names), (8, 1, vec![]));
    assert_eq!(image.file(log).map(Content::len), Ok(0));
    assert_eq!(cut(&mut image, Rules::Posix), Lost::default(), "it cannot be lost twice");
}

#[test]
fn a_rename_and_a_removal_are_undone_unless_the_directory_was_synced() {
    let mut image = Image::new();
    for name in ["old", "new", "gone"] {
        let ino = file(&mut image, ROOT, name, name);
        image.sync(ino).expect("it is there");
    }
    image.sync(ROOT).expect("it is there");
    rename(&mut image, "new", "old");
    image.remove(ROOT, "gone".as_ref(), false).expect("it is there");
    let mut undone = Image { room: None, ..image };
    assert_eq!(names(&undone), ["old"]);
    cut(&mut undone, Rules::Posix);
    assert_eq!(names(&undone), ["gone", "new", "old"]);
    let old = undone.lookup(ROOT, "old".as_ref()).expect("it is back");
    assert_eq!(undone.file(old).map(|file| file.read(0, 9)), Ok(b"old".to_vec()));

    rename(&mut undone, "new", "old");
    undone.sync(ROOT).expect("it is there");
    cut(&mut undone, Rules::Posix);
    assert_eq!(names(&undone), ["gone", "old"]);
}

#[test]
fn a_torn_loss_keeps_the_first_changes() {
    let kept: BTreeSet<Vec<String>> = (0..100)
        .map(|seed| {
            let mut image = Image::new();
            ["a", "b"].into_iter().for_each(|name| assert!(dir(&mut image, ROOT, name) > ROOT));
            image.lose(Loss::Torn, Rules::Posix, &mut rng(seed));
            names(&image)
        })
        .collect();
    let expected: [&[&str]; 3] = [&[], &["a"], &["a", "b"]];
    assert!(kept.iter().eq(expected.iter()), "{kept:?}");
}

#[test]
fn a_full_disk_takes_no_new_page_and_no_new_file() {
    let mut image = Image::new();
    let log = file(&mut image, ROOT, "log", "x");
    image.set_room(Some(PAGE));
    image.write(log, 1, b"in the same page").expect("it has its page");
    image.write(log, PAGE, b"x").expect("there is room for one");
    assert_eq!(image.write(log, 2 * PAGE, b"x"), Err(Errno::ENOSPC));
    let body = Body::File(Content::default());
    assert_eq!(image.create(ROOT, "b".as_ref(), 0, body).err(), Some(Errno::ENOSPC));
    image.set_room(None);
    image.write(log, 2 * PAGE, b"x").expect("there is room again");
}

#[test]
fn impossible_requests_are_refused_as_by_any_file_system() {
    let mut image = Image::new();
    let (sub, log) = (dir(&mut image, ROOT, "sub"), file(&mut image, ROOT, "log", ""));
    file(&mut image, sub, "x", "");
    assert_eq!(image.lookup(ROOT, "absent".as_ref()), Err(Errno::ENOENT));
    assert_eq!(image.lookup(log, "x".as_ref()), Err(Errno::ENOTDIR));
    assert_eq!(image.remove(ROOT, "sub".as_ref(), true), Err(Errno::ENOTEMPTY));
    assert_eq!(image.remove(ROOT, "sub".as_ref(), false), Err(Errno::EISDIR));
    assert_eq!(image.remove(ROOT, "log".as_ref(), true), Err(Errno::ENOTDIR));
    assert_eq!(image.write(sub, 0, b"x"), Err(Errno::EISDIR));
    let (log, sub) = ((ROOT, OsStr::new("log")), (ROOT, OsStr::new("sub")));
    assert_eq!(image.rename(log, sub, true), Err(Errno::ENOTEMPTY));
    assert_eq!(image.rename(log, sub, false), Err(Errno::EEXIST));
}

#[test]
fn what_has_no_name_is_gone_when_the_kernel_forgets_it() {
    let mut image = Image::new();
    let ino = file(&mut image, ROOT, "log", "x");
    image.sync(ROOT).expect("it is there");
    image.remove(ROOT, "log".as_ref(), false).expect("it is there");
    image.forget(ino, 1);
    assert!(image.node(ino).is_ok(), "a power cut would bring it back");
    image.sync(ROOT).expect("it is there");
    assert_eq!(image.node(ino).err(), Some(Errno::ESTALE));

    let open = file(&mut image, ROOT, "open", "x");
    image.remove(ROOT, "open".as_ref(), false).expect("it is there");
    image.sync(ROOT).expect("it is there");
    assert!(image.file(open).is_ok(), "a program may have it open");
}

#[test]
fn what_is_damaged_is_a_large_file() {
    for damage in [Damage::BitFlip, Damage::MisdirectedWrite, Damage::TruncatedTail] {
        let mut image = Image::new();
        file(&mut image, ROOT, "myid", "1");
        image.sync_all();
        assert_eq!(image.damage(damage, &mut rng(3)), None, "nothing is large");
        let text: String = (0..1000).map(|n| format!("{n:03} ")).collect();
        let log = file(&mut image, ROOT, "log.1", &text);
        image.sync_all();
        let (path, _) = image.damage(damage, &mut rng(3)).expect("there is a log");
        assert_eq!(path, PathBuf::from("log.1"));
        assert_ne!(image.file(log).map(|file| file.read(0, 4000)), Ok(text.into_bytes()));
    }
}

#[test]
fn it_can_be_saved_to_a_real_disk() {
    let mut image = Image::new();
    let sub = dir(&mut image, ROOT, "sub");
    let log = file(&mut image, sub, "log", "text");
    image.set_len(log, 10).expect("it is there");
    let place = tempfile::tempdir().expect("a scratch directory");
    image.save(place.path()).expect("a scratch directory");
    let saved = fs::read(place.path().join("sub/log")).expect("it was saved");
    assert_eq!(saved, b"text\0\0\0\0\0\0");
}
