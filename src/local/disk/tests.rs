use super::write::Step;
use super::*;
use std::sync::{Arc, Mutex};

/// Lets a write fail or crash after a step, and notes the steps it took.
#[derive(Clone, Debug)]
pub(super) struct Stop {
    after: Option<Step>,
    how: How,
    seen: Arc<Mutex<Vec<Step>>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    Crash,
    Error(ErrorKind),
}

impl Stop {
    fn new(after: Option<Step>, how: How) -> Self {
        Self { after, how, seen: Arc::default() }
    }

    pub(super) fn at(&self, step: Step) -> io::Result<()> {
        self.seen.lock().unwrap().push(step);
        if self.after != Some(step) {
            return Ok(());
        }
        match self.how {
            How::Crash => Err(io::Error::other("crash")),
            How::Error(kind) => Err(kind.into()),
        }
    }

    pub(super) fn is_crash(&self) -> bool {
        self.how == How::Crash
    }
}

const STEPS: [Step; 6] =
    [Step::Created, Step::Half, Step::Written, Step::Synced, Step::Renamed, Step::Settled];
const NAME: &str = "heads/Prod/key-delete";

fn meta(value: &str) -> Meta {
    Meta::from([("due".to_owned(), value.to_owned())])
}

/// A store with one document, and its version.
fn store() -> (tempfile::TempDir, DiskStore, Etag) {
    let dir = tempfile::tempdir().unwrap();
    let store = DiskStore::open(dir.path().join("state")).unwrap();
    let etag = store.write_now(NAME, b"the old one", meta("old"), &When::Absent).unwrap();
    (dir, store, etag)
}

fn stopping(store: &DiskStore, after: Option<Step>, how: How) -> (DiskStore, Stop) {
    let stop = Stop::new(after, how);
    (DiskStore { stop: Some(stop.clone()), ..store.clone() }, stop)
}

fn temporaries(directory: &Path) -> usize {
    let mut found = 0;
    for entry in fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            found += temporaries(&entry.path());
        } else if entry.file_name().to_str().unwrap().starts_with(TEMPORARY) {
            found += 1;
        }
    }
    found
}

#[test]
fn a_write_takes_its_steps_in_order() {
    let (_dir, store, etag) = store();
    let (store, stop) = stopping(&store, None, How::Crash);
    store.write_now(NAME, b"new", meta("new"), &When::Matches(etag)).unwrap();
    assert_eq!(*stop.seen.lock().unwrap(), STEPS);
}

#[test]
fn a_crash_at_any_step_leaves_the_old_or_the_new_document_whole() {
    for step in STEPS {
        let (dir, store, etag) = store();
        let (crashing, _) = stopping(&store, Some(step), How::Crash);
        crashing.write_now(NAME, b"the new one", meta("new"), &When::Matches(etag)).unwrap_err();
        let root = dir.path().join("state");
        let renamed = matches!(step, Step::Renamed | Step::Settled);
        assert_eq!(temporaries(&root), usize::from(!renamed), "{step:?}");

        let again = DiskStore::open(&root).unwrap();
        assert_eq!(temporaries(&root), 0, "{step:?}");
        let document = again.read_now(NAME).unwrap().unwrap();
        let (body, fact): (&[u8], _) =
            if renamed { (b"the new one", "new") } else { (b"the old one", "old") };
        assert_eq!((document.body.as_slice(), &document.meta), (body, &meta(fact)), "{step:?}");
        let listed = again.list_now("").unwrap();
        assert_eq!((listed.len(), &listed[0].etag), (1, &document.etag), "{step:?}");
        // And it goes on from there.
        again.write_now(NAME, b"later", meta("x"), &When::Matches(document.etag)).unwrap();
    }
}

#[test]
fn a_crash_while_creating_leaves_nothing_or_all() {
    for step in STEPS {
        let dir = tempfile::tempdir().unwrap();
        let store = DiskStore::open(dir.path()).unwrap();
        let (crashing, _) = stopping(&store, Some(step), How::Crash);
        crashing.write_now("a/b", b"new", Meta::new(), &When::Absent).unwrap_err();
        let again = DiskStore::open(dir.path()).unwrap();
        let body = again.read_now("a/b").unwrap().map(|document| document.body);
        let renamed = matches!(step, Step::Renamed | Step::Settled);
        assert_eq!(body, renamed.then(|| b"new".to_vec()), "{step:?}");
    }
}

#[test]
fn an_error_before_the_rename_changes_nothing_and_one_after_it_is_unknown() {
    for step in STEPS {
        let (dir, store, etag) = store();
        let (failing, _) = stopping(&store, Some(step), How::Error(ErrorKind::StorageFull));
        let result = failing.write_now(NAME, b"new", meta("new"), &When::Matches(etag.clone()));
        match result.unwrap_err() {
            StoreError::Failed(text) => {
                assert!(!matches!(step, Step::Renamed | Step::Settled), "{step:?}");
                assert_eq!(
                    text,
                    "cannot write document `heads/Prod/key-delete`: the disk is full: make room"
                );
                assert_eq!(store.read_now(NAME).unwrap().unwrap().etag, etag);
            }
            StoreError::Unknown(text) => {
                assert!(matches!(step, Step::Renamed | Step::Settled), "{step:?}");
                assert!(text.contains("the disk is full"), "{text}");
                assert_eq!(store.read_now(NAME).unwrap().unwrap().body, b"new");
            }
            StoreError::Lost(_) => panic!("{step:?}"),
        }
        assert_eq!(temporaries(dir.path()), 0, "a failed write cleans up at once");
    }
}

