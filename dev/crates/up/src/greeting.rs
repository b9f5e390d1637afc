//! What is printed once everything is ready: where it is, and five commands that work as printed.

use std::fmt::Write as _;
use std::time::Duration;

use shared_types::Timestamp;

use crate::home::{Home, Secrets};
use crate::pair::Pair;

/// Far enough for a terminal that stays open for some days.
const DEADLINE: Duration = Duration::from_secs(30 * 24 * 3600);

pub fn text(pair: &Pair, home: &Home, secrets: &Secrets, now: Timestamp) -> String {
    let (line_provider, bet_maker) = pair.urls().unwrap_or_default();
    let mut text = format!(
        "\nReady.\n\n\
         \x20 line-provider   {line_provider}   docs: {line_provider}/docs\n\
         \x20 bet-maker       {bet_maker}   docs: {bet_maker}/docs\n\
         \x20 operator token  {}\n",
        secrets.operator_token
    );
    if let Some(url) = pair.database_url() {
        let _ = writeln!(text, "  database        psql '{url}'");
    }
    let _ = writeln!(text, "  data and logs   {}\n", home.path().display());
    for (title, command) in commands(&line_provider, &bet_maker, &secrets.operator_token, now) {
        let _ = writeln!(text, "# {title}\n{command}\n");
    }
    text.push_str("Ctrl-C stops everything; the data stays.");
    text
}

/// A new event at each start, so that the commands work on every day; run twice, they answer the same.
fn commands(
    line_provider: &str,
    bet_maker: &str,
    token: &str,
    now: Timestamp,
) -> [(&'static str, String); 5] {
    let seconds = now.unix_seconds();
    let event = format!("demo-{seconds}");
    let whole_second = Timestamp::from_unix_micros(seconds.saturating_mul(1_000_000)).unwrap_or(now);
    let deadline = whole_second.saturating_add(DEADLINE);
    let curl = "curl -sS -w '\\n'";
    let operator = format!("-H 'Authorization: Bearer {token}'");
    let json = "-H 'Content-Type: application/json'";
    [
        (
            "1. Create an event.",
            format!(
                "{curl} {line_provider}/events {operator} {json} -d '{{\"id\": \"{event}\", \
                 \"title\": \"Reds - Blues\", \"odds\": \"1.85\", \"deadline\": \"{deadline}\"}}'"
            ),
        ),
        (
            "2. See it open for betting.",
            format!("{curl} '{bet_maker}/events?limit=10'"),
        ),
        (
            "3. Bet 10.00 on the first team.",
            format!(
                "{curl} {bet_maker}/bets {json} -H 'Idempotency-Key: {event}' \
                 -d '{{\"event_id\": \"{event}\", \"stake\": \"10.00\"}}'"
            ),
        ),
        (
            "4. The first team wins.",
            format!(
                "{curl} -X PATCH {line_provider}/events/{event} {operator} {json} \
                 -d '{{\"status\": \"first_team_won\"}}'"
            ),
        ),
        (
            "5. Look at the settled bet.",
            format!("{curl} '{bet_maker}/bets?event_id={event}'"),
        ),
    ]
}
