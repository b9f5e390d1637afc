//! The whole replay against a small pair in memory: an honest one, one that loses its answers, and ones with
//! planted faults, each of which must be found.

use std::collections::HashMap;
use std::sync::{Mutex, mpsc};

use actix_web::dev::ServerHandle;
use actix_web::http::StatusCode;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use serde_json::{Value, json};
use shared_types::BetStatus;

use super::*;

const TOKEN: &str = "a-token-for-tests";
const TIME: &str = "2026-03-01T18:00:00Z";
const GAMES: &str = "\
season,date,first_team,second_team,first_team_odds,first_team_score,second_team_score,result
2024,2024-09-01,Foxes,Owls,1.85,3,1,first_team_won
2024,2024-09-01,Bears,,1.85,3,1,first_team_won
2024,2024-09-08,Hares,Crows,3.33,0,2,second_team_won
2024,2024-09-15,Lynxes,Storks,1.01,2,2,tie
2024,2024-09-22,Wolves,Herons,12.05,7,6,first_team_won
";

/// What is wrong with the pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Nothing,
    /// Every third answer is replaced by a 503, after the call took effect.
    LosesAnswers,
    /// Every third answer breaks off after its head, after the call took effect.
    CutsAnswers,
    PaysACentTooMuch,
    TakesPayoutsFromTheBettor,
    ForgetsABet,
    IgnoresKeys,
    NeverSettlesTies,
    ExposureLeavesOutABet,
}

/// Both services' state, as JSON.
struct FakePair {
    fault: Fault,
    calls: usize,
    events: HashMap<String, Value>,
    asked_for: HashMap<String, usize>,
    bets: Vec<Value>,
    bet_by_key: HashMap<String, usize>,
}

impl FakePair {
    fn answer(
        &mut self,
        call: &str,
        path: &str,
        query: &str,
        key: Option<&str>,
        body: &Value,
    ) -> (u16, Value) {
        let id = path.split('/').nth(3).unwrap_or_default();
        let problem = |status: u16, code: &str| {
            let body = json!({"type": "about:blank", "title": "", "status": status, "detail": "told by the test",
                              "code": code, "request_id": "1"});
            (status, body)
        };
        match call {
            "GET /bm/healthz" | "GET /lp/subscriptions" => (200, json!({})),
            "POST /lp/events" => {
                let id = body["id"].as_str().unwrap().to_owned();
                let event = json!({"id": id, "title": body["title"], "odds": body["odds"], "status": "unfinished",
                    "deadline": body["deadline"], "revision": 1, "closed_at": null, "created_at": TIME,
                    "updated_at": TIME});
                (201, self.events.entry(id).or_insert(event).clone())
            }
            _ if path.ends_with("/exposure") => (200, self.exposure(id)),
            "GET /bm/bets" => (200, self.page(query)),
            "POST /bm/bets" => (201, self.place(key.unwrap(), body)),
            _ => {
                let times = self.asked_for.entry(id.to_owned()).or_default();
                *times += 1;
                let Some(event) = self.events.get_mut(id) else {
                    return problem(404, "event_not_found");
                };
                match call.split_once(' ').unwrap().0 {
                    "GET" if path.starts_with("/bm") && *times <= 2 => problem(404, "event_not_found"),
                    "PATCH" if event["status"] != "unfinished" => problem(409, "event_finished"),
                    "PATCH" => {
                        event["status"] = body["status"].clone();
                        event["closed_at"] = json!(TIME);
                        let event = event.clone();
                        self.settle(id, event["status"].as_str().unwrap());
                        (200, event)
                    }
                    _ => (200, event.clone()),
                }
            }
        }
    }

    fn place(&mut self, key: &str, body: &Value) -> Value {
        if let Some(place) = self.bet_by_key.get(key)
            && self.fault != Fault::IgnoresKeys
        {
            return self.bets[*place].clone();
        }
        let odds = self.events[body["event_id"].as_str().unwrap()]["odds"].clone();
        let bet = json!({
            "id": format!("00000000-0000-7000-8000-{:012}", self.bets.len()), "event_id": body["event_id"],
            "bettor": body.get("bettor"), "stake": body["stake"], "odds": odds,
            "potential_payout": text(potential_cents(body["stake"].as_str().unwrap(), odds.as_str().unwrap())),
            "status": "pending", "void_reason": null, "payout": null, "event_revision": 1, "placed_at": TIME,
            "settled_at": null,
        });
        self.bet_by_key.insert(key.to_owned(), self.bets.len());
        self.bets.push(bet.clone());
        bet
    }

