//! planted
use anyhow::Result;
/// x
/// # Errors
/// y
pub async fn prove(_names: &[String]) -> Result<bool> { Ok(true) }
