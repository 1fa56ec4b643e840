//! Where a configuration comes from: a file, a blob, or the environment. Whatever is beside a blob is fetched when it is asked for,
//! and only what has changed.

use super::report::Stop;
use super::setup::{self, FILE, known};
use super::{Context, keeper::Good};
use crate::azure::remote::{Read, Remote, RemoteError, same_version};
use crate::azure::storage;
use crate::config::{
    self, Asked, BlobPlace, Blobs, Fetched, Input, Kept, Loaded, Lookup, Problems, Recorder,
    System, Wanted,
};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Blobs that are read at the same time.
const AT_ONCE: usize = 4;
/// A configuration names rule files, those name files with their queries, and that is the end.
const ROUNDS: usize = 8;

/// Where a configuration comes from.
pub(crate) enum Origin {
    /// Variables alone.
    Environment,
    /// A file of this machine.
    File(PathBuf),
    /// A blob.
    Blob(Box<Container>),
}

/// A configuration as it is now.
pub(crate) struct Version {
    /// The text of the file; empty for the environment.
    pub(crate) text: String,
    /// What it says.
    pub(crate) loaded: Result<Loaded, Problems>,
    /// What it asked for.
    pub(crate) asked: Asked,
}

impl Origin {
    /// What the command line and the environment name. Reads nothing yet.
    pub(crate) fn of(context: &Context) -> Result<Self, Stop> {
        let default = Path::new(FILE);
        let path = context.config.clone().or_else(|| default.is_file().then(|| default.to_owned()));
        let Some(path) = path else { return Ok(Self::Environment) };
        match path.to_str().and_then(BlobPlace::parse) {
            None => Ok(Self::File(path)),
            Some(place) => {
                let place = place.map_err(|problem| Stop::from(Problems(vec![problem])))?;
                Ok(Self::Blob(Box::new(Container::new(place)?)))
            }
        }
    }

    /// As the user would name it. No secrets, and no URL.
    pub(crate) fn source(&self) -> String {
        match self {
            Self::Environment => "environment".to_owned(),
            Self::File(path) => path.display().to_string(),
            // Not the URL: none stands in logs and alerts, so that nobody need ask which of them hold secrets.
            Self::Blob(container) => {
                let account = storage::account(&container.place.account_url);
                format!("{} of account {account}", container.place.file())
            }
        }
    }

    /// Its address, if it is a blob.
    pub(crate) fn address(&self) -> Option<String> {
        match self {
            Self::Environment | Self::File(_) => None,
            Self::Blob(container) => Some(container.place.to_string()),
        }
    }

    /// What relative paths and variables mean.
    pub(crate) fn lookup(&self) -> System {
        match self {
            Self::File(path) => System::beside(path),
            Self::Environment | Self::Blob(_) => System::here(),
        }
    }

    /// Looks for what is new of all that the configuration asked for when it was last read. An error: it cannot be read at
    /// all now.
    pub(crate) async fn refresh(&mut self) -> Result<(), String> {
        match self {
            Self::Environment | Self::File(_) => Ok(()),
            Self::Blob(container) => container.refresh().await.map_err(|why| {
                format!("the configuration `{}` cannot be read: {why}", container.place.file())
            }),
        }
    }

    /// Whether a version that was read before is still what there is, as of the last refresh.
    pub(crate) fn is_still(&self, text: &str, asked: &Asked) -> bool {
        match self {
            Self::Environment => true,
            Self::File(path) => {
                self.text().is_ok_and(|now| now == text) && asked.still(&System::beside(path))
            }
            Self::Blob(container) => {
                container.text == text
                    && asked.still(&Fetched::new(
                        &container.place,
                        &container.blobs,
                        &self.lookup(),
                    ))
            }
        }
    }

    /// Reads the configuration as of the last refresh. An error: something it asks for cannot be fetched now.
    pub(crate) async fn read(&mut self) -> Result<Version, String> {
        let text = self.text()?;
        let (loaded, asked) = self.load(&text, None).await?;
        Ok(Version { text, loaded, asked })
    }

    /// Reads a version that was kept, with the secrets of now.
    pub(crate) async fn read_kept(&mut self, good: &Good) -> Result<Loaded, String> {
        let (loaded, _) = self.load(&good.text, Some(good)).await?;
        loaded.map_err(|problems| Stop::from(problems).sentence())
    }

    /// Where a text of this configuration says that state lives, if it does so clearly.
    pub(crate) fn state(&self, text: &str) -> Option<config::State> {
        let machine = self.lookup();
        match self {
            Self::Environment => None,
            Self::File(path) => {
                config::state(Input::File { name: &path.display().to_string(), text }, &machine)
            }
            Self::Blob(container) => {
                let world = Fetched::new(&container.place, &container.blobs, &machine);
                config::state(Input::File { name: &container.place.file(), text }, &world)
            }
        }
    }

    /// The text of the file.
    pub(crate) fn text(&self) -> Result<String, String> {
        match self {
            Self::Environment => Ok(String::new()),
            Self::File(path) => System::here().read(path).map_err(|why| {
                format!("the configuration `{}` cannot be read: {why}", path.display())
            }),
            Self::Blob(container) => Ok(container.text.clone()),
        }
    }

