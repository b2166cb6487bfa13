//! A daemon within this process, over a real store: what its handle answers and tells, and what it finds of one that died. Its syncs name a plugin that does
//! not exist, so that each run fails at once and for good; what runs do is tested with real plugins in `tests/tests/e2e/daemon`.

mod alerts;
mod handle;
mod recovery;

use std::{path::Path, sync::Arc, time::Duration};

use longshore_config::{Loader, Secrets};
use longshore_state::{Holder, StateStore, sqlite::SqliteStore};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{Options, Surroundings, clock::Clock, control::ControlSocket, handle::DaemonHandle, hold, start};
use crate::{failure::Failure, observe::Observation, plugin_host::PluginHost};

/// Bound of every wait.
const PATIENCE: Duration = Duration::from_secs(30);

/// A daemon that serves until the value is dropped.
struct Serving {
    folder: TempDir,
    handle: DaemonHandle,
    observation: Observation,
    cancel: CancellationToken,
    daemon: JoinHandle<Result<(), Failure>>,
    _control: ControlSocket,
}

impl Serving {
    /// A daemon with the sync `a`, which is due at the beginning of each year.
    async fn start() -> Self {
        Self::start_with("").await
    }

    /// The same with more options of the sync.
    async fn start_with(more: &str) -> Self {
        Self::start_of(&["a"], more).await
    }

    /// The same with several syncs.
    async fn start_of(syncs: &[&str], more: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let text = configuration(syncs).replace("registry: local, tables", &format!("registry: local, {more} tables"));
        write(folder.path(), &text);
        let path = folder.path().join("longshore.yml");
        let secrets = Secrets::new();
        let loaded = Loader::new().with_secrets(secrets.clone()).load(&[&path]).unwrap();
        let cancel = CancellationToken::new();
        let options = Options {
            paths: vec![path],
            drain_timeout: Duration::from_secs(2),
            clock: Clock::default(),
        };
        let store = SqliteStore::open(&folder.path().join("state.db")).await.unwrap();
        let store: Arc<dyn StateStore> = Arc::new(store);
        let held = hold(&store, Holder::current("test"), &cancel).await.unwrap();
        let observation = Observation::default();
        let around = Surroundings {
            host: PluginHost::new(secrets.clone(), "/nowhere".into(), "test".to_owned()).unwrap(),
            store,
            held,
            secrets,
            holder: Holder::current("test"),
            observation: observation.clone(),
            metrics_http: None,
            cancel: cancel.clone(),
        };
        // The state's location decides where the socket is.
        let mut loaded = loaded;
        loaded.settings.state = format!("sqlite:{}", folder.path().join("state.db").display())
            .parse()
            .unwrap();
        let started = start(loaded, options, around).await.unwrap();
        Self {
            folder,
            handle: started.handle,
            observation,
            cancel,
            daemon: tokio::spawn(started.daemon.run()),
            _control: started.control,
        }
    }

    fn store(&self) -> Arc<dyn StateStore> {
        self.handle.store()
    }

    fn reconfigure(&self, syncs: &[&str]) {
        write(self.folder.path(), &configuration(syncs));
    }

    /// Tells it to end, and waits until it has.
    async fn end(&mut self) {
        self.cancel.cancel();
        let ended = tokio::time::timeout(PATIENCE, &mut self.daemon).await;
        ended.expect("it ends").unwrap().unwrap();
    }
}

fn write(folder: &Path, text: &str) {
    let state = folder.join("state.db");
    let settings = format!("kind: settings\nspec: {{ state: 'sqlite:{}' }}\n", state.display());
    std::fs::write(folder.join("longshore.yml"), format!("{text}{settings}")).unwrap();
}

fn configuration(syncs: &[&str]) -> String {
    let source = |name: &&str| {
        format!(
            "kind: source\nspec: {{ name: {name}, path: ./missing, registry: local, tables: [t], destinations: [out], schedule: '0 0 1 1 *' }}\n---\n"
        )
    };
    let sources: String = syncs.iter().map(source).collect();
    format!("{sources}kind: destination\nspec: {{ name: out, path: ./missing, registry: local }}\n---\n")
}
