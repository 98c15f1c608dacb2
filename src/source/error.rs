//! Why a source did not deliver, and when it may be asked again.

use super::csv::CsvError;
use super::retry::Retry;
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
    /// The list was to come from another replica.
    #[error("{0}")]
    Replicas(String),
}

impl SourceError {
    /// When the source may be asked again.
    #[must_use]
    pub fn retry(&self) -> Retry {
        match self {
            Self::SuperOffice(error) => error.retry(),
            Self::Csv(_) | Self::Replicas(_) => Retry::Soon,
        }
    }

    /// Whether the credential was refused, or can't be read.
    #[must_use]
    pub fn is_about_credential(&self) -> bool {
        match self {
            Self::SuperOffice(error) => {
                error.retry() == Retry::Refused || matches!(error, FetchError::Secret(_))
            }
            Self::Csv(_) | Self::Replicas(_) => false,
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