    /// Reads a text and fetches what it asks for, until nothing is missing.
    async fn load(
        &mut self,
        text: &str,
        good: Option<&Good>,
    ) -> Result<(Result<Loaded, Problems>, Asked), String> {
        let machine = self.lookup();
        let container = match self {
            Self::Environment => {
                return Ok((
                    config::load(Input::Environment, &known(), &machine),
                    Asked::default(),
                ));
            }
            Self::File(path) => {
                return Ok(recorded(&path.display().to_string(), text, good, &machine));
            }
            Self::Blob(container) => container,
        };
        let name = container.place.file();
        for _ in 0..ROUNDS {
            let (loaded, asked, wanted, missing) = {
                let world = Fetched::new(&container.place, &container.blobs, &machine);
                let (loaded, asked) = recorded(&name, text, good, &world);
                (loaded, asked, world.asked(), world.missing())
            };
            if missing.is_empty() {
                container.keep_only(wanted);
                return Ok((loaded, asked));
            }
            container.fetch(missing).await.map_err(|why| {
                format!("what is beside the configuration `{name}` cannot be read: {why}")
            })?;
        }
        Err(format!("the configuration `{name}` asks for more and more files"))
    }
}

/// Reads a text in a world; a version that was kept in its own.
fn recorded(
    name: &str,
    text: &str,
    good: Option<&Good>,
    world: &dyn Lookup,
) -> (Result<Loaded, Problems>, Asked) {
    let kept = good.map(|good| Kept { files: &good.files, patterns: &good.patterns, world });
    let recorder = match &kept {
        Some(kept) => Recorder::new(kept),
        None => Recorder::new(world),
    };
    let loaded = config::load(Input::File { name, text }, &known(), &recorder);
    (loaded, recorder.asked())
}

/// A container with a configuration in it, as far as it was fetched.
pub(crate) struct Container {
    place: BlobPlace,
    remote: Remote,
    text: String,
    /// Of the configuration; empty: not read yet.
    etag: String,
    blobs: Blobs,
    /// Of the blobs beside it.
    etags: BTreeMap<String, String>,
    /// What the configuration asked for when it was last read.
    wanted: Wanted,
}

impl Container {
    fn new(place: BlobPlace) -> Result<Self, Stop> {
        let made = setup::container(&place.account_url, &place.container)?;
        let remote =
            made.map_err(|e| Stop::usage(format!("the configuration `{}`: {e}", place.file())))?;
        Ok(Self {
            place,
            remote,
            text: String::new(),
            etag: String::new(),
            blobs: Blobs::default(),
            etags: BTreeMap::new(),
            wanted: Wanted::default(),
        })
    }

    /// The version of a file as of the last refresh, if it is a blob.
    pub(crate) fn etag(&self, path: Option<&Path>) -> Option<&str> {
        let Some(path) = path else { return Some(&self.etag) };
        let name = path.strip_prefix(&self.place.container).ok()?.to_str()?;
        self.etags.get(name).map(String::as_str)
    }

    async fn refresh(&mut self) -> Result<(), String> {
        let known = Some(self.etag.as_str()).filter(|etag| !etag.is_empty());
        match self.remote.read(&self.place.name, known).await {
            Ok(Read::Unchanged) => {}
            Ok(Read::Text { text, etag }) => {
                self.text = text;
                self.etag = etag;
            }
            // What was read before is void, and must not be taken for unchanged if it comes back.
            Err(error) => {
                self.etag.clear();
                return Err(match error {
                    RemoteError::Missing => format!(
                        "there is no such blob in account `{}`",
                        storage::account(&self.place.account_url)
                    ),
                    error => error.to_string(),
                });
            }
        }
        self.fetch(self.wanted.clone()).await.map_err(|error| error.to_string())
    }

    /// Fetches what is wanted, unless it is there and unchanged.
    async fn fetch(&mut self, wanted: Wanted) -> Result<(), RemoteError> {
        // What is held must be looked at again the next time, also if this reading comes to no end.
        self.wanted.files.extend(wanted.files.iter().cloned());
        self.wanted.prefixes.extend(wanted.prefixes.iter().cloned());
        let mut listed: BTreeMap<String, String> = BTreeMap::new();
        for prefix in wanted.prefixes {
            let names = match self.remote.list(&prefix).await {
                Ok(found) => {
                    let names = found.keys().cloned().collect();
                    listed.extend(found);
                    Ok(names)
                }
                Err(RemoteError::Unusable(why)) => Err(why),
                Err(error) => return Err(error),
            };
            self.blobs.listings.insert(prefix, names);
        }
        let unchanged = |name: &String| match (listed.get(name), self.etags.get(name)) {
            (Some(listed), Some(etag)) => same_version(listed, etag),
            _ => false,
        };
        let wanted: BTreeSet<String> =
            wanted.files.into_iter().filter(|name| !unchanged(name)).collect();
        let (remote, etags) = (&self.remote, &self.etags);
        let read: Vec<(String, Result<Read, RemoteError>)> = stream::iter(wanted)
            .map(|name| async {
                let read = remote.read(&name, etags.get(&name).map(String::as_str)).await;
                match read {
                    Err(RemoteError::Container(why)) => Err(RemoteError::Container(why)),
                    read => Ok((name, read)),
                }
            })
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await?;
        for (name, read) in read {
            let text = match read {
                Ok(Read::Unchanged) => continue,
                Ok(Read::Text { text, etag }) => {
                    self.etags.insert(name.clone(), etag);
                    Ok(text)
                }
                Err(error) => {
                    self.etags.remove(&name);
                    Err(error.to_string())
                }
            };
            self.blobs.files.insert(name, text);
        }
        Ok(())
    }

    /// Forgets what is not asked for any more.
    fn keep_only(&mut self, wanted: Wanted) {
        self.blobs.files.retain(|name, _| wanted.files.contains(name));
        self.etags.retain(|name, _| wanted.files.contains(name));
        self.blobs.listings.retain(|prefix, _| wanted.prefixes.contains(prefix));
        self.wanted = wanted;
    }
}
