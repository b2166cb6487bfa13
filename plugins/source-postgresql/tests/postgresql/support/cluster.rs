//! The cluster and its databases.

use std::{
    env,
    io::{BufRead as _, BufReader, Write as _},
    net::TcpListener,
    path::PathBuf,
    process::{Child, ChildStdout, Command, Stdio},
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use serde_json::{Map, Value, json};
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};
use tokio_postgres::{Client, NoTls};

use super::certificates;

/// The cluster's first user.
pub(crate) const USER: &str = "longshore";
/// Its password.
pub(crate) const PASSWORD: &str = "secret";

/// A running server. It ends when this process does, however that happens: its standard input is a pipe from here.
pub(crate) struct Cluster {
    pub(crate) port: u16,
    pub(crate) socket_directory: String,
    shell: Mutex<Shell>,
}

/// The shell that runs the server: obeys commands, a line each.
struct Shell {
    child: Child,
    answers: BufReader<ChildStdout>,
}

impl Cluster {
    /// The cluster that all tests share.
    pub(crate) fn shared() -> &'static Arc<Self> {
        static CLUSTER: OnceLock<Arc<Cluster>> = OnceLock::new();
        CLUSTER.get_or_init(Self::primary)
    }

    /// A cluster of a test's own, to be stopped, restored and followed.
    pub(crate) fn primary() -> Arc<Self> {
        Self::make(None)
    }

    /// A standby that follows this cluster from now on.
    pub(crate) fn standby(&self) -> Arc<Self> {
        Self::make(Some(self.port))
    }

    fn make(primary: Option<u16>) -> Arc<Self> {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = if rustix::process::geteuid().is_root() {
            // PostgreSQL refuses to run as root.
            let mut command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "sh"]);
            command
        } else {
            Command::new("sh")
        };
        let mut child = command
            .args(["-c", include_str!("cluster.sh"), "cluster"])
            .arg(programs())
            .arg(port.to_string())
            .arg(certificates().directory())
            .args(primary.map(|port| port.to_string()))
            .current_dir("/")
            .env("LC_ALL", "C")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell");
        let mut answers = BufReader::new(child.stdout.take().expect("piped"));
        let mut ready = String::new();
        answers.read_line(&mut ready).unwrap();
        assert!(!ready.is_empty(), "PostgreSQL did not start: {:?}", child.wait());
        Arc::new(Self {
            port,
            socket_directory: ready.trim_end().to_owned(),
            shell: Mutex::new(Shell { child, answers }),
        })
    }

    /// Has one of the commands of `cluster.sh` obeyed.
    pub(crate) fn obey(&self, command: &str) {
        let mut shell = self.shell.lock().unwrap();
        writeln!(shell.child.stdin.as_mut().expect("piped"), "{command}").unwrap();
        let mut answer = String::new();
        shell.answers.read_line(&mut answer).unwrap();
        assert_eq!(answer.trim_end(), "ok", "{command}");
    }

    pub(crate) async fn connect(&self, database: &str) -> Client {
        let parameters = format!(
            "host=127.0.0.1 port={} user={USER} password={PASSWORD} dbname={database}",
            self.port
        );
        let (client, connection) = tokio_postgres::connect(&parameters, NoTls).await.unwrap();
        // Ends with the client, at the latest with the test's runtime.
        tokio::spawn(connection);
        client
    }
}

