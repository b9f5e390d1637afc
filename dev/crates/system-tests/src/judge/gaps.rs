//! Positions and revisions without gaps, one instance, a close that is set once and stays; and bet-maker has read all
//! of it, knows the newest of each event, and never went back to an older one.

use std::collections::HashMap;

use shared_types::Event;

use super::Findings;
use crate::evidence::Evidence;
use crate::evidence::tables::{StoredEvent, Version};

pub(super) fn check(evidence: &Evidence, findings: &mut Findings) {
    let mut before: HashMap<&str, &Event> = HashMap::new();
    for (place, change) in (1_u64..).zip(&evidence.log) {
        let (id, event) = (change.event_id.as_str(), &change.event);
        findings.require(change.position == place, || {
            format!("position {} stands in place {place}", change.position)
        });
        let previous = before.insert(id, event);
        let last = previous.map_or(0, |previous| previous.revision);
        findings.require(
            change.revision == last + 1 && event.revision == change.revision,
            || format!("revision {} of {id} follows {last}", change.revision),
        );
        check_close(previous, event, findings);
    }
    let instances = &evidence.instances;
    let length = u64::try_from(evidence.log.len()).unwrap_or(u64::MAX);
    findings.require(instances.len() == 1, || {
        format!("there are instances {instances:?}")
    });
    findings.require(evidence.head == length, || {
        format!("{length} changes, and the head is {}", evidence.head)
    });

    let feed = &evidence.tables.feed;
    findings.require(feed.suspended.is_none(), || {
        format!("acceptance is suspended: {:?}", feed.suspended)
    });
    findings.require(feed.instance.as_ref() == instances.first(), || {
        format!("{instances:?} is not in {feed:?}")
    });
    findings.require(feed.position == evidence.head, || {
        format!("the head is {}, and {feed:?}", evidence.head)
    });
    findings.require(feed.conflicts == 0, || {
        format!("{} revisions have two contents", feed.conflicts)
    });
    for (id, newest) in evidence.newest() {
        let known = evidence.tables.events.get(id);
        findings.require(known.is_some_and(|known| is_same(known, &newest.event)), || {
            format!("event {id} is {:?}, and bet-maker knows {known:?}", newest.event)
        });
    }
    for (id, versions) in &evidence.tables.versions {
        check_forward(id, versions, findings);
    }
    findings.require(evidence.tables.events.len() == before.len(), || {
        format!(
            "bet-maker knows {} events of {}",
            evidence.tables.events.len(),
            before.len()
        )
    });
}

/// Of versions that became true in one transaction the order is not known.
fn check_forward(id: &str, versions: &[Version], findings: &mut Findings) {
    for version in versions {
        let newer = versions
            .iter()
            .find(|other| other.committed_at < version.committed_at && other.revision > version.revision);
        findings.require(newer.is_none(), || {
            format!("bet-maker went back to an older revision of {id}: {newer:?}, and then {version:?}")
        });
    }
}

fn check_close(previous: Option<&Event>, event: &Event, findings: &mut Findings) {
    let id = &event.id;
    let was = previous.and_then(|previous| previous.closed_at);
    match (was, event.closed_at) {
        (Some(was), now) => {
            findings.require(now == Some(was), || {
                format!("the close of {id} moved from {was} to {now:?}")
            });
        }
        (None, Some(now)) => findings.require(now == event.updated_at.min(event.deadline), || {
            format!(
                "{id} ended at {}, its deadline was {}, and it closed at {now}",
                event.updated_at, event.deadline
            )
        }),
        (None, None) => {
            findings.require(!event.status.is_final(), || {
                format!("{id} is over and was never closed")
            });
        }
    }
}

fn is_same(known: &StoredEvent, event: &Event) -> bool {
    known.revision == event.revision
        && known.odds == i64::from(event.odds.hundredths())
        && known.deadline == event.deadline
        && known.status == event.status
        && known.closed_at == event.closed_at
}
