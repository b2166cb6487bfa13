//! The cluster and its databases.

use std::{
    env,
    io::{BufRead as _, BufReader},
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
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
    _lifeline: Child,
}

impl Cluster {
    /// The cluster that all tests share.
    pub(crate) fn shared() -> &'static Self {
        static CLUSTER: OnceLock<Cluster> = OnceLock::new();
        CLUSTER.get_or_init(Self::start)
    }

    fn start() -> Self {
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
            .current_dir("/")
            .env("LC_ALL", "C")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell");
        let mut ready = String::new();
        BufReader::new(child.stdout.take().expect("piped"))
            .read_line(&mut ready)
            .unwrap();
        assert!(!ready.is_empty(), "PostgreSQL did not start: {:?}", child.wait());
        Self {
            port,
            socket_directory: ready.trim_end().to_owned(),
            _lifeline: child,
        }
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
    _company: Company,
}

/// Transactions of other databases count too when a snapshot says which transactions are open.
enum Company {
    Others { _together: RwLockReadGuard<'static, ()> },
    Nobody { _alone: RwLockWriteGuard<'static, ()> },
}

static COMPANY: RwLock<()> = RwLock::const_new(());

/// Makes a database and runs a script in it.
pub(crate) async fn database(script: &str) -> Database {
    let company = Company::Others {
        _together: COMPANY.read().await,
    };
    make_database(script, company).await
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
    make_database(script, company).await
}

async fn make_database(script: &str, company: Company) -> Database {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let cluster = Cluster::shared();
    let name = format!("test_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    let creator = cluster.connect("postgres").await;
    creator.batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
    let client = cluster.connect(&name).await;
    client.batch_execute(script).await.unwrap();
    Database {
        name,
        client,
        _company: company,
    }
}

impl Database {
    /// Another connection.
    pub(crate) async fn connect(&self) -> Client {
        Cluster::shared().connect(&self.name).await
    }

    pub(crate) async fn execute(&self, script: &str) {
        self.client.batch_execute(script).await.unwrap();
    }

    /// The first column of the first row.
    pub(crate) async fn number(&self, query: &str) -> i64 {
        self.client.query_one(query, &[]).await.unwrap().get(0)
    }

    /// A specification for this database with these fields too.
    pub(crate) fn spec(&self, more: Value) -> Value {
        let mut spec = json!({
            "host": "127.0.0.1",
            "port": Cluster::shared().port,
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
