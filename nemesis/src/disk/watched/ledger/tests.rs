use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::*;

struct Stage {
    ledger: Ledger,
    dir: tempfile::TempDir,
}

impl Stage {
    /// A file `log` with this text, durable, in an otherwise empty directory.
    fn with(text: &str) -> Stage {
        let dir = tempfile::tempdir().expect("a scratch directory");
        let place = dir.path().join("data");
        fs::create_dir(&place).expect("a scratch directory");
        fs::write(place.join("log"), text).expect("a scratch directory");
        let ledger = Ledger::of(&place, &dir.path().join("data.durable"));
        Stage { ledger: ledger.expect("a scratch directory"), dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join("data").join(name)
    }

    fn log(&self) -> String {
        fs::read_to_string(self.path("log")).expect("it is there")
    }

    /// As a program does whose writes are watched.
    fn write(&mut self, at: u64, text: &str) {
        let file = File::options().read(true).write(true).open(self.path("log")).expect("a file");
        let ino = file.metadata().expect("a file").ino();
        let noted = self.ledger.before_write(&file, ino, at, text.len() as u64);
        noted.and_then(|()| file.write_all_at(text.as_bytes(), at)).expect("a scratch directory");
    }

    fn log_ino(&self) -> (Ino, u64) {
        let file = fs::metadata(self.path("log")).expect("a file");
        (file.ino(), file.len())
    }

    fn lose(&mut self, loss: Loss, seed: u64) -> Lost {
        let lost = self.ledger.lose(loss, Rules::Posix, &mut ChaCha8Rng::seed_from_u64(seed));
        lost.expect("a scratch directory")
    }
}

#[test]
fn what_was_appended_or_overwritten_since_the_last_fsync_is_lost() {
    let mut stage = Stage::with("durable");
    stage.write(0, "LOST");
    stage.write(2, "AGAIN and more");
    assert_eq!(stage.log(), "LOAGAIN and more");
    assert_eq!(stage.lose(Loss::Everything, 1).files, 1);
    assert_eq!(stage.log(), "durable");
    stage.write(0, "DUR");
    let (ino, len) = stage.log_ino();
    stage.ledger.sync_file(ino, len);
    assert_eq!(stage.lose(Loss::Everything, 1), Lost::default());
    assert_eq!(stage.log(), "DURable");
}

#[test]
fn scattered_losses_leave_holes_and_spare_what_was_synced() {
    let holes = (0..20).filter(|seed| {
        let mut stage = Stage::with("durable");
        stage.write(7, &"n".repeat(5000));
        stage.lose(Loss::Scattered, *seed);
        assert!(stage.log().starts_with("durable"));
        stage.log().trim_end_matches('\0').contains('\0')
    });
    assert!(holes.count() > 10);
}

#[test]
fn after_a_failed_fsync_the_next_one_does_not_write_what_was_given_up() {
    let mut stage = Stage::with("old");
    stage.write(0, "new, and longer");
    let (ino, len) = stage.log_ino();
    stage.ledger.fail_file(ino, len);
    stage.ledger.sync_file(ino, len);
    assert_eq!(stage.log(), "new, and longer", "the cache still has it");
    stage.ledger.forget_given_up().expect("a scratch directory");
    assert_eq!(stage.log(), "old");
}

#[test]
fn names_are_those_of_the_last_fsync_of_their_directory() {
    let mut stage = Stage::with("old");
    fs::write(stage.path("log.tmp"), "new").expect("a scratch directory");
    let ino = fs::metadata(stage.path("log.tmp")).expect("a file").ino();
    stage.ledger.sync_file(ino, 3);
    fs::rename(stage.path("log.tmp"), stage.path("log")).expect("a scratch directory");
    fs::create_dir(stage.path("unsynced")).expect("a scratch directory");
    let lost = stage.lose(Loss::Everything, 1);
    assert_eq!(stage.log(), "old", "the rename is lost");
    assert!(!stage.path("unsynced").exists());
    assert_eq!(lost.names.len(), 3, "gone, back and gone: {lost:?}");

    fs::write(stage.path("log.tmp"), "new").expect("a scratch directory");
    let ino = fs::metadata(stage.path("log.tmp")).expect("a file").ino();
    stage.ledger.sync_file(ino, 3);
    fs::rename(stage.path("log.tmp"), stage.path("log")).expect("a scratch directory");
    let dir = stage.ledger.place().to_owned();
    stage.ledger.sync_dir(&dir).expect("a scratch directory");
    assert_eq!(stage.lose(Loss::Everything, 1), Lost::default());
    assert_eq!(stage.log(), "new");
    stage.ledger.end().expect("a scratch directory");
    assert_eq!(fs::read_dir(stage.dir.path()).expect("a scratch directory").count(), 1);
}
