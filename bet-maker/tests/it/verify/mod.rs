//! `bet-maker verify`: nothing is found in books that are right, while bets are placed and settled; and each planted
//! wrong is found and named by its check.

mod right;
mod wrong;

use std::rc::Rc;

use bet_maker::verify::{Books as Audited, Due, verify};
use http_edge::report::Report;
use serde_json::json;
use shared_types::EventStatus;
use test_support::{TestDatabase, wait_until};

use crate::harness::{Books, History, PATIENCE, Provider, TestApp, seconds_ago};

/// A database and a line-provider; nothing works on either unless an app does.
struct Audit {
    database: Rc<TestDatabase>,
    provider: Provider,
    books: Books,
}

impl Audit {
    async fn beside(app: &TestApp) -> Self {
        Self {
            database: app.database.clone(),
            provider: app.provider.clone(),
            books: Books::open(app.database.url()).await,
        }
    }

    /// After the app has read and settled all and was stopped, so that nothing puts right what is planted.
    async fn behind(app: TestApp) -> Self {
        let audit = Self::beside(&app).await;
        audit.wait_until_read().await;
        audit.books.wait_until_settled().await;
        app.stop().await;
        audit
    }

    async fn wait_until_read(&self) {
        let head = i64::try_from(self.provider.history().head()).unwrap();
        wait_until("the log is read", PATIENCE, async || {
            (self.books.int("select position from feed").await == head).then_some(())
        })
        .await;
    }

    /// With the log; all should be settled.
    async fn report(&self) -> Report {
        self.verify(Some(self.provider.url()), Due::Found).await
    }

    /// With the log, while settlement may be under way.
    async fn report_under_way(&self) -> Report {
        self.verify(Some(self.provider.url()), Due::Noted).await
    }

    /// Without the log.
    async fn report_of_tables(&self) -> Report {
        self.verify(None, Due::Found).await
    }

    async fn verify(&self, line_provider_url: Option<String>, due: Due) -> Report {
        let books = Audited {
            database_url: self.database.url().into(),
            line_provider_url,
            due,
            within: PATIENCE,
        };
        verify(&books).await.unwrap()
    }
}

#[track_caller]
fn assert_right(report: &Report) {
    assert_eq!(report.found(), 0, "{report}");
}

/// Books with bets in every status, on events in every status, one of them corrected, one with other odds on the way.
async fn season() -> TestApp {
    let mut history = History::new();
    for id in ["open", "won", "lost", "void", "late", "corrected"] {
        history.create(id, "1.85");
    }
    let app = TestApp::start_on(history).await;
    for id in ["open", "won", "lost", "void", "late", "corrected"] {
        for stake in ["10.00", "3.33"] {
            let body = json!({"event_id": id, "stake": stake});
            let answer = app.place_with_key(&format!("{id}-{stake}"), &body).await;
            assert_eq!(answer.status, 201, "{}", answer.text());
        }
    }
    app.happens(|history| history.set_odds("open", "2.00")).await;
    app.placed("open", "5.00").await;
    app.happens(|history| history.won("won")).await;
    app.happens(|history| history.lost("lost")).await;
    app.happens(|history| history.cancelled("void")).await;
    app.happens(|history| history.set_status_at("late", EventStatus::FirstTeamWon, seconds_ago(60)))
        .await;
    for status in [EventStatus::FirstTeamWon, EventStatus::SecondTeamWon] {
        app.happens(|history| history.set_status("corrected", status))
            .await;
        app.books.wait_until_settled().await;
    }
    app
}