/// Where the server's programs are: as told, in the path, or where distributions put them.
fn programs() -> PathBuf {
    let told = env::var_os("LONGSHORE_POSTGRESQL_BIN").map(PathBuf::from);
    let in_path = env::split_paths(&env::var_os("PATH").unwrap_or_default()).collect::<Vec<_>>();
    let configured = Command::new("pg_config").arg("--bindir").output().ok();
    let configured = configured.map(|output| PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
    let debian = (12..=19)
        .rev()
        .map(|version| PathBuf::from(format!("/usr/lib/postgresql/{version}/bin")));
    let mut places = told.into_iter().chain(in_path).chain(configured).chain(debian);
    let complete = |place: &PathBuf| {
        ["initdb", "postgres", "pg_isready"]
            .iter()
            .all(|program| place.join(program).exists())
    };
    places
        .find(complete)
        .expect("PostgreSQL's server programs (Debian: postgresql)")
}

/// A database of a test's own.
pub(crate) struct Database {
    pub(crate) name: String,
    pub(crate) client: Client,
    pub(crate) cluster: Arc<Cluster>,
    _company: Company,
}

/// Transactions of other databases count too when a snapshot says which transactions are open.
enum Company {
    /// The cluster is the test's own.
    None,
    Others {
        _together: RwLockReadGuard<'static, ()>,
    },
    Nobody {
        _alone: RwLockWriteGuard<'static, ()>,
    },
}

static COMPANY: RwLock<()> = RwLock::const_new(());

/// Makes a database and runs a script in it.
pub(crate) async fn database(script: &str) -> Database {
    let company = Company::Others {
        _together: COMPANY.read().await,
    };
    Database::make(Arc::clone(Cluster::shared()), script, company).await
}

/// Makes a database while no other test uses the cluster: for tests that count on no transaction being open.
pub(crate) async fn quiet_database(script: &str) -> Database {
    let company = Company::Nobody {
        _alone: COMPANY.write().await,
    };
    let observer = Cluster::shared().connect("postgres").await;
    // Sessions of a test that has just ended may still be on their way out.
    let quiet = async {
        let open = "SELECT count(*) FROM pg_stat_activity WHERE backend_xid IS NOT NULL";
        while observer.query_one(open, &[]).await.unwrap().get::<_, i64>(0) > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), quiet)
        .await
        .expect("other tests' transactions end");
    Database::make(Arc::clone(Cluster::shared()), script, company).await
}

impl Database {
    async fn make(cluster: Arc<Cluster>, script: &str, company: Company) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let creator = cluster.connect("postgres").await;
        creator.batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
        let client = cluster.connect(&name).await;
        client.batch_execute(script).await.unwrap();
        Self {
            name,
            client,
            cluster,
            _company: company,
        }
    }

    /// Makes a database in a cluster of the test's own.
    pub(crate) async fn in_cluster(cluster: &Arc<Cluster>, script: &str) -> Self {
        Self::make(Arc::clone(cluster), script, Company::None).await
    }

    /// The same database after its server was started again, or as another server has it.
    pub(crate) async fn at(&self, cluster: &Arc<Cluster>) -> Self {
        Self {
            name: self.name.clone(),
            client: cluster.connect(&self.name).await,
            cluster: Arc::clone(cluster),
            _company: Company::None,
        }
    }

    /// Another connection.
    pub(crate) async fn connect(&self) -> Client {
        self.cluster.connect(&self.name).await
    }

    pub(crate) async fn execute(&self, script: &str) {
        self.client.batch_execute(script).await.unwrap();
    }

    /// Asks until the answer is true, for as long as a slow machine may need.
    pub(crate) async fn until(&self, query: &str) {
        let asking = async {
            while !self
                .client
                .query_one(query, &[])
                .await
                .unwrap()
                .get::<_, Option<bool>>(0)
                .unwrap_or(false)
            {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), asking)
            .await
            .unwrap_or_else(|_| panic!("never true: {query}"));
    }

    /// Waits until this standby shows what its primary has written.
    pub(crate) async fn caught_up_with(&self, primary: &Self) {
        let row = primary.client.query_one("SELECT pg_current_wal_lsn()::text", &[]).await;
        let written: String = row.unwrap().get(0);
        self.until(&format!("SELECT pg_last_wal_replay_lsn() >= '{written}'::pg_lsn"))
            .await;
    }

    /// The first column of the first row.
    pub(crate) async fn number(&self, query: &str) -> i64 {
        self.client.query_one(query, &[]).await.unwrap().get(0)
    }

    /// A specification for this database with these fields too.
    pub(crate) fn spec(&self, more: Value) -> Value {
        let mut spec = json!({
            "host": "127.0.0.1",
            "port": self.cluster.port,
            "database": self.name,
            "username": USER,
            "password": PASSWORD,
            "sslmode": "disable",
        });
        let Value::Object(more) = more else { panic!("an object") };
        let fields: &mut Map<String, Value> = spec.as_object_mut().unwrap();
        fields.extend(more);
        spec
    }
}
