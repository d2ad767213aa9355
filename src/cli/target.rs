//! Where the messages of `generate` and `submit` go: to a file, standard output or a topic.

use std::io::Write;

use super::CliError;
use super::feed::{Feed, Message};
use super::framing;
use super::output::{Taken, taken};

/// Where messages go.
pub(super) enum Target {
    File {
        file: Box<dyn Write>,
        /// Whether each follows its length, rather than be a line.
        delimited: bool,
    },
    Topic(Feed),
}

impl Target {
    /// Takes a message; of a file's only the value is written.
    pub(super) fn take(&mut self, message: &Message) -> Result<Taken, CliError> {
        match self {
            Self::File { file, delimited } => {
                taken(framing::write(file, &message.value, *delimited))
            }
            Self::Topic(feed) => feed.send(message).map(|()| Taken::Yes),
        }
    }

    /// Waits until everything is written or acknowledged.
    pub(super) fn finish(&mut self) -> Result<Taken, CliError> {
        match self {
            Self::File { file, .. } => taken(file.flush()),
            Self::Topic(feed) => feed.finish().map(|()| Taken::Yes),
        }
    }
}
