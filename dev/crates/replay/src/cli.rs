//! The command line: what may be said, what is assumed, and what is refused before anything happens.

use std::num::NonZeroU16;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use shared_types::Timestamp;

use crate::http::Base;
use crate::plan::RunId;

/// Plays a CSV of games through a running pair of line-provider and bet-maker, and compares every bet and every
/// sum with what was worked out apart from them.
///
/// Exit code: 0 equal, 1 different, 2 nothing to play or nobody there.
#[derive(Debug, Parser)]
#[command(name = "replay", max_term_width = 110)]
pub struct Cli {
    /// CSV of games, with the columns season, date, first_team, second_team, first_team_odds, first_team_score,
    /// second_team_score, result (first_team_won, second_team_won or tie)
    #[arg(env = "REPLAY_FILE")]
    pub file: PathBuf,

    /// Address of line-provider, with its path prefix behind a proxy
    #[arg(long, env = "LINE_PROVIDER_URL", default_value = "http://127.0.0.1:8081")]
    pub line_provider: Base,

    /// Address of bet-maker, with its path prefix behind a proxy
    #[arg(long, env = "BET_MAKER_URL", default_value = "http://127.0.0.1:8082")]
    pub bet_maker: Base,

    /// Operator token of line-provider
    #[arg(
        long,
        env = "LINE_PROVIDER_OPERATOR_TOKEN",
        hide_env_values = true,
        default_value = "",
        hide_default_value = true
    )]
    pub token: String,

    /// The same seed and file give the same bets
    #[arg(long, default_value_t = 1)]
    pub seed: u64,

    /// Mean number of bets on a game
    #[arg(long, default_value_t = 10)]
    pub bets_per_game: u16,

    /// Calls under way at once, and games played at once
    #[arg(long, default_value = "64")]
    pub concurrency: NonZeroU16,

    /// Plays the games of this season only
    #[arg(long)]
    pub season: Option<String>,

    /// Plays this many games at most
    #[arg(long)]
    pub limit: Option<usize>,

    /// Begins the id of every event and key of this replay; made from the time if absent
    #[arg(long)]
    pub run_id: Option<RunId>,

    /// Seconds to go on asking while nothing at all moves
    #[arg(long, default_value = "120")]
    pub patience: NonZeroU16,

    /// Prints what the games must come to, and calls nobody
    #[arg(long)]
    pub expect_only: bool,
}

impl Cli {
    pub fn patience(&self) -> Duration {
        Duration::from_secs(self.patience.get().into())
    }

    /// The run id that was given, or one for this moment, such as `r20260301-180000-123`.
    pub fn run_id(&self, now: Timestamp) -> RunId {
        self.run_id.clone().unwrap_or_else(|| {
            let now = now.as_offset_date_time();
            let (year, month, day) = now.to_calendar_date();
            let (hour, minute, second, millisecond) = now.to_hms_milli();
            let month = u8::from(month);
            format!("r{year:04}{month:02}{day:02}-{hour:02}{minute:02}{second:02}-{millisecond:03}")
                .parse()
                .expect("a moment written so makes a run id")
        })
    }
}