#[test]
fn a_damaged_file_is_named_and_never_overwritten() {
    let whole = {
        let (_dir, store, _) = store();
        fs::read(store.path(NAME).unwrap()).unwrap()
    };
    let rotten = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        bytes
    };
    let future = String::from_utf8(whole.clone()).unwrap().replacen(":1,", ":2,", 1).into_bytes();
    let cases: [(&str, Vec<u8>); 8] = [
        ("cut short", vec![]),
        ("cut short", whole[..20].to_vec()),
        ("does not begin with a header", b"\0\0\0\0\n\0\0".to_vec()),
        ("does not begin with a header", b"{\"a\":1}\nbody".to_vec()),
        ("length", whole[..whole.len() - 1].to_vec()),
        ("content", rotten(whole.len() - 1)),
        (
            "names another document",
            String::from_utf8(whole.clone()).unwrap().replace("Prod", "Test").into_bytes(),
        ),
        ("a later version of hsmwatch", future),
    ];
    for (word, bytes) in cases {
        let (_dir, store, etag) = store();
        let path = store.path(NAME).unwrap();
        fs::write(&path, &bytes).unwrap();
        let error = store.read_now(NAME).unwrap_err().to_string();
        assert!(error.contains(word) && error.contains(NAME), "{word}: {error}");
        if word != "length" && word != "content" {
            // The header itself is bad: nothing may be decided on it.
            store.list_now("heads/").unwrap_err();
            store.write_now(NAME, b"x", Meta::new(), &When::Absent).unwrap_err();
            store.write_now(NAME, b"x", Meta::new(), &When::Matches(etag.clone())).unwrap_err();
            store.delete_now(NAME, Some(&etag)).unwrap_err();
            assert_eq!(fs::read(&path).unwrap(), bytes, "{word}");
        }
        assert_eq!(store.list_now("other/").unwrap(), vec![]);
    }
}

#[test]
fn foreign_files_are_left_alone() {
    let (dir, store, _) = store();
    let root = dir.path().join("state");
    for file in ["README", ".DS_Store", "heads/notes.txt", "UPPER@doc", "heads/+@doc"] {
        fs::write(root.join(file), b"mine").unwrap();
    }
    fs::create_dir(root.join("lost+found")).unwrap();
    let again = DiskStore::open(&root).unwrap();
    let names: Vec<_> = again.list_now("").unwrap().into_iter().map(|l| l.name).collect();
    assert_eq!(names, [NAME]);
    assert_eq!(store.list_now("heads/P").unwrap().len(), 1);
    assert!(root.join("README").exists());
}

#[test]
fn a_document_may_be_named_like_a_directory() {
    let (_dir, store, _) = store();
    for name in ["heads", "heads/Prod", "heads.doc", "HEADS"] {
        store.write_now(name, name.as_bytes(), Meta::new(), &When::Absent).unwrap();
    }
    for name in ["heads", "heads/Prod", "heads.doc", "HEADS"] {
        assert_eq!(store.read_now(name).unwrap().unwrap().body, name.as_bytes());
    }
    assert_eq!(store.read_now("Heads").unwrap(), None);
}

#[test]
fn a_directory_that_cannot_be_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, b"").unwrap();
    for path in [file.clone(), file.join("below")] {
        let error = DiskStore::open(&path).unwrap_err().to_string();
        let text = error.replace(&dir.path().display().to_string(), "DIR");
        assert!(
            text.starts_with("state store: cannot make the state directory `DIR/file"),
            "{text}"
        );
    }
}

#[cfg(unix)]
#[test]
fn only_its_user_can_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let (dir, store, _) = store();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let path = store.path(NAME).unwrap();
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    assert_eq!(mode(&dir.path().join("state")), 0o700);
}

#[test]
fn opening_does_not_wait_for_a_writer() {
    let (dir, _, _) = store();
    let root = dir.path().join("state");
    let lock = write::open_lock(&root).unwrap();
    lock.lock().unwrap();
    fs::write(root.join("@tmp-1"), b"in use").unwrap();
    DiskStore::open(&root).unwrap();
    assert_eq!(temporaries(&root), 1, "a living writer's file stays");
}

proptest::proptest! {
    #[test]
    fn every_name_has_a_path_of_its_own(a in "[A-Ca-c.@+_-]{1,4}(/[A-Ca-c.@+_-]{1,3})?", b in "[A-Ca-c.@+_-]{1,4}(/[A-Ca-c.@+_-]{1,3})?") {
        let dir = tempfile::tempdir().unwrap();
        let store = DiskStore::open(dir.path()).unwrap();
        if let (Ok(x), Ok(y)) = (store.path(&a), store.path(&b)) {
            let folded = |path: &Path| path.to_str().unwrap().to_lowercase();
            let inside = |path: &Path| path.strip_prefix(dir.path()).unwrap().components().count();
            proptest::prop_assert_eq!(a == b, folded(&x) == folded(&y));
            proptest::prop_assert_eq!(inside(&x), a.split('/').count());
        }
        let plain = !a.contains('+');
        proptest::prop_assert!(!plain || unescape(&escape(&a)).as_deref() == Some(&a));
    }
}
