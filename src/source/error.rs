//! Why a source did not deliver, and when it may be asked again.

use std::time::Duration;

use super::csv::CsvError;
use super::superoffice::error::FetchError;

/// Why a source did not deliver. The list in use stays.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// SuperOffice was asked.
    #[error(transparent)]
    SuperOffice(#[from] FetchError),
    /// A CSV file was read.
    #[error(transparent)]
    Csv(#[from] CsvError),
}

/// When a source may be asked again after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// After a short wait, which doubles with each failure.
    Soon,
    /// Not before this time: the server asked for it.
    After(Duration),
    /// At the source's usual interval: the credential was refused, and many domains lock an account after a few attempts.
    Refused,
    /// At the list's usual interval: the server did not finish in time, and the same request again adds to its load.
    TooSlow,
}

impl SourceError {
    /// When the source may be asked again.
    #[must_use]
    pub fn retry(&self) -> Retry {
        match self {
            Self::SuperOffice(error) => error.retry(),
            Self::Csv(_) => Retry::Soon,
        }
    }

    /// The error without the time that the server asked for: the same text at each attempt.
    #[must_use]
    pub fn without_time(&self) -> String {
        match self {
            Self::SuperOffice(FetchError::LeftAlone(_)) => "it asked to be left alone".to_owned(),
            error => error.to_string(),
        }
    }
}