    fn settle(&mut self, id: &str, status: &str) {
        for bet in self.bets.iter_mut().filter(|bet| bet["event_id"] == id) {
            let payout_cents = match (self.fault, cents(&bet["potential_payout"])) {
                (Fault::PaysACentTooMuch, right) => right + 1,
                (Fault::TakesPayoutsFromTheBettor, right) => -right,
                (_, right) => right,
            };
            let (word, reason, payout) = match status {
                "first_team_won" => ("won", Value::Null, json!(text(payout_cents))),
                "second_team_won" => ("lost", Value::Null, json!("0.00")),
                _ if self.fault == Fault::NeverSettlesTies => continue,
                _ => ("void", json!("event_cancelled"), bet["stake"].clone()),
            };
            bet["status"] = json!(word);
            bet["void_reason"] = reason;
            bet["payout"] = payout;
            bet["settled_at"] = json!(TIME);
        }
    }

    /// Pages of three bets.
    fn page(&self, query: &str) -> Value {
        let parameter = |name: &str| {
            query
                .split('&')
                .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
        };
        let from: usize = parameter("cursor").map_or(0, |cursor| cursor.parse().unwrap());
        let of_event: Vec<_> = self
            .bets
            .iter()
            .filter(|bet| bet["event_id"] == parameter("event_id").unwrap())
            .filter(|bet| parameter("status").is_none_or(|status| bet["status"] == status))
            .skip(usize::from(self.fault == Fault::ForgetsABet))
            .collect();
        let items: Vec<_> = of_event.iter().skip(from).take(3).collect();
        let more = (from + 3 < of_event.len()).then(|| (from + 3).to_string());
        json!({"items": items, "next_cursor": more})
    }

    fn exposure(&self, id: &str) -> Value {
        let skipped = usize::from(self.fault == Fault::ExposureLeavesOutABet);
        let bets: Vec<_> = self
            .bets
            .iter()
            .filter(|bet| bet["event_id"] == id)
            .skip(skipped)
            .collect();
        let sums = |status: Option<&str>| {
            let of_status = |bet: &&&Value| status.is_none_or(|status| bet["status"] == status);
            let bets: Vec<_> = bets.iter().filter(of_status).collect();
            let sum = |field: &str| text(bets.iter().map(|bet| cents(&bet[field])).sum());
            let if_first_wins = |bet: &Value| {
                cents(
                    &bet[if bet["status"] == "void" {
                        "stake"
                    } else {
                        "potential_payout"
                    }],
                )
            };
            let if_first_wins = text(bets.iter().map(|bet| if_first_wins(bet)).sum());
            json!({"bets": bets.len(), "stakes": sum("stake"),
                   "payout_if_first_team_wins": if_first_wins, "paid": sum("payout")})
        };
        let by_status: HashMap<_, _> = BetStatus::ALL
            .iter()
            .map(|status| (status.as_str(), sums(Some(status.as_str()))))
            .collect();
        json!({"event_id": id, "total": sums(None), "by_status": by_status})
    }
}

/// Cents of `"12.50"`; 0 of null.
fn cents(amount: &Value) -> i64 {
    amount
        .as_str()
        .map_or(0, |text| text.replace('.', "").parse().unwrap())
}

fn potential_cents(stake: &str, odds: &str) -> i64 {
    cents(&json!(stake)) * cents(&json!(odds)) / 100
}

fn text(cents: i64) -> String {
    let sign = if cents < 0 { "-" } else { "" };
    format!("{sign}{}.{:02}", cents.abs() / 100, cents.abs() % 100)
}

async fn serve(pair: web::Data<Mutex<FakePair>>, request: HttpRequest, body: web::Bytes) -> HttpResponse {
    let body = serde_json::from_slice(&body).unwrap_or_default();
    let header = |name: &str| request.headers().get(name).map(|value| value.to_str().unwrap());
    let as_operator = header("authorization") == Some(&format!("Bearer {TOKEN}"));
    let call = format!("{} {}", request.method(), request.path());
    let mut pair = pair.lock().unwrap();
    if !as_operator
        && request.path().starts_with("/lp")
        && (request.method() != "GET" || call.contains("subscr"))
    {
        return HttpResponse::Unauthorized().finish();
    }
    let key = header("idempotency-key");
    let (status, answer) = pair.answer(&call, request.path(), request.query_string(), key, &body);
    pair.calls += 1;
    match pair.fault {
        Fault::LosesAnswers if pair.calls.is_multiple_of(3) => {
            return HttpResponse::ServiceUnavailable().finish();
        }
        Fault::CutsAnswers if pair.calls.is_multiple_of(3) => {
            let cut = async { Err::<web::Bytes, _>(std::io::Error::other("cut")) };
            return HttpResponse::Ok().streaming(futures_util::stream::once(cut));
        }
        _ => {}
    }
    HttpResponse::build(StatusCode::from_u16(status).unwrap()).json(answer)
}

