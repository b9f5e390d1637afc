//! The launcher, the databases and the client against the real thing: Postgres from this machine, real processes,
//! real SIGKILLs.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use test_support::{Client, Postgres, TEST_POSTGRES_URL, TestDatabase, poll_until, wait_until};
use tokio_postgres::NoTls;

const PATIENCE: Duration = Duration::from_secs(30);
async fn query(url: &str, sql: &str) -> String {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    let mut answer = String::new();
    for message in client.simple_query(sql).await.unwrap() {
        if let tokio_postgres::SimpleQueryMessage::Row(row) = message {
            answer = row.get(0).unwrap_or_default().to_owned();
        }
    }
    answer
}

fn is_alive(pid: u32) -> bool {
    // A zombie has ended: only nobody has asked yet.
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

/// A process that launches a server and holds it until it is killed; with the postmaster's id and the URL.
fn start_launcher(kept: Option<&str>) -> (Child, u32, String) {
    let mut launcher = Command::new(env!("CARGO_BIN_EXE_with-postgres"))
        .args(kept.iter().flat_map(|folder| ["--keep", folder]))
        .args(["sh", "-c", &format!(r#"echo "${TEST_POSTGRES_URL}"; read -r _"#)])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let url = BufReader::new(launcher.stdout.take().unwrap())
        .lines()
        .next()
        .unwrap()
        .unwrap();
    let data = Path::new(kept.unwrap_or(&socket_folder(&url))).join("data");
    let status = std::fs::read_to_string(data.join("postmaster.pid")).unwrap();
    (launcher, status.lines().next().unwrap().parse().unwrap(), url)
}

fn socket_folder(url: &str) -> String {
    url.split_once('@')
        .unwrap()
        .1
        .split_once(':')
        .unwrap()
        .0
        .replace("%2F", "/")
}

#[actix_rt::test]
async fn a_temporary_server_runs_without_root_and_leaves_nothing_behind() {
    let mut postgres = Postgres::builder().start().unwrap();
    let url = postgres.url("postgres");
    let pid = postgres.pid().unwrap();
    assert_eq!(query(&url, "show fsync").await, "off");
    assert_eq!(query(&url, "show listen_addresses").await, "");
    assert_ne!(std::fs::metadata(format!("/proc/{pid}")).unwrap().uid(), 0);
    let folder = socket_folder(&url);
    assert_eq!(std::fs::metadata(&folder).unwrap().mode() & 0o777, 0o700);
    postgres.stop();
    assert!(!is_alive(pid));
    drop(postgres);
    assert!(!Path::new(&folder).exists());
}

#[actix_rt::test]
async fn a_server_listens_on_tcp_only_when_asked() {
    let postgres = Postgres::builder()
        .port(0)
        .setting("work_mem", "5MB")
        .start()
        .unwrap();
    assert_eq!(query(&postgres.tcp_url("postgres"), "show work_mem").await, "5MB");
    assert_eq!(query(&postgres.url("postgres"), "select 1").await, "1");
}

#[actix_rt::test]
async fn a_temporary_server_dies_and_is_removed_when_its_launcher_is_killed() {
    let (mut launcher, pid, url) = start_launcher(None);
    assert_eq!(query(&url, "select 1").await, "1");
    launcher.kill().unwrap();
    launcher.wait().unwrap();
    let folder = socket_folder(&url);
    wait_until("the server is gone", PATIENCE, async || {
        (!is_alive(pid)).then_some(())
    })
    .await;
    wait_until("its folder is gone", PATIENCE, async || {
        (!Path::new(&folder).exists()).then_some(())
    })
    .await;
}

#[actix_rt::test]
async fn a_kept_folder_has_its_data_after_its_launcher_was_killed() {
    let home = tempfile::tempdir().unwrap();
    let kept = open_folder(home.path());
    let (mut launcher, pid, url) = start_launcher(Some(&kept));
    assert_eq!(query(&url, "show fsync").await, "on");
    query(&url, "create table t as select 42 as answer").await;
    launcher.kill().unwrap();
    launcher.wait().unwrap();
    // At once, while the old server may still be writing its last checkpoint.
    let postgres = Postgres::builder().data_dir(&kept).durable().start().unwrap();
    assert!(!is_alive(pid));
    assert_eq!(
        query(&postgres.url("postgres"), "select answer from t").await,
        "42"
    );
}

#[actix_rt::test]
async fn a_killed_server_restarts_with_every_commit_and_the_same_url() {
    let mut postgres = Postgres::builder().durable().start().unwrap();
    let url = postgres.url("postgres");
    query(&url, "create table t as select 7 as answer").await;
    postgres.kill9();
    assert_eq!(postgres.pid(), None);
    postgres.restart().unwrap();
    assert_eq!(query(&url, "select answer from t").await, "7");
}

#[actix_rt::test]
async fn a_server_that_is_told_to_end_takes_no_new_session_and_waits_for_those_that_are_there() {
    let mut postgres = Postgres::builder().start().unwrap();
    let url = postgres.url("postgres");
    let (session, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
    tokio::spawn(connection);
    let ending = std::thread::spawn(move || {
        postgres.terminate(4 * PATIENCE);
        postgres
    });
    wait_until("new sessions are refused", PATIENCE, async || {
        tokio_postgres::connect(&url, NoTls).await.err()
    })
    .await;
    session.simple_query("select 1").await.unwrap();
    drop(session);
    let mut postgres = tokio::task::spawn_blocking(|| ending.join().unwrap())
        .await
        .unwrap();
    postgres.restart().unwrap();
    assert_eq!(query(&url, "select 42").await, "42");
}

#[actix_rt::test]
async fn a_server_that_does_not_end_in_its_grace_is_killed() {
    let mut postgres = Postgres::builder().start().unwrap();
    let (session, connection) = tokio_postgres::connect(&postgres.url("postgres"), NoTls)
        .await
        .unwrap();
    tokio::spawn(connection);
    postgres.terminate(Duration::from_millis(100));
    assert_eq!(postgres.pid(), None);
    wait_until("it is over for the session too", PATIENCE, async || {
        session.simple_query("select 1").await.err()
    })
    .await;
}

#[test]
fn a_folder_that_another_server_holds_is_refused_by_name() {
    let home = tempfile::tempdir().unwrap();
    let kept = open_folder(home.path());
    let _first = Postgres::builder().data_dir(&kept).start().unwrap();
    let refusal = format!("{:#}", Postgres::builder().data_dir(&kept).start().unwrap_err());
    assert!(
        refusal.contains("is held by another process") && refusal.contains(&kept),
        "{refusal}"
    );
}

#[test]
fn a_server_that_cannot_start_says_why() {
    let refusal = Postgres::builder()
        .setting("no_such_setting", "1")
        .start()
        .unwrap_err();
    assert!(format!("{refusal:#}").contains("no_such_setting"), "{refusal:#}");
}

#[actix_rt::test]
async fn two_databases_of_one_template_are_isolated_and_migrated_once() {
    let migrate = async |url: String| {
        // Fails when it runs twice on one database.
        query(&url, "create table t (a int)").await;
        anyhow::Ok(())
    };
    let one = TestDatabase::create("test_support_isolated", migrate).await;
    let two = TestDatabase::create("test_support_isolated", migrate).await;
    assert_ne!(one.name(), two.name());
    query(one.url(), "insert into t values (1)").await;
    assert_eq!(query(one.url(), "select count(*) from t").await, "1");
    assert_eq!(query(two.url(), "select count(*) from t").await, "0");
    // Dropped although somebody is connected.
    let held = one.connect().await;
    let dropped = one.name().to_owned();
    drop(one);
    let left = query(
        two.url(),
        &format!("select count(*) from pg_database where datname = '{dropped}'"),
    )
    .await;
    assert_eq!(left, "0");
    assert!(held.simple_query("select 1").await.is_err());
}

#[test]
fn many_threads_build_one_template_once() {
    let threads: Vec<_> = (0..8)
        .map(|_| {
            std::thread::spawn(|| {
                actix_rt::System::new().block_on(async {
                    let database = TestDatabase::create("test_support_racing", async |url: String| {
                        query(&url, "create table t (a int); insert into t values (1)").await;
                        anyhow::Ok(())
                    })
                    .await;
                    query(database.url(), "select count(*) from t").await
                })
            })
        })
        .collect();
    for thread in threads {
        assert_eq!(thread.join().unwrap(), "1");
    }
}

#[test]
fn with_postgres_passes_on_the_url_and_the_exit_code() {
    let script = format!(r#"echo "[${TEST_POSTGRES_URL}]"; exit 7"#);
    let output = Command::new(env!("CARGO_BIN_EXE_with-postgres"))
        .args(["sh", "-c", &script])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(7));
    let url = String::from_utf8(output.stdout).unwrap();
    assert!(url.starts_with("[postgres://postgres@"), "{url}");
    assert!(!Path::new(&socket_folder(&url)).exists());
}

#[actix_rt::test]
async fn the_client_reads_whole_answers_and_waiting_ends() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        use std::io::Write as _;
        let (mut stream, _) = listener.accept().unwrap();
        let head: Vec<String> = BufReader::new(stream.try_clone().unwrap())
            .lines()
            .map_while(Result::ok)
            .take_while(|line| !line.is_empty())
            .map(|line| line.to_lowercase())
            .collect();
        stream
            .write_all(b"HTTP/1.1 409 Conflict\r\nx-a: b\r\ncontent-length: 8\r\n\r\n{\"a\": 1}")
            .unwrap();
        head
    });
    let client = Client::new(&format!("http://{address}")).with_bearer("secret");
    let answer = client.get("/x?y=1").await;
    assert_eq!((answer.status, answer.header("x-a")), (409, Some("b")));
    assert_eq!(answer.json(), serde_json::json!({"a": 1}));
    let head = server.join().unwrap();
    assert_eq!(head.first().unwrap(), "get /x?y=1 http/1.1");
    assert!(
        head.contains(&"authorization: bearer secret".to_owned()),
        "{head:?}"
    );

    let mut asked = 0;
    let answer = poll_until(PATIENCE, async || {
        asked += 1;
        (asked == 3).then_some(asked)
    });
    assert_eq!(answer.await.unwrap(), 3);
    assert!(
        poll_until(Duration::from_millis(20), async || None::<()>)
            .await
            .is_err()
    );
}

/// A folder inside a temporary one that every user may pass through.
fn open_folder(home: &Path) -> String {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(home, std::fs::Permissions::from_mode(0o755)).unwrap();
    home.join("kept").to_str().unwrap().to_owned()
}
