//! An override as a line of JSON.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::health::{Action, Drain, Origin, Override, OverrideId, OverrideRequest, Pattern, Timestamp, WeightShare};

/// An override. Times are in milliseconds since 1970.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct OverrideLine {
    id: u64,
    pattern: String,
    action: ActionLine,
    reason: String,
    author: String,
    from: u64,
    until: Option<u64>,
    /// Where and when it was set, if the nodes of a cluster share it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    set_on: Option<SetOnLine>,
}

#[derive(Debug, Serialize, Deserialize)]
struct SetOnLine {
    node: String,
    at: u64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ActionLine {
    Up,
    Down,
    /// Drains over this many milliseconds, starting from this many 255ths of the weight.
    Drain {
        over: u64,
        begins: u8,
    },
}

impl From<&Override> for OverrideLine {
    fn from(granted: &Override) -> OverrideLine {
        let Override { id, request: OverrideRequest { pattern, action, reason, author, from, until }, origin } =
            granted.clone();
        OverrideLine {
            id: id.0,
            pattern: pattern.0,
            action: match action {
                Action::Up => ActionLine::Up,
                Action::Down => ActionLine::Down,
                Action::Drain(Drain { over, begins }) => ActionLine::Drain {
                    over: u64::try_from(over.as_millis()).unwrap_or(u64::MAX),
                    begins: begins.parts(),
                },
            },
            reason,
            author,
            from: from.to_milliseconds(),
            until: until.map(Timestamp::to_milliseconds),
            set_on: origin.map(|Origin { node, at }| SetOnLine { node, at: at.to_milliseconds() }),
        }
    }
}

impl From<OverrideLine> for Override {
    fn from(line: OverrideLine) -> Override {
        let OverrideLine { id, pattern, action, reason, author, from, until, set_on } = line;
        let action = match action {
            ActionLine::Up => Action::Up,
            ActionLine::Down => Action::Down,
            ActionLine::Drain { over, begins } => Action::Drain(Drain {
                over: Duration::from_millis(over),
                begins: WeightShare::from_parts(begins).unwrap_or(WeightShare::LEAST),
            }),
        };
        let (from, until) = (Timestamp::from_milliseconds(from), until.map(Timestamp::from_milliseconds));
        Override {
            id: OverrideId(id),
            request: OverrideRequest { pattern: Pattern(pattern), action, reason, author, from, until },
            origin: set_on.map(|SetOnLine { node, at }| Origin { node, at: Timestamp::from_milliseconds(at) }),
        }
    }
}
