//! More clients than the process may open files: those that found a place are served, the others wait, and all is well
//! again when places are free. It neither ends nor spins meanwhile.

use std::time::Duration;

use awc::http::Method;
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use test_support::{Service, wait_until};

use crate::pair::{PATIENCE, Pair};
use crate::wire::Wire;

const CLIENTS: usize = 150;
/// For measuring, long against the half second after which a failed accept is tried again.
const WHILE: Duration = Duration::from_secs(3);

/// From now on, it can open nothing beyond that.
fn limit_files(service: &Service, files: u64) {
    let pid = Pid::from_raw(i32::try_from(service.pid().unwrap()).unwrap()).unwrap();
    let limit = Rlimit {
        current: Some(files),
        maximum: Some(files),
    };
    prlimit(Some(pid), Resource::Nofile, limit).unwrap();
}

/// User and system time so far, in ticks of a hundredth of a second.
fn ticks(service: &Service) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", service.pid().unwrap())).unwrap();
    let fields: Vec<_> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

async fn survives(service: &mut Service) {
    let held = Wire::idle(service).await;
    limit_files(service, 64);
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        let mut client = Wire::open(service).await;
        client.say("GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n").await;
        clients.push(client);
    }
    let before = ticks(service);
    tokio::time::sleep(WHILE).await;
    let spent = ticks(service) - before;
    assert!(spent < 60, "{spent} hundredths of a second in {WHILE:?}");
    assert!(service.exited().is_none());
    drop((clients, held));
    wait_until("it serves again", PATIENCE, async || {
        let client = service.client();
        let answer = client.try_send(Method::GET, "/readyz", &[], Vec::new()).await;
        answer.is_ok_and(|answer| answer.status == 200).then_some(())
    })
    .await;
}

#[actix_rt::test]
async fn both_services_survive_running_out_of_descriptors() {
    let mut pair = Pair::start().await;
    survives(&mut pair.line_provider).await;
    survives(&mut pair.bet_makers[0]).await;
    pair.create_event("final").await;
    let bet = pair.place_bet("final", "1.00").await;
    pair.end_event("final", "first_team_won").await;
    pair.settled(&bet, "won").await;
}
