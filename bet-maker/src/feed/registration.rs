//! Registering the callback: at start and again until it succeeds, then now and then, because a line-provider
//! that lost its journal has lost its subscriptions too. Repeating it changes nothing.

use std::time::Duration;

use http_edge::telemetry::chain;
use shared_types::signature::Secret;

use super::client::LineProvider;

const AGAIN_AFTER_FAILURE: Duration = Duration::from_secs(1);
const AGAIN_AFTER_SUCCESS: Duration = Duration::from_secs(30);

/// Keeps `callback_url` registered. Never returns; drop it to stop it.
pub async fn keep_registered(line_provider: LineProvider, callback_url: String, secret: Secret) {
    let mut registered = None;
    loop {
        let pause = match line_provider.subscribe(&callback_url, &secret).await {
            Ok(answer) => {
                let id = answer.subscription.id;
                if registered.replace(Some(id)) != Some(Some(id)) {
                    tracing::info!(subscription = %id, callback_url, "the callback is registered");
                }
                AGAIN_AFTER_SUCCESS
            }
            Err(error) => {
                if registered.replace(None) != Some(None) {
                    tracing::warn!(
                        error = chain(&error),
                        "the callback cannot be registered; trying every second"
                    );
                }
                AGAIN_AFTER_FAILURE
            }
        };
        tokio::time::sleep(pause).await;
    }
}
