//! When a source may be asked again after a failure.

use std::time::Duration;

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