/// Starts the pair on a free port and tells where.
fn start(fault: Fault) -> (u16, ServerHandle) {
    let pair = FakePair {
        fault,
        calls: 0,
        events: HashMap::new(),
        asked_for: HashMap::new(),
        bets: Vec::new(),
        bet_by_key: HashMap::new(),
    };
    let pair = web::Data::new(Mutex::new(pair));
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        actix_rt::System::new().block_on(async {
            let app = move || App::new().app_data(pair.clone()).default_service(web::to(serve));
            let server = HttpServer::new(app)
                .workers(1)
                .disable_signals()
                .bind(("127.0.0.1", 0))
                .unwrap();
            let port = server.addrs()[0].port();
            let server = server.run();
            tell.send((port, server.handle())).unwrap();
            server.await.unwrap();
        });
    });
    told.recv().unwrap()
}

/// The text and verdict of a replay of [`GAMES`].
fn replay_with(fault: Fault, token: &str) -> anyhow::Result<(String, Verdict)> {
    let (port, server) = start(fault);
    let line_provider = format!("http://127.0.0.1:{port}/lp/");
    let bet_maker = format!("http://127.0.0.1:{port}/bm");
    let addresses = ["--line-provider", &line_provider, "--bet-maker", &bet_maker];
    let others = ["--token", token, "--patience", "1", "--bets-per-game", "20"];
    let arguments = ["replay", "games.csv"].into_iter().chain(addresses).chain(others);
    let cli = Cli::parse_from(arguments);
    let (plans, expected) = plan_games(&cli, games::parse(GAMES.as_bytes())?);
    let replayed = actix_rt::System::new().block_on(async {
        let replayed = replay(&cli, &plans, &expected).await;
        server.stop(false).await;
        replayed
    });
    Ok(replayed?.report(cli.seed, &expected))
}

#[track_caller]
fn assert_found(fault: Fault, told: &str) {
    let (text, verdict) = replay_with(fault, TOKEN).unwrap();
    assert_eq!(verdict, Verdict::Different, "{text}");
    assert!(text.contains(told), "{text}");
}

#[test]
fn an_honest_pair_comes_out_equal() {
    let (text, verdict) = replay_with(Fault::Nothing, TOKEN).unwrap();
    assert_eq!(verdict, Verdict::Equal, "{text}");
    assert!(text.contains(" 0 calls repeated"), "{text}");
}

#[test]
fn answers_that_get_lost_or_cut_off_change_no_sum() {
    for fault in [Fault::LosesAnswers, Fault::CutsAnswers] {
        let (text, verdict) = replay_with(fault, TOKEN).unwrap();
        assert_eq!(verdict, Verdict::Equal, "{text}");
        assert!(!text.contains(" 0 calls repeated"), "{text}");
    }
}

#[test]
fn a_cent_too_much_is_found() {
    assert_found(Fault::PaysACentTooMuch, ": payout is ");
}

#[test]
fn a_payout_of_the_wrong_sign_is_found() {
    assert_found(Fault::TakesPayoutsFromTheBettor, ": payout is -");
}

#[test]
fn a_forgotten_bet_is_found() {
    assert_found(Fault::ForgetsABet, "was accepted and is not there");
}

#[test]
fn a_bet_placed_twice_by_one_key_is_found() {
    assert_found(Fault::IgnoresKeys, "sent twice with one key");
    assert_found(Fault::IgnoresKeys, "was never accepted");
}

#[test]
fn bets_that_are_never_settled_end_the_waiting_and_are_found() {
    assert_found(Fault::NeverSettlesTies, "did not come about");
    assert_found(Fault::NeverSettlesTies, "status is pending instead of void");
}

#[test]
fn an_exposure_that_leaves_out_a_bet_is_found() {
    assert_found(Fault::ExposureLeavesOutABet, "exposure of");
}

#[test]
fn a_wrong_token_ends_the_run_before_it_begins() {
    let error = replay_with(Fault::Nothing, "another-token").unwrap_err();
    assert!(format!("{error:#}").contains("401"), "{error:#}");
}

#[test]
fn a_pair_that_is_not_there_is_told_once_patience_is_spent() {
    let cli = Cli::parse_from([
        "replay",
        "games.csv",
        "--token",
        TOKEN,
        "--patience",
        "1",
        "--bet-maker",
        "http://127.0.0.1:1",
    ]);
    let (plans, expected) = plan_games(&cli, games::parse(GAMES.as_bytes()).unwrap());
    let outcome = actix_rt::System::new().block_on(replay(&cli, &plans, &expected));
    let error = outcome.err().expect("nobody listens on port 1");
    assert!(format!("{error:#}").contains("no answer"), "{error:#}");
}
