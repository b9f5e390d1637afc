//! The operators' own judges, `line-provider verify` and `bet-maker verify`, must come to the same verdict.

use super::Findings;
use crate::evidence::Evidence;

pub(super) fn check(evidence: &Evidence, findings: &mut Findings) {
    for verified in &evidence.verified {
        findings.require(verified.succeeded, || {
            format!("{}: {}", verified.name, verified.output.trim())
        });
    }
}
