//! `up` as its user meets it: the printed commands are run as printed, and it is stopped, killed and started again.
//! Needs the services beside it in the target folder; `./dev/test` builds them.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{ExitStatus, Output, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use test_support::wait_until;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::{Child, ChildStdout, Command};

/// Longer than `up` itself waits for anything, so that it can say what it waited for.
const PATIENCE: Duration = Duration::from_secs(90);

/// A home that Postgres' user can reach, and two ports that stay the same over several starts.
struct Place {
    home: TempDir,
    ports: [u16; 2],
}

struct Up {
    process: Child,
    output: BufReader<ChildStdout>,
    printed: Vec<String>,
}

impl Place {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        std::fs::set_permissions(home.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let listeners = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        Self {
            home,
            ports: listeners.map(|listener| listener.local_addr().unwrap().port()),
        }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_up"));
        command
            .arg("--home")
            .arg(self.home.path())
            .env("LINE_PROVIDER_LISTEN", format!("127.0.0.1:{}", self.ports[0]))
            .env("BET_MAKER_LISTEN", format!("127.0.0.1:{}", self.ports[1]))
            .env_remove("BET_MAKER_DATABASE_URL")
            .kill_on_drop(true);
        command
    }

    /// Starts it and reads what it prints until it is ready.
    async fn start(&self) -> Up {
        let mut process = self.command().stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        let mut up = Up {
            process,
            output,
            printed: Vec::new(),
        };
        let ready = tokio::time::timeout(PATIENCE, up.read_until_ready()).await;
        assert!(ready.is_ok(), "it is not ready: {:#?}", up.printed);
        up
    }
}

impl Up {
    async fn read_until_ready(&mut self) {
        while !self
            .printed
            .last()
            .is_some_and(|line| line.starts_with("Ctrl-C stops everything"))
        {
            let mut line = String::new();
            let length = self.output.read_line(&mut line).await.unwrap();
            assert_ne!(length, 0, "it ended: {:#?}", self.printed);
            self.printed.push(line.trim_end().to_owned());
        }
    }

    fn pid(&self) -> u32 {
        self.process.id().unwrap()
    }

    fn commands(&self) -> Vec<String> {
        self.printed
            .iter()
            .filter(|line| line.starts_with("curl "))
            .cloned()
            .collect()
    }

    fn pid_of(&self, service: &str) -> u32 {
        let start = format!("started {service} (process ");
        let line = self
            .printed
            .iter()
            .find_map(|line| line.strip_prefix(&start))
            .unwrap();
        line.trim_end_matches(')').parse().unwrap()
    }

    /// Waits for its end; with what it printed meanwhile.
    async fn finish(mut self) -> (ExitStatus, String) {
        let mut rest = String::new();
        let status = tokio::time::timeout(PATIENCE, async {
            self.output.read_to_string(&mut rest).await.unwrap();
            self.process.wait().await.unwrap()
        })
        .await;
        (status.unwrap_or_else(|_| panic!("it does not end: {rest}")), rest)
    }
}

async fn output_of(command: &mut Command) -> Output {
    match tokio::time::timeout(PATIENCE, command.kill_on_drop(true).output()).await {
        Ok(output) => output.unwrap(),
        Err(_) => panic!("it does not end: {command:?}"),
    }
}

async fn shell(command: &str) -> String {
    let output = output_of(Command::new("sh").args(["-c", command])).await;
    assert!(
        output.status.success(),
        "{command}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

async fn signal(name: &str, pid: u32) {
    shell(&format!("kill -s {name} {pid}")).await;
}

fn is_running(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

#[actix_rt::test]
async fn the_printed_commands_settle_a_bet_and_the_next_start_finds_it() {
    let place = Place::new();
    let up = place.start().await;
    let commands = up.commands();
    assert_eq!(commands.len(), 5);

    assert!(shell(&commands[0]).await.contains("\"unfinished\""));
    wait_until("bet-maker knows the event", PATIENCE, async || {
        shell(&commands[1]).await.contains("demo-").then_some(())
    })
    .await;
    assert!(shell(&commands[2]).await.contains("\"18.50\""));
    assert!(shell(&commands[3]).await.contains("\"first_team_won\""));
    wait_until("the bet is won", PATIENCE, async || {
        shell(&commands[4]).await.contains("\"won\"").then_some(())
    })
    .await;

    let pids = [up.pid_of("line-provider"), up.pid_of("bet-maker")];
    signal("TERM", up.pid()).await;
    let (status, rest) = up.finish().await;
    assert!(status.success(), "{rest}");
    let stopped: Vec<_> = rest
        .lines()
        .filter_map(|line| line.strip_prefix("stopping "))
        .collect();
    assert_eq!(stopped, ["bet-maker", "line-provider", "Postgres"]);
    assert!(!pids.into_iter().any(is_running));
    assert!(!place.home.path().join("postgres/data/postmaster.pid").exists());

    let up = place.start().await;
    assert!(shell(&commands[4]).await.contains("\"won\""));
    signal("INT", up.pid()).await;
    assert!(up.finish().await.0.success());
}

#[actix_rt::test]
async fn a_service_that_dies_is_named_and_everything_stops() {
    let place = Place::new();
    let up = place.start().await;
    let bet_maker = up.pid_of("bet-maker");
    signal("KILL", up.pid_of("line-provider")).await;
    let (status, rest) = up.finish().await;
    assert_eq!(status.code(), Some(1), "{rest}");
    assert!(!is_running(bet_maker));
    assert!(!place.home.path().join("postgres/data/postmaster.pid").exists());
}

#[actix_rt::test]
async fn a_killed_up_takes_everything_with_it_and_a_second_one_meanwhile_is_refused() {
    let place = Place::new();
    let up = place.start().await;
    let second = output_of(&mut place.command()).await;
    assert_eq!(second.status.code(), Some(1));
    let refusal = String::from_utf8(second.stderr).unwrap();
    assert!(
        refusal.contains(&format!("runs already (process {})", up.pid())),
        "{refusal}"
    );

    let pids = [up.pid_of("line-provider"), up.pid_of("bet-maker")];
    signal("KILL", up.pid()).await;
    up.finish().await;
    let pid_file = place.home.path().join("postgres/data/postmaster.pid");
    wait_until("everything is gone", PATIENCE, async || {
        (!pids.into_iter().any(is_running) && !pid_file.exists()).then_some(())
    })
    .await;
}

#[actix_rt::test]
async fn a_taken_port_is_named_with_the_variable_to_change() {
    let place = Place::new();
    let holder = TcpListener::bind(("127.0.0.1", place.ports[1])).unwrap();
    let output = output_of(&mut place.command()).await;
    drop(holder);
    assert_eq!(output.status.code(), Some(1));
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.contains(&format!("port {}", place.ports[1])), "{message}");
    assert!(message.contains("BET_MAKER_LISTEN=127.0.0.1:"), "{message}");
}
