//! Clean rows, dirty rows and odd files.

use super::*;

const HEADER: &str =
    "season,date,first_team,second_team,first_team_odds,first_team_score,second_team_score,result";

fn parse_rows(rows: &[&str]) -> Games {
    parse(format!("{HEADER}\n{}\n", rows.join("\n")).as_bytes()).unwrap()
}

#[test]
fn a_row_becomes_a_game_with_its_line() {
    let games = parse_rows(&["2024,2024-09-01,Foxes,Owls,1.85,3,1,first_team_won"]);
    assert!(games.bad.is_empty());
    let expected = Game {
        line: 2,
        season: "2024".to_owned(),
        title: "Foxes – Owls".to_owned(),
        odds: "1.85".parse().unwrap(),
        outcome: Outcome::FirstTeamWon,
    };
    assert_eq!(games.good, [expected]);
}

#[test]
fn a_tie_is_a_game_that_gets_cancelled() {
    let games = parse_rows(&["2024,d,Foxes,Owls,2,1,1,tie"]);
    assert_eq!(games.good[0].outcome.status(), EventStatus::Cancelled);
}

#[test]
fn every_kind_of_dirt_is_named_with_its_line() {
    let rows = [
        ("s,d,Foxes,Owls,1.85,3,1,first_team_won", ""),
        (
            "s,d,,Owls,,0,21,second_team_won",
            "first_team is missing; first_team_odds is missing",
        ),
        (
            "s,d,0,Owls,,0,21,second_team_won",
            "first_team \"0\" is not a team's name; first_team_odds is missing",
        ),
        (
            "s,d,Foxes,Owls,1.855,3,1,first_team_won",
            "first_team_odds \"1.855\" must have at most two decimals",
        ),
        (
            "s,d,Foxes,Owls,0.00,3,1,first_team_won",
            "first_team_odds \"0.00\" must be greater than 0",
        ),
        (
            "s,d,Foxes,Owls,10000.01,3,1,first_team_won",
            "first_team_odds \"10000.01\" must be at most 10000.00",
        ),
        (
            "s,d,Foxes,Owls,1.85,3,,first_team_won",
            "second_team_score is missing",
        ),
        (
            "s,d,Foxes,Owls,1.85,-3,1,first_team_won",
            "first_team_score \"-3\" is not a whole number",
        ),
        (
            "s,d,Foxes,Owls,1.85,1,3,first_team_won",
            "result first_team_won does not match the score 1:3",
        ),
        (
            "s,d,Foxes,Owls,1.85,3,3,second_team_won",
            "result second_team_won does not match the score 3:3",
        ),
        (
            "s,d,Foxes,Owls,1.85,3,1,won",
            "result \"won\" is not a known word",
        ),
        ("s,d,Foxes,Owls,1.85,3,1", "has 7 columns instead of 8"),
        (
            "s,d,Foxes,Owls,1.85,3,1,first_team_won,x",
            "has 9 columns instead of 8",
        ),
    ];
    let games = parse_rows(&rows.map(|(row, _)| row));
    let found: Vec<_> = games
        .bad
        .iter()
        .map(|bad| (bad.line, bad.reasons.join("; ")))
        .collect();
    let expected: Vec<_> = (2..)
        .zip(rows)
        .filter(|(_, (_, reason))| !reason.is_empty())
        .map(|(line, (_, reason))| (line, reason.to_owned()))
        .collect();
    assert_eq!(games.good.len(), 1);
    // "unparsable odds" gets the wording of shared-types, which is not this test's to pin.
    assert_eq!(found, expected);
    let malformed = parse_rows(&["s,d,Foxes,Owls,evens,3,1,first_team_won"]);
    assert!(malformed.bad[0].reasons[0].starts_with("first_team_odds \"evens\" must be a plain decimal"));
}

#[test]
fn a_row_that_is_not_utf_8_is_bad_and_the_next_one_is_read() {
    let mut content = format!("{HEADER}\ns,d,F").into_bytes();
    content.extend([0xff, b'x']);
    content.extend(b",Owls,1.85,3,1,first_team_won\ns,d,Foxes,Owls,1.85,3,1,first_team_won\n");
    let games = parse(&content).unwrap();
    assert_eq!((games.bad[0].line, games.good[0].line), (2, 3));
}

#[test]
fn lines_are_counted_over_blank_ones_and_windows_ends_and_quoted_breaks() {
    let row = "s,d,Foxes,Owls,1.85,3,1,first_team_won";
    let content = format!(
        "\u{feff}{HEADER}\r\n\r\n{row}\r\n\r\n{row}\r\ns,d,\"Fox\nes\",Owls,1.85,3,1,first_team_won\n{row}"
    );
    let games = parse(content.as_bytes()).unwrap();
    let lines: Vec<_> = games.good.iter().map(|game| game.line).collect();
    assert_eq!(lines, [3, 5, 8]);
    assert_eq!(games.bad[0].line, 6);
}

#[test]
fn columns_are_found_by_name_and_missing_ones_are_named() {
    let games = parse(
        b"result,extra,second_team_score,first_team_score,first_team_odds,second_team,first_team,date,season\n\
          tie,x,0,0,1.5,B,A,d,2020\n",
    )
    .unwrap();
    assert_eq!(games.good[0].title, "A – B");
    let error =
        parse(b"season,date,first_team,second_team,first_team_score,second_team_score\n").unwrap_err();
    assert!(error.to_string().contains("first_team_odds, result;"), "{error}");
    assert!(parse(b"").is_err());
}

#[test]
fn a_season_keeps_its_own_rows_and_the_bad_ones_of_unknown_season() {
    let mut games = parse_rows(&[
        "2023,d,Foxes,Owls,1.85,3,1,first_team_won",
        "2024,d,Foxes,Owls,1.85,3,1,first_team_won",
        "2023,d,Foxes,Owls,,3,1,first_team_won",
        "short",
    ]);
    games.retain_season("2024");
    assert_eq!(games.good.len(), 1);
    assert_eq!(games.bad.len(), 1);
    assert_eq!(games.bad[0].line, 5);
}
