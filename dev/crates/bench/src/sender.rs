//! The limit of delivering: a bare awc client that signs bodies and posts them, on one thread, with no journal, no
//! order, no retry.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Instant;

use anyhow::{Result, anyhow, bail};
use awc::Connector;
use awc::http::Version;
use shared_types::Timestamp;
use shared_types::signature::{ID_HEADER, SIGNATURE_HEADER, Secret, TIMESTAMP_HEADER};

use crate::apart;

#[derive(Clone)]
pub struct Sender {
    pub url: String,
    pub secret: Secret,
    /// Sent in turn.
    pub bodies: Vec<Vec<u8>>,
    pub callbacks: u64,
    pub in_flight: usize,
}

impl Sender {
    /// Sends everything; when it began.
    ///
    /// # Errors
    /// One callback was not answered by 200.
    pub async fn run(self) -> Result<Instant> {
        apart::on_thread("sender", || self.send_all()).await
    }

    async fn send_all(self) -> Result<Instant> {
        let connector = Connector::new().limit(0).max_http_version(Version::HTTP_11);
        let client = awc::Client::builder()
            .connector(connector)
            .disable_redirects()
            .finish();
        let started = Instant::now();
        let (next, sender) = (Rc::new(Cell::new(0)), Rc::new(self));
        let workers: Vec<_> = (0..sender.in_flight)
            .map(|_| {
                let (client, next, sender) = (client.clone(), Rc::clone(&next), Rc::clone(&sender));
                actix_rt::spawn(async move { sender.work(&client, &next).await })
            })
            .collect();
        for worker in workers {
            worker.await??;
        }
        Ok(started)
    }

    async fn work(&self, client: &awc::Client, next: &Cell<u64>) -> Result<()> {
        let turns = self.bodies.iter().cycle();
        for body in turns {
            let number = next.get();
            if number >= self.callbacks {
                break;
            }
            next.set(number + 1);
            let (id, now) = (format!("msg_bench_{number}"), Timestamp::now());
            let signature = self.secret.sign(&id, now, body);
            let sent = client
                .post(self.url.as_str())
                .insert_header(("content-type", "application/json"))
                .insert_header((ID_HEADER, id))
                .insert_header((TIMESTAMP_HEADER, now.unix_seconds()))
                .insert_header((SIGNATURE_HEADER, signature))
                .send_body(body.clone());
            // awc's errors are not Send.
            let mut answer = sent.await.map_err(|error| anyhow!("{error}"))?;
            answer
                .body()
                .limit(4096)
                .await
                .map_err(|error| anyhow!("{error}"))?;
            if answer.status() != 200 {
                bail!("the receiver answered {}", answer.status());
            }
        }
        Ok(())
    }
}
