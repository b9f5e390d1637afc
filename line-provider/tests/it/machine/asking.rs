//! The reference's commands, put to the real writer, and its answers in the reference's words.

use futures_util::FutureExt as _;
use futures_util::future::{LocalBoxFuture, join_all};
use http_edge::IfMatch;
use line_provider::event::{Correction, NewEvent, Update};
use line_provider::subscription::{Patch, Register, Standing};
use line_provider::writer::{EventCommand, SubscriptionCommand, WriterError};
use shared_types::signature::Secret;
use shared_types::{Event, SubscriptionId};
use uuid::Uuid;

use super::reference::{Answer, Command, Contents, Reference, deadline, odds, share};
use super::{Machine, count};

/// Of the subscriptions that the reference never made.
const NOBODY: u16 = 10_000;

impl Machine {
    /// Hands in all of them at once, and compares the answers.
    pub fn carry_out(&self, commands: &[Command], reference: &Reference) {
        let answers = commands
            .iter()
            .zip(&reference.before)
            .zip(&reference.answers)
            .map(|((command, before), expected)| self.ask(command, before, expected, reference));
        let answers = self.runtime.block_on(join_all(answers));
        assert_eq!(answers, reference.answers, "{commands:?}");
    }

    fn ask<'a>(
        &'a self,
        command: &Command,
        before: &Contents,
        expected: &Answer,
        reference: &Reference,
    ) -> LocalBoxFuture<'a, Answer> {
        let known = |url: &u8| before.subscriptions.get(url).map_or(NOBODY, |known| known.number);
        let command = match command {
            Command::SaveCursor { url, percent } => {
                let cursor = count(share(*percent, reference.before[0].log.len()));
                let cursors = vec![(subscription_id(known(url)), cursor)];
                return self
                    .writer
                    .save_cursors(cursors)
                    .map(|()| Answer::Saved)
                    .boxed_local();
            }
            Command::Register { url, types } => {
                // Taken only where the url is new.
                let fresh = match expected {
                    Answer::Subscription(number) if !before.subscriptions.contains_key(url) => *number,
                    _ => NOBODY,
                };
                SubscriptionCommand::Register(Register {
                    url: callback_url(*url).parse().unwrap(),
                    event_types: types.clone(),
                    secret: None,
                    fresh: (subscription_id(fresh), Secret::from_bytes(&[7; 32]).unwrap()),
                })
            }
            Command::Patch { url, paused } => SubscriptionCommand::Patch {
                id: subscription_id(known(url)),
                patch: Patch {
                    standing: Some(standing(*paused)),
                    ..Patch::default()
                },
            },
            Command::Unsubscribe { url } => SubscriptionCommand::Unsubscribe {
                id: subscription_id(known(url)),
            },
            Command::Create { .. } | Command::Update { .. } | Command::Correct { .. } => {
                return self.ask_about_event(event_command(command));
            }
        };
        let answer = self.writer.subscription(command);
        let answer = answer.map(|answer| match answer {
            Ok(answer) => Answer::Subscription(number(answer.registration.id)),
            Err(WriterError::Refused(_)) => Answer::Refused,
            Err(error) => panic!("{error}"),
        });
        answer.boxed_local()
    }

    fn ask_about_event(&self, command: EventCommand) -> LocalBoxFuture<'_, Answer> {
        let answer = self.writer.event(command, None);
        let answer = answer.map(|answer| match answer {
            Ok(answer) => {
                let entry = &answer.entry;
                assert_eq!(serde_json::from_str::<Event>(&entry.json).unwrap(), entry.event);
                Answer::Event(entry.event.clone())
            }
            Err(WriterError::Refused(_)) => Answer::Refused,
            Err(error) => panic!("{error}"),
        });
        answer.boxed_local()
    }
}

fn event_command(command: &Command) -> EventCommand {
    let id = |event: &u8| format!("e{event}").parse().unwrap();
    let if_match = IfMatch::Absent;
    match command {
        Command::Create { event, odds: number } => EventCommand::Create(NewEvent {
            id: id(event),
            title: String::new(),
            odds: odds(*number),
            deadline: deadline(),
        }),
        Command::Update {
            event,
            odds: number,
            status,
        } => EventCommand::Update {
            id: id(event),
            if_match,
            update: Update {
                odds: number.map(odds),
                status: *status,
                ..Update::default()
            },
        },
        Command::Correct { event, status } => EventCommand::Correct {
            id: id(event),
            if_match,
            correction: Correction {
                status: *status,
                reason: "misread".to_owned(),
            },
        },
        other => unreachable!("{other:?} is not about an event"),
    }
}

pub fn callback_url(url: u8) -> String {
    format!("http://127.0.0.1:9/{url}")
}

pub const fn standing(paused: bool) -> Standing {
    if paused {
        Standing::Paused
    } else {
        Standing::Active
    }
}

fn subscription_id(number: u16) -> SubscriptionId {
    SubscriptionId::from_uuid(Uuid::from_u128(number.into()))
}

pub fn number(id: SubscriptionId) -> u16 {
    id.as_uuid().as_u128().try_into().unwrap()
}
