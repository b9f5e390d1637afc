//! Storm and calm in turn: a system that never gets up is not attacked, only kept down.

use std::time::{Duration, Instant};

use tokio::sync::watch;

const STORM: Duration = Duration::from_secs(9);
/// Long enough for what the last faults left behind to be over.
const CALM: Duration = Duration::from_secs(7);

/// Never returns; drop it to stop it.
pub async fn change(storming: watch::Sender<bool>) {
    loop {
        for (is_storming, lasts) in [(true, STORM), (false, CALM)] {
            storming.send_replace(is_storming);
            tokio::time::sleep(lasts).await;
        }
    }
}

/// Waits until it has stormed for that long; calm in between does not count, so that faults do not all begin at once.
pub async fn storm_for(is_storming: &mut watch::Receiver<bool>, time: Duration) {
    let mut left = time;
    // The weather is dropped only with everything else.
    while is_storming.wait_for(|is_storming| *is_storming).await.is_ok() {
        let begun = Instant::now();
        let calm = is_storming.wait_for(|is_storming| !*is_storming);
        if tokio::time::timeout(left, calm).await.is_err() {
            return;
        }
        left = left.saturating_sub(begun.elapsed());
    }
}
